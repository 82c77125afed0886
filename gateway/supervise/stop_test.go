package supervise

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestJobsStopInReverseOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{})
		var order []string
		job := func(name string) Func {
			return Started(func(ctx context.Context) error { <-ctx.Done(); order = append(order, name); return nil })
		}
		g.Essential("journal", job("journal"))
		g.Essential("engine", job("engine"))
		g.Optional("mqtt", job("mqtt"))
		stop, _ := start(g)
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if !slices.Equal(order, []string{"mqtt", "engine", "journal"}) {
			t.Errorf("stopped in the order %v", order)
		}
	})
}

func TestStuckJobIsNamedAndDelaysOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{})
		saved := false
		release := make(chan struct{})
		g.Essential("journal", Started(func(ctx context.Context) error { <-ctx.Done(); saved = true; return nil }))
		g.Optional("web", Started(func(context.Context) error { <-release; return nil }))
		stop, _ := start(g)
		synctest.Wait()
		begin := time.Now()
		err := stop()
		if !errors.Is(err, ErrStuck) || !strings.Contains(err.Error(), "job web") || strings.Contains(err.Error(), "journal") {
			t.Errorf("Run = %v", err)
		}
		if !saved || time.Since(begin) != stopEach {
			t.Errorf("saved = %v after %v", saved, time.Since(begin))
		}
		close(release)
		synctest.Wait()
	})
}

// A card that stalls may hold up the journal, whose rows stand nowhere else, for
// longer than another job; the watchdog must not end it meanwhile.
func TestTheJournalHasTimeToCommit(t *testing.T) {
	for name, one := range map[string]struct {
		takes time.Duration
		want  error
		after time.Duration
	}{
		"a disk that stalls": {stopLast - time.Second, nil, stopLast - time.Second},
		"a disk that hangs":  {time.Hour, ErrStuck, stopLast},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signs := newSigns()
				g := New(Options{Watchdog: watchdog, Notify: signs.hear})
				g.Essential("journal", Started(func(ctx context.Context) error { <-ctx.Done(); <-time.After(one.takes); return nil }))
				g.Optional("web", Started(func(ctx context.Context) error { <-ctx.Done(); return nil }))
				stop, _ := start(g)
				synctest.Wait()
				begin := time.Now()
				if err := stop(); !errors.Is(err, one.want) {
					t.Errorf("Run = %v, want %v", err, one.want)
				}
				if took := time.Since(begin); took != one.after {
					t.Errorf("stopped after %v, want %v", took, one.after)
				}
				signs.check(t)
				<-time.After(time.Hour)
			})
		})
	}
}

func TestJobsThatDoNotStopKeepNoSignOfLifeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signs := newSigns()
		g := New(Options{Watchdog: watchdog, Notify: signs.hear})
		release := make(chan struct{})
		for range 20 {
			g.Optional("stuck", Started(func(context.Context) error { <-release; return nil }))
		}
		stop, _ := start(g)
		synctest.Wait()
		if err := stop(); !errors.Is(err, ErrStuck) {
			t.Errorf("Run = %v", err)
		}
		signs.check(t)
		close(release)
		synctest.Wait()
	})
}

const watchdog = 15 * time.Second

// signs are the signs of life that a service manager gets.
type signs struct {
	last    time.Time
	longest time.Duration
}

func newSigns() *signs { return &signs{last: time.Now()} }

func (s *signs) hear(state string) error {
	if strings.Contains(state, "WATCHDOG=1") {
		s.longest, s.last = max(s.longest, time.Since(s.last)), time.Now()
	}
	return nil
}

func (s *signs) check(t *testing.T) {
	t.Helper()
	if longest := max(s.longest, time.Since(s.last)); longest > stopEach {
		t.Errorf("no sign of life for %v", longest)
	}
}

func TestMoreJobsThanCanBeStoppedAreRefused(t *testing.T) {
	idle := Started(func(ctx context.Context) error { <-ctx.Done(); return nil })
	for extra, want := range map[int]error{0: nil, 1: ErrTooMany} {
		g := New(Options{})
		for range 1 + int((StopLimit-stopLast)/stopEach) + extra {
			g.Optional("one of many", idle)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.Run(ctx); !errors.Is(err, want) {
			t.Errorf("%d too many: %v, want %v", extra, err, want)
		}
	}
}

func TestErrorWhileStoppingIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{})
		g.Essential("journal", Started(func(ctx context.Context) error { <-ctx.Done(); return errBroken }))
		g.Essential("engine", Started(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
		stop, _ := start(g)
		synctest.Wait()
		if err := stop(); !errors.Is(err, errBroken) || errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
}
