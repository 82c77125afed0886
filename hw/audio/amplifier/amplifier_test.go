package amplifier_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"nabat/hw/audio"
	"nabat/hw/audio/amplifier"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relay remembers what it was told; fail is what it answers.
type relay struct {
	mu    sync.Mutex
	keyed bool
	since time.Time
	fail  error
	sets  int
}

func (r *relay) Set(keyed bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets++
	if r.fail != nil {
		return r.fail
	}
	if keyed != r.keyed {
		r.keyed, r.since = keyed, time.Now()
	}
	return nil
}

func (r *relay) is() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keyed
}

func (r *relay) failWith(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// speaker opens after a while, or fails, and notes whether the relay is keyed
// when it sounds. No real part can be told to fail in these ways at will.
type speaker struct {
	relay  *relay
	after  time.Duration
	fail   error
	broken error // what a stream says
	sounds func(keyed bool)
}

func (s *speaker) Open(ctx context.Context) (audio.Stream, error) {
	select {
	case <-time.After(s.after):
		return &sound{s}, s.fail
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
func (s *speaker) Check(context.Context) error { return nil }
func (s *speaker) Close() error                { return nil }

type sound struct{ s *speaker }

func (s *sound) Write(context.Context, []int16) error {
	if s.s.sounds != nil {
		s.s.sounds(s.s.relay.is())
	}
	return s.s.broken
}
func (s *sound) Flush() error                { return s.s.broken }
func (s *sound) Drain(context.Context) error { return s.s.broken }
func (*sound) Close() error                  { return nil }

const lead, tail = 300 * time.Millisecond, 500 * time.Millisecond

func open(t *testing.T, d audio.Driver) audio.Stream {
	t.Helper()
	s, err := d.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// counted counts the streams of a speaker that are open.
type counted struct {
	*speaker
	open int
}

func (c *counted) Open(ctx context.Context) (audio.Stream, error) {
	s, err := c.speaker.Open(ctx)
	if err == nil {
		c.open++
	}
	return countedStream{s, c}, err
}

type countedStream struct {
	audio.Stream
	c *counted
}

func (s countedStream) Close() error {
	s.c.open--
	return s.Stream.Close()
}

// A loudspeaker that is given up while the amplifier warms up is closed.
func TestNothingStaysOpenWhenTheLeadIsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{}
		a := amplifier.New(r, amplifier.Options{Lead: time.Minute, Tail: tail})
		c := &counted{speaker: &speaker{relay: r}}
		ctx, cancel := context.WithTimeout(t.Context(), lead)
		defer cancel()
		if _, err := a.Driver(c).Open(ctx); !errors.Is(err, context.DeadlineExceeded) || c.open != 0 || r.is() {
			t.Errorf("%v; %d open, keyed is %v", err, c.open, r.is())
		}
	})
}

// Closing a stream twice is allowed, and takes the amplifier from nobody else.
func TestClosingTwiceReleasesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{}
		a := amplifier.New(r, amplifier.Options{})
		one, other := open(t, a.Driver(&speaker{relay: r})), open(t, a.Driver(&speaker{relay: r}))
		if err := errors.Join(one.Close(), one.Close()); err != nil || !r.is() {
			t.Errorf("one of two is closed twice: keyed is %v, %v", r.is(), err)
		}
		if err := other.Close(); err != nil || r.is() {
			t.Errorf("both are closed: keyed is %v, %v", r.is(), err)
		}
	})
}

func TestKeyedBeforeAndReleasedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{keyed: true} // a crash left it so
		a := amplifier.New(r, amplifier.Options{Lead: lead, Tail: tail})
		if r.is() {
			t.Fatal("still keyed after the start")
		}
		start := time.Now()
		s := open(t, a.Driver(&speaker{relay: r, after: 100 * time.Millisecond}))
		if took := time.Since(start); took != lead || !r.is() {
			t.Errorf("opened after %v, keyed %v", took, r.is())
		}
		pass(time.Hour)
		if !r.is() {
			t.Error("released in the middle of a sound")
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		pass(tail - 1)
		if !r.is() {
			t.Error("released before the tail")
		}
		pass(1)
		if r.is() {
			t.Error("still keyed after the tail")
		}
	})
}

