package mqtt

import (
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

func TestNewAlarmOvertakesTheBacklog(t *testing.T) {
	s := newScene(t, brokertest.Options{}, nil)
	const backlog = 20000
	s.g.feed(alert.PointFault, backlog)
	s.d.join()
	s.g.start()
	until(t, "a part of the backlog has arrived", func() bool { n, _ := s.d.count(); return n > 2000 })
	var at int
	committed := make(chan struct{})
	s.g.j.Append(alert.Event{Type: alert.Raised, Subject: "now"}, func(_ alert.Ref, err error) {
		if err != nil {
			t.Errorf("append: %v", err)
		}
		at, _ = s.d.count()
		close(committed)
	})
	<-committed
	s.d.complete(s.g, 0)
	i := slices.IndexFunc(s.d.list(), func(e event.Event) bool { return e.Type == alert.Raised })
	// What was in flight and in sockets at the commit comes first: windows,
	// not the backlog.
	if behind := i - at; behind > 1000 || i > backlog/2 {
		t.Errorf("the alarm was event %d to arrive; %d had arrived when it was committed", i, at)
	}
}

func TestStatusBirthHeartbeatConditionFarewellAndWill(t *testing.T) {
	s := newScene(t, brokertest.Options{}, func(o *Options) { o.Timing.Heartbeat = 50 * time.Millisecond })
	s.d.join()
	s.g.start()
	until(t, "birth", func() bool { return s.d.lastStatus().Online })
	first := s.d.lastStatus()
	if first.Session == "" || first.Epoch != s.g.j.Epoch() {
		t.Errorf("birth %+v", first)
	}
	s.g.feed(alert.Raised, 3)
	until(t, "the heartbeat shows the last sequence", func() bool { return s.d.lastStatus().LastSeq >= 3 })
	s.g.health.Set("clock-unsynchronised", "x")
	until(t, "the condition shows", func() bool { return len(s.d.lastStatus().Conditions) == 1 })

	// The link breaks: the broker publishes the will.
	s.proxy.set(true, false)
	s.proxy.cut()
	until(t, "will", func() bool { st := s.d.lastStatus(); return !st.Online && st.Session == first.Session })
	s.proxy.set(false, false)
	until(t, "birth of another session", func() bool {
		st := s.d.lastStatus()
		return st.Online && st.Session != first.Session
	})

	s.g.stop()
	until(t, "farewell", func() bool { return !s.d.lastStatus().Online })
	if s.d.lastStatus().LastSeq == 0 {
		t.Error("the end was the broker's will, not the gateway's farewell")
	}
	late := newDispatch(t, s.broker)
	late.join()
	until(t, "the farewell is retained", func() bool { return late.lastStatus().Session != "" && !late.lastStatus().Online })
}

func TestReceiptsComeBack(t *testing.T) {
	s := newScene(t, brokertest.Options{}, nil)
	s.d.join()
	s.g.start()
	s.g.feed(alert.Raised, 5)
	s.d.complete(s.g, 0)
	topics, err := event.NewTopics("school-12", "main")
	if err != nil {
		t.Fatal(err)
	}
	say := func(b []byte) {
		t.Helper()
		if tok := s.d.client.Publish(topics.Receipt(), 1, false, b); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
			t.Fatalf("publish a receipt: %v", tok.Error())
		}
	}
	epoch := s.g.j.Epoch()
	say([]byte(`{"epoch":"` + epoch + `","sequence":"5"}`))
	say(event.Receipt{Epoch: epoch, Through: 2, Above: []uint64{4}}.Encode())
	until(t, "the receipt is told", func() bool {
		s.g.mu.Lock()
		defer s.g.mu.Unlock()
		return len(s.g.receipts) == 1
	})
	until(t, "Sent is told all five alarms", func() bool { s.g.mu.Lock(); defer s.g.mu.Unlock(); return len(s.g.sent) == 5 })
	s.g.mu.Lock()
	if r := s.g.receipts[0]; r.Epoch != epoch || r.Through != 2 || !slices.Equal(r.Above, []uint64{4}) {
		t.Errorf("got %+v", r)
	}
	s.g.mu.Unlock()
	// A flood is joined, and the last word stands.
	for i := range uint64(500) {
		say(event.Receipt{Epoch: epoch, Through: i}.Encode())
	}
	until(t, "the highest mark is told", func() bool {
		s.g.mu.Lock()
		defer s.g.mu.Unlock()
		return slices.ContainsFunc(s.g.receipts, func(r event.Receipt) bool { return r.Through == 499 })
	})
}

