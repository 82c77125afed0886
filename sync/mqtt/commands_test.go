package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

const commandTopic = "nabat/1/school-12/main/command"

// inbox notes commands as the gateway is told them.
type inbox struct {
	mu   sync.Mutex
	list []string
}

func (i *inbox) take(payload []byte, retained bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.list = append(i.list, fmt.Sprint(string(payload), " ", retained))
}

func (i *inbox) all() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.list)
}

// publish hands a message to the broker and waits until it has it.
func (d *dispatch) publish(topic string, retained bool, b []byte) {
	d.t.Helper()
	if tok := d.client.Publish(topic, 1, retained, b); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
		d.t.Fatalf("publish on %s: %v", topic, tok.Error())
	}
}

func TestCommandsComeInOrderAndSayWhetherTheyWereRetained(t *testing.T) {
	var in inbox
	s := newScene(t, brokertest.Options{}, func(o *Options) { o.Command = in.take })
	s.d.join()
	s.d.publish(commandTopic, true, []byte("old"))
	s.g.start()
	until(t, "the retained one comes", func() bool { return len(in.all()) == 1 })
	want := []string{"old true"}
	for i := range 60 {
		want = append(want, fmt.Sprint(i, " false"))
		s.d.client.Publish(commandTopic, 1, false, fmt.Sprint(i))
	}
	until(t, "all come", func() bool { return len(in.all()) == len(want) })
	if got := in.all(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTooLargeAndTooManyCommandsAreDroppedAndCounted(t *testing.T) {
	var in inbox
	busy := make(chan struct{})
	release := sync.OnceFunc(func() { close(busy) })
	defer release()
	s := newScene(t, brokertest.Options{}, func(o *Options) {
		o.Command = func(b []byte, retained bool) { <-busy; in.take(b, retained) }
	})
	s.d.join()
	s.g.start()
	until(t, "birth", func() bool { return s.d.lastStatus().Online })
	// Commands are asked for after the birth; what comes before is nobody's.
	until(t, "the gateway listens", func() bool {
		s.d.publish(commandTopic, false, []byte(strings.Repeat("x", maxCommand+1)))
		return s.g.p.Dropped() > 0
	})
	before := s.g.p.Dropped()
	for i := range maxCommands + 100 {
		s.d.publish(commandTopic, false, fmt.Append(nil, i))
	}
	until(t, "the rest is dropped", func() bool { return s.g.p.Dropped() >= before+99 })
	// Neither events nor the status wait for whoever does not take commands.
	s.feed()
	s.d.complete(s.g, 0)
	release()
	until(t, "what waited comes", func() bool { return len(in.all()) >= maxCommands })
	for _, got := range in.all() {
		if len(got) > maxCommand {
			t.Errorf("a command of %d bytes was told", len(got))
		}
	}
	if n := strings.Count(s.g.log.String(), "command dropped"); n == 0 || n > 3 {
		t.Errorf("the drops were logged %d times, want 1 to 3:\n%s", n, s.g.log)
	}
}

func TestTheStatusSaysCounterAndChallengeAtOnce(t *testing.T) {
	var counter atomic.Uint64
	counter.Store(7)
	s := newScene(t, brokertest.Options{}, func(o *Options) {
		o.Timing.Heartbeat = time.Hour
		o.Status = func() event.Status {
			return event.Status{
				Counter: counter.Load(), Challenge: fmt.Sprint("word-", counter.Load()),
				Clock: event.Clock{Mono: time.Minute},
			}
		}
	})
	s.d.join()
	s.g.start()
	until(t, "birth", func() bool { return s.d.lastStatus().Online })
	if st := s.d.lastStatus(); st.Counter != 7 || st.Challenge != "word-7" || st.Clock.Mono != time.Minute {
		t.Errorf("birth says %+v", st)
	}
	begun := time.Now()
	pace := time.NewTicker(2 * time.Millisecond) // the broker answers in less
	defer pace.Stop()
	for range 200 {
		<-pace.C
		counter.Add(1)
		s.g.p.Refresh()
	}
	until(t, "the last word is said", func() bool { return s.d.lastStatus().Challenge == "word-207" })
	s.d.mu.Lock()
	n := len(s.d.status)
	s.d.mu.Unlock()
	if most := 3 + int(time.Since(begun)/time.Second); n > most {
		t.Errorf("%d documents were published, want at most %d", n, most)
	}
}