func TestNextSoundWithinTheTailNeedsNoLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{}
		a := amplifier.New(r, amplifier.Options{Lead: lead, Tail: tail})
		d := a.Driver(&speaker{relay: r})
		_ = open(t, d).Close()
		pass(tail / 2)
		start := time.Now()
		s := open(t, d)
		if took := time.Since(start); took != 0 {
			t.Errorf("an amplifier that is on was waited for: %v", took)
		}
		pass(time.Hour)
		if !r.is() {
			t.Error("the tail of the sound before released it")
		}
		_ = s.Close()
		pass(tail)
		if r.is() {
			t.Error("still keyed")
		}
	})
}

func TestReleasedAtOnceWhenNothingSounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{}
		a := amplifier.New(r, amplifier.Options{Lead: lead, Tail: tail})
		broken := errors.New("no card")
		start := time.Now()
		if _, err := a.Driver(&speaker{relay: r, after: 10 * time.Millisecond, fail: broken}).Open(t.Context()); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		if r.is() || time.Since(start) != 10*time.Millisecond {
			t.Errorf("keyed %v after %v", r.is(), time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), lead/2)
		defer cancel()
		if _, err := a.Driver(&speaker{relay: r}).Open(ctx); !errors.Is(err, context.DeadlineExceeded) || r.is() {
			t.Errorf("given up during the lead: %v, keyed %v", err, r.is())
		}
	})
}

func TestCloseReleasesUnderAnOpenSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{}
		a := amplifier.New(r, amplifier.Options{Lead: lead, Tail: tail})
		d := a.Driver(&speaker{relay: r})
		s := open(t, d)
		if err := errors.Join(a.Close(), a.Close()); err != nil || r.is() {
			t.Errorf("%v, keyed %v", err, r.is())
		}
		_ = s.Close()
		s = open(t, d)
		pass(time.Hour)
		if r.is() {
			t.Error("keyed after Close")
		}
		_ = s.Close()
	})
}

func TestRelayThatDoesNotFollowSilencesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r, stuck := &relay{}, errors.New("line lost")
		a := amplifier.New(r, amplifier.Options{Lead: lead, Log: slog.New(slog.NewTextHandler(&log, nil))})
		heard := 0
		d := a.Driver(&speaker{relay: r, sounds: func(bool) { heard++ }})
		if err := d.Check(t.Context()); err != nil {
			t.Error(err)
		}
		r.failWith(stuck)
		s := open(t, d)
		if err := s.Write(t.Context(), nil); err != nil || heard != 1 {
			t.Errorf("%v, heard %d times", err, heard)
		}
		if err := d.Check(t.Context()); !errors.Is(err, stuck) {
			t.Errorf("check: %v", err)
		}
		r.failWith(nil)
		if err := d.Check(t.Context()); err != nil || !r.is() {
			t.Errorf("it follows again: %v, keyed %v", err, r.is())
		}
		// Stuck when it should drop: Check goes on asking.
		r.failWith(stuck)
		_ = s.Close()
		r.failWith(nil)
		if err := d.Check(t.Context()); err != nil || r.is() {
			t.Errorf("%v, keyed %v", err, r.is())
		}
		if n := bytes.Count(log.Bytes(), []byte("does not follow")); n != 2 {
			t.Errorf("said %d times:\n%s", n, log.String())
		}
	})
}

// Several loudspeakers open, fail and close in any order: the relay is keyed
// exactly while one of them may sound, and until the tail after.
func TestSharedByAnyNumber(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 4), 1, 40).Draw(rt, "steps")
		waits := rapid.SliceOfN(rapid.IntRange(0, 700), len(steps), len(steps)).Draw(rt, "waits")
		var failed error
		synctest.Test(t, func(t *testing.T) {
			r := &relay{}
			a := amplifier.New(r, amplifier.Options{Lead: lead, Tail: tail})
			streams := map[int]audio.Stream{}
			quiet := time.Now().Add(-time.Hour)
			for i, who := range steps {
				if s := streams[who]; s != nil {
					_ = s.Close()
					delete(streams, who)
					quiet = time.Now()
				} else if s, err := a.Driver(&speaker{relay: r}).Open(t.Context()); err == nil {
					streams[who] = s
				}
				pass(time.Duration(waits[i]) * time.Millisecond)
				due := len(streams) > 0 || time.Since(quiet) < tail
				if r.is() != due && failed == nil {
					failed = fmt.Errorf("step %d: %d sound, the last ended %v ago, keyed %v", i, len(streams), time.Since(quiet), r.is())
				}
			}
			for _, s := range streams {
				_ = s.Close()
			}
			pass(tail)
			if r.is() && failed == nil {
				failed = errors.New("left keyed")
			}
		})
		if failed != nil {
			rt.Fatal(failed)
		}
	})
}
