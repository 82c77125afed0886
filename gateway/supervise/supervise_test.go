package supervise

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBroken = errors.New("broken")

// until is a job that works until it is stopped.
func until(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// notes remembers what the service manager was told. A real socket is used in
// systemd_test.go; here the clock is not real, and so the socket cannot be.
type notes struct {
	mu  sync.Mutex
	all []string
}

func (n *notes) tell(state string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, state)
	return nil
}

func (n *notes) count(state string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := 0
	for _, s := range n.all {
		if s == state {
			c++
		}
	}
	return c
}

// start runs g and returns how to stop it and what it returned.
func start(g *Group) (stop func() error, ended <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	return func() error { cancel(); return <-done }, done
}

func TestEssentialJobEndsEverything(t *testing.T) {
	for name, tt := range map[string]struct {
		run  func(context.Context) error
		want error
	}{
		"with an error":    {func(context.Context) error { return errBroken }, errBroken},
		"without an error": {func(context.Context) error { return nil }, ErrEnded},
		"with a panic":     {func(context.Context) error { panic("lost") }, ErrPanic},
		"with a Goexit":    {func(context.Context) error { runtime.Goexit(); return nil }, ErrEnded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				g := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
				stopped := 0
				g.Essential("journal", Started(func(ctx context.Context) error { <-ctx.Done(); stopped++; return nil }))
				g.Essential("engine", Started(tt.run))
				g.Optional("mqtt", Started(func(ctx context.Context) error { <-ctx.Done(); stopped++; return nil }))
				err := g.Run(context.Background())
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "job engine") {
					t.Errorf("Run = %v, want %v", err, tt.want)
				}
				if stopped != 2 {
					t.Errorf("%d of 2 other jobs were stopped", stopped)
				}
				if errors.Is(tt.want, ErrPanic) && !strings.Contains(log.String(), "supervise_test.go") {
					t.Errorf("no stack in the log: %s", log.String())
				}
			})
		})
	}
}

func TestOptionalJobIsRestarted(t *testing.T) {
	for name, run := range map[string]func(context.Context) error{
		"with an error":    func(context.Context) error { return errBroken },
		"without an error": func(context.Context) error { return nil },
		"with a panic":     func(context.Context) error { panic("lost") },
		"with a Goexit":    func(context.Context) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var reg health.Registry
				g := New(Options{Health: &reg})
				var mu sync.Mutex // guards starts
				var starts []time.Time
				var healed atomic.Bool
				g.Essential("engine", Started(until))
				g.Optional("mqtt", Started(func(ctx context.Context) error {
					mu.Lock()
					starts = append(starts, time.Now())
					mu.Unlock()
					if healed.Load() {
						return until(ctx)
					}
					return run(ctx)
				}))
				stop, _ := start(g)
				<-time.After(time.Hour)
				synctest.Wait()
				mu.Lock()
				// Full jitter up to 30 s means one start in 15 s on average.
				if n := len(starts); n < 120 || n > 600 {
					t.Errorf("%d starts in an hour", n)
				}
				for i := 1; i < len(starts); i++ {
					if d := starts[i].Sub(starts[i-1]); d < leastWait || d > mostWait {
						t.Errorf("start %d came %v after the one before", i, d)
					}
				}
				mu.Unlock()
				if l := reg.List(); len(l) != 1 || l[0].Name != "job-restarting:mqtt" {
					t.Errorf("conditions %v", l)
				}
				healed.Store(true)
				<-time.After(mostWait + settled)
				synctest.Wait()
				if l := reg.List(); len(l) != 0 {
					t.Errorf("conditions %v after the job runs well", l)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestBackoffIsBounded(t *testing.T) {
	for failures := 1; failures < 100; failures++ {
		bound := min(firstWait<<min(failures-1, 10), mostWait)
		for range 100 {
			if d := backoff(failures); d < leastWait || d >= bound {
				t.Fatalf("backoff(%d) = %v, want %v to %v", failures, d, leastWait, bound)
			}
		}
	}
}

func TestPanicOfOptionalJobIsLoggedWithStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		first := true
		g.Optional("web", Started(func(ctx context.Context) error {
			if first {
				first = false
				panic("index out of luck")
			}
			return until(ctx)
		}))
		stop, _ := start(g)
		<-time.After(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := log.String(); !strings.Contains(s, "index out of luck") || !strings.Contains(s, "supervise_test.go") {
			t.Errorf("log: %s", s)
		}
	})
}

func TestFailuresDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		g.Optional("mqtt", Started(func(context.Context) error { return errBroken }))
		stop, _ := start(g)
		<-time.After(7 * 24 * time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "\n"); n > 30 {
			t.Errorf("%d lines for a week of failures", n)
		}
	})
}

func TestReadyWaitsForEveryEssentialJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notes
		g := New(Options{Notify: n.tell})
		opened := make(chan struct{})
		g.Essential("journal", func(ctx context.Context, ready func()) error {
			<-opened
			ready()
			ready() // twice does no harm
			return until(ctx)
		})
		g.Essential("engine", Started(until))
		g.Optional("mqtt", func(ctx context.Context, _ func()) error { return until(ctx) }) // never ready
		stop, _ := start(g)
		<-time.After(time.Minute)
		if n.count("READY=1") != 0 {
			t.Error("told to be ready before the journal was")
		}
		close(opened)
		synctest.Wait()
		if n.count("READY=1") != 1 {
			t.Errorf("told %q", n.all)
		}
		if err := stop(); err != nil || n.all[len(n.all)-1] != "STOPPING=1\nWATCHDOG=1" {
			t.Errorf("stop: %v, told %q", err, n.all)
		}
	})
}

func TestWatchdogIsPettedOnlyWhileAllProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notes
		var reg health.Registry
		g := New(Options{Health: &reg, Notify: n.tell, Watchdog: 10 * time.Second})
		pulse := reg.Pulse("engine", 3*time.Second)
		hang, goOn := make(chan struct{}), make(chan struct{})
		g.Essential("engine", Started(func(ctx context.Context) error {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-hang:
					<-goOn
				case <-tick.C:
					pulse.Beat()
				}
			}
		}))
		stop, _ := start(g)
		<-time.After(time.Hour + time.Second)
		if c := n.count("WATCHDOG=1"); c != 720 {
			t.Errorf("petted %d times in an hour", c)
		}
		hang <- struct{}{}
		<-time.After(5 * time.Second)
		before := n.count("WATCHDOG=1")
		<-time.After(time.Hour)
		if c := n.count("WATCHDOG=1"); c != before {
			t.Errorf("petted %d times while the engine hung", c-before)
		}
		if l := reg.List(); len(l) != 1 || l[0].Name != "job-stalled:engine" {
			t.Errorf("conditions %v", l)
		}
		if n.count("STATUS=no progress: engine") != 1 {
			t.Errorf("told %q", n.all[720:])
		}
		close(goOn)
		<-time.After(time.Minute)
		if n.count("WATCHDOG=1") == before || len(reg.List()) != 0 {
			t.Errorf("not petted again; conditions %v", reg.List())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