func TestStolenClientIDIsSaid(t *testing.T) {
	s := newScene(t, brokertest.Options{}, nil)
	clone := newGateway(t, "tcp://"+s.broker.Addr(), func(o *Options) { o.Gateway = "clone"; o.ClientID = "nabat-school-12-main" })
	s.g.start()
	clone.start()
	until(t, "link-duplicate", func() bool { return s.g.holds(conditionDuplicate) || clone.holds(conditionDuplicate) })
	clone.stop()
	until(t, "the condition goes when the clone has gone", func() bool {
		return !s.g.holds(conditionDuplicate) && !s.g.holds(conditionDown)
	})
}

func TestEventThatTheBrokerCannotTakeIsParked(t *testing.T) {
	s := newScene(t, brokertest.Options{Extra: []string{"max_packet_size 20000"}}, func(o *Options) { o.MaxEvent = 100_000 })
	s.d.join()
	s.g.start()
	s.flowing()
	for _, size := range []int{30_000, 150_000} {
		s.g.j.Append(alert.Event{Type: alert.PointFault, Detail: strings.Repeat("x", size)}, nil)
	}
	s.feed()
	until(t, "both are parked", func() bool {
		for _, c := range s.g.j.Stats().Cursors {
			if c.Lane == journal.Routine && c.Parked == 2 {
				return true
			}
		}
		return false
	})
	s.d.complete(s.g, 2)
	if s.g.holds(conditionDuplicate) {
		t.Error("the broker's refusal of one event was taken for a second device")
	}
}

// TestBlackHole takes the broker's address away under a live connection, so
// that packets leave and nothing, not even a reset, comes back. Only
// TCP_USER_TIMEOUT ends such a connection here: patience and pings are longer.
func TestBlackHole(t *testing.T) {
	const addr = "192.0.2.78"
	ip := func(args ...string) error { return exec.Command("ip", args...).Run() }
	// One left over from a killed run would be found; a missing one is made.
	_ = ip("addr", "del", addr+"/32", "dev", "lo")
	if err := ip("addr", "add", addr+"/32", "dev", "lo"); err != nil {
		t.Fatalf("add an address to lo: %v (run as root, with: apt-get install iproute2)", err)
	}
	t.Cleanup(func() { _ = ip("addr", "del", addr+"/32", "dev", "lo") })
	broker := brokertest.Start(t, brokertest.Options{})
	proxy := startProxy(t, addr+":0", broker.Addr())
	g := newGateway(t, "tcp://"+proxy.addr(), func(o *Options) {
		o.AllowPlaintext = true
		o.Timing.Patience, o.Timing.KeepAlive, o.Timing.Heartbeat = time.Hour, time.Hour, time.Hour
	})
	g.start()
	g.feed(alert.Raised, 1)
	until(t, "the first alarm is sent", func() bool { g.mu.Lock(); defer g.mu.Unlock(); return len(g.sent) == 1 })
	if err := ip("addr", "del", addr+"/32", "dev", "lo"); err != nil {
		t.Fatal(err)
	}
	g.feed(alert.Raised, 1)
	until(t, "link-down", func() bool { return g.holds(conditionDown) })
	if err := ip("addr", "add", addr+"/32", "dev", "lo"); err != nil {
		t.Fatal(err)
	}
	until(t, "the second alarm is sent", func() bool { g.mu.Lock(); defer g.mu.Unlock(); return len(g.sent) == 2 })
}

func TestDialerSetsUserTimeout(t *testing.T) {
	s := newScene(t, brokertest.Options{}, nil)
	p, err := New(s.g.options)
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := p.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.abort()
	rc, err := w.raw.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := rc.Control(func(fd uintptr) {
		got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		if err != nil || got != 1000 {
			t.Errorf("TCP_USER_TIMEOUT is %d ms, %v; want 1000", got, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}
