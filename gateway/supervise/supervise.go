// Package supervise runs the gateway's jobs. When an essential job ends,
// everything ends, and the service manager starts the gateway anew; an optional
// job that ends is started again after a while, and a condition says so.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"nabat/gateway/health"
)

// ErrEnded is wrapped by the error of a job that ended although nobody asked it
// to and that gave no reason.
var ErrEnded = errors.New("ended without a reason")

// ErrPanic is wrapped by the error of a job that panicked. The stack is in the log.
var ErrPanic = errors.New("panic")

// ErrStuck is wrapped by the error about a job that did not stop when asked.
var ErrStuck = errors.New("did not stop when asked")

// stopEach is how long each job may take to stop before the next one is asked.
const stopEach = 3 * time.Second

// stopLast is how long the job may take that was added first and is stopped
// last, the journal: a card may stall for many seconds, and what waits to be
// written stands nowhere else.
const stopLast = 20 * time.Second

// StopLimit is how long stopping all jobs takes at the most; whoever ends the
// process by force waits longer.
const StopLimit = 95 * time.Second

// ErrTooMany is wrapped by Run's refusal of more jobs than StopLimit allows.
var ErrTooMany = errors.New("too many jobs to stop one after the other")

// lookEvery is how often stalled jobs are looked for without a watchdog.
const lookEvery = 5 * time.Second

// Func is a job: it works until ctx ends, and then returns nil. It calls ready
// once it really does its work, from any goroutine, as often as it likes.
type Func func(ctx context.Context, ready func()) error

// Started makes a Func of a job that is ready as soon as it is started.
func Started(run func(context.Context) error) Func {
	return func(ctx context.Context, ready func()) error {
		ready()
		return run(ctx)
	}
}

// Options are what a Group needs. Nil and zero values are allowed.
type Options struct {
	// Health holds the pulses of the essential jobs and takes conditions.
	Health *health.Registry
	Log    *slog.Logger
	// Notify tells the service manager a state, as sd_notify(3) spells it.
	Notify func(state string) error
	// Watchdog is the service manager's limit between two signs of life; zero
	// means that it waits for none.
	Watchdog time.Duration
}

// Group is the jobs of one process. Add all jobs before Run, in the order of
// dependence: a job comes after those that it needs. Jobs are stopped in the
// reverse order, so the journal, added first, commits the last events of all
// others; it has stopLast for that.
type Group struct {
	health   *health.Registry
	log      *slog.Logger
	notify   func(string) error
	watchdog time.Duration
	jobs     []*job
	silent   bool     // the service manager could not be reached; owned by Run
	stalled  []string // as last seen; owned by Run
}

type job struct {
	name      string
	run       Func
	essential bool

	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended for good
	err    error         // valid after done
}

// New returns an empty Group. It starts nothing.
func New(o Options) *Group {
	g := &Group{health: o.Health, log: o.Log, notify: o.Notify, watchdog: o.Watchdog}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.notify == nil {
		g.notify = func(string) error { return nil }
	}
	return g
}

// Essential adds a job without which the gateway is no gateway.
func (g *Group) Essential(name string, run Func) { g.add(name, run, true) }

// Optional adds a job without which the gateway still calls for help.
func (g *Group) Optional(name string, run Func) { g.add(name, run, false) }

func (g *Group) add(name string, run Func, essential bool) {
	g.jobs = append(g.jobs, &job{name: name, run: run, essential: essential, done: make(chan struct{})})
}

// Run starts all jobs and returns after all of them have ended: nil when ctx
// ended and every job stopped well, otherwise the errors of the essential jobs
// that ended and of those jobs that did not stop (these may still be running).
// The service manager is told when every essential job is ready, while the
// pulses of all of them are fresh, and when the gateway stops. More jobs than
// can be stopped within StopLimit are refused with ErrTooMany. Call Run once.
func (g *Group) Run(ctx context.Context) error {
	if need := time.Duration(len(g.jobs)-1)*stopEach + stopLast; need > StopLimit {
		return fmt.Errorf("%w: %d jobs need up to %v, want at most %v (raise StopLimit, and TimeoutStopSec of the unit)", ErrTooMany, len(g.jobs), need, StopLimit)
	}
	ended := make(chan *job, len(g.jobs))
	ready := make(chan *job, len(g.jobs))
	armed := make(chan struct{}) // closed when every essential job is ready
	var waiting []string
	for _, j := range g.jobs {
		// Not cancelled by ctx, because the order of stopping is ours.
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		j.cancel = cancel
		var once sync.Once
		isReady := func() { once.Do(func() { ready <- j }) }
		if j.essential {
			waiting = append(waiting, j.name)
		}
		go func() {
			if j.essential {
				j.err = <-g.start(own, j, isReady)
			} else {
				firstTheEssential(own, armed)
				j.err = g.keep(own, j, isReady)
			}
			close(j.done)
			ended <- j
		}()
	}

	period := lookEvery
	if g.watchdog > 0 {
		period = g.watchdog / 2
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	if len(waiting) == 0 {
		close(armed)
		g.tell("READY=1")
	}
	for {
		select {
		case <-ctx.Done():
			return g.stop(nil)
		case j := <-ended:
			return g.stop(j)
		case j := <-ready:
			if i := slices.Index(waiting, j.name); j.essential && i >= 0 {
				waiting = slices.Delete(waiting, i, i+1)
				g.log.Info("job is ready", "job", j.name, "waiting", strings.Join(waiting, ", "))
				if len(waiting) == 0 {
					close(armed)
					g.tell("READY=1")
				}
			}
		case <-tick.C:
			g.look()
		}
	}
}

// firstTheEssential lets the essential jobs have the processor until they are
// ready, but not for ever: a button that hangs must not keep the links down.
func firstTheEssential(ctx context.Context, armed <-chan struct{}) {
	const longest = 2 * time.Second
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-armed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// look pets the watchdog, unless an essential job does not get on: then the
// service manager has to start the gateway anew.
func (g *Group) look() {
	now := g.health.Stalled()
	if !slices.Equal(now, g.stalled) {
		for _, name := range g.stalled {
			if !slices.Contains(now, name) {
				g.health.Clear("job-stalled:" + name)
			}
		}
		for _, name := range now {
			g.health.Set("job-stalled:"+name, "the job makes no progress; the gateway is restarted if that lasts")
		}
		g.stalled = now
		if len(now) > 0 {
			g.log.Error("jobs make no progress", "jobs", strings.Join(now, ", "))
			g.tell("STATUS=no progress: " + strings.Join(now, ", "))
		} else {
			g.log.Info("all jobs make progress again")
			g.tell("STATUS=running")
		}
	}
	if len(now) == 0 {
		g.tell("WATCHDOG=1")
	}
}

// stop ends all jobs, the last one first. failed is the essential job that
// ended by itself, if any.
func (g *Group) stop(failed *job) error {
	// A sign of life as well: stopping may take longer than what is left.
	g.tell("STOPPING=1\nWATCHDOG=1")
	var errs []error
	if failed != nil {
		errs = append(errs, fmt.Errorf("job %s: %w", failed.name, orEnded(failed.err)))
		g.log.Error("an essential job ended, so the gateway ends", "job", failed.name, "error", orEnded(failed.err))
	}
	for i, j := range slices.Backward(g.jobs) {
		j.cancel()
		limit := stopEach
		if i == 0 {
			limit = stopLast
		}
		if !g.endsWithin(j, limit) {
			g.log.Error("job does not stop", "job", j.name)
		}
	}
	for _, j := range g.jobs {
		select {
		case <-j.done:
			// An optional job's error was reported when it happened.
			if j != failed && j.essential && j.err != nil && !errors.Is(j.err, context.Canceled) {
				errs = append(errs, fmt.Errorf("job %s: %w", j.name, j.err))
			}
		default:
			errs = append(errs, fmt.Errorf("job %s: %w", j.name, ErrStuck))
		}
	}
	return errors.Join(errs...)
}

// endsWithin waits until a job has ended and reports whether it did in time.
// Meanwhile the watchdog is petted: the journal still has to commit, and the wait
// is bounded.
func (g *Group) endsWithin(j *job, limit time.Duration) bool {
	over := time.NewTimer(limit)
	defer over.Stop()
	pet := time.NewTicker(stopEach / 2)
	defer pet.Stop()
	for {
		select {
		case <-j.done:
			return true
		case <-pet.C:
			g.tell("WATCHDOG=1")
		case <-over.C:
			return false
		}
	}
}

// start runs a job once, in a goroutine of its own so that even a
// runtime.Goexit in it is noticed, and sends how it ended.
func (g *Group) start(ctx context.Context, j *job, ready func()) <-chan error {
	ended := make(chan error, 1)
	go func() {
		err := ErrEnded
		defer func() {
			if p := recover(); p != nil {
				g.log.Error("job panicked", "job", j.name, "panic", p, "stack", string(debug.Stack()))
				err = fmt.Errorf("%w: %v", ErrPanic, p)
			}
			ended <- err
		}()
		err = j.run(ctx, ready)
	}()
	return ended
}

func orEnded(err error) error {
	if err == nil {
		return ErrEnded
	}
	return err
}

// tell speaks to the service manager. That it cannot be reached is logged once:
// it will act on the silence.
func (g *Group) tell(state string) {
	err := g.notify(state)
	if err != nil && !g.silent {
		g.log.Warn("the service manager cannot be told how the gateway is", "error", err)
	}
	g.silent = err != nil
}
