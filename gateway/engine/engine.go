// Package engine owns the alert state of a gateway: it turns gestures and
// decisions into events, folds them, hands them to the journal and shows the
// result to everyone.
//
// A raise acts, then is recorded; a clear is recorded, then acts.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/press"
)

// Journal is where events become durable. Append never blocks. It calls done
// once, from any goroutine, when the event was committed or could not be; from
// within Append only when the journal is closed, which is after the engine has
// stopped. An error together with a Ref whose Seq is not zero means that the
// event is kept and will be delivered, but would not survive a power cut; with
// a zero Seq the event is kept nowhere.
type Journal interface {
	Append(e alert.Event, done func(alert.Ref, error))
}

// Clock stamps moments. It must be safe for use from any goroutine.
type Clock interface {
	Now() alert.Stamp
}

// Options says what an Engine works with. Site, Journal and Clock are needed.
type Options struct {
	Site    *alert.Site
	Journal Journal
	Clock   Clock
	// Numbering is the id of the count of presses: the journal's epoch.
	Numbering string
	// State and Saved are what the journal had recorded at start.
	State alert.State
	Saved map[alert.Key]alert.Ref
	// Health takes conditions about points, Pulse the proof of progress. Both
	// may be nil.
	Health *health.Registry
	Pulse  *health.Pulse
	// Log may be nil.
	Log *slog.Logger
}

// Engine owns the state. Its methods may be called from any goroutine; they
// hand their work to Run, which does one thing at a time. Run waits for no disk
// and no network; decisions answer when the journal has, or when their context
// ends.
type Engine struct {
	site    *alert.Site
	journal Journal
	clock   Clock
	health  *health.Registry
	pulse   *health.Pulse
	log     *slog.Logger

	tasks   chan func()
	stopped chan struct{} // closed when Run has returned
	view    atomic.Pointer[alert.View]

	mu      sync.Mutex // guards changed
	changed chan struct{}

	// Owned by Run, and before it by New.
	numbering string
	number    uint64
	state     alert.State
	notices   []alert.Notice // the newest first
	ended     []alert.Ended  // the newest first; never changed in place, because views share it
	points    map[string]alert.PointStatus
	saved     map[alert.Key]savedPress
	early     map[alert.Ref]bool // sent, but not known as a saved press
	receipts  map[string]receipt
	dirty     bool
}

// savedPress is the highest press of a key that the journal has taken.
type savedPress struct {
	number  uint64
	ref     alert.Ref
	durable bool
	sent    bool
}

// ErrStopped is returned by decisions made after the engine has stopped.
var ErrStopped = errors.New("the gateway is shutting down: try again when it has restarted")

// taskQueue bounds the hand-over to Run. Run never blocks, so that the queue
// only smooths bursts; a full one makes callers wait for microseconds.
const taskQueue = 1024

// New returns an engine that shows the recorded state at once. It starts
// nothing; call Run.
func New(o Options) (*Engine, error) {
	if o.Site == nil || o.Journal == nil || o.Clock == nil || o.Numbering == "" {
		return nil, errors.New("engine: site, journal, clock and numbering are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		site: o.Site, journal: o.Journal, clock: o.Clock, health: o.Health, pulse: o.Pulse, log: o.Log,
		tasks:     make(chan func(), taskQueue),
		stopped:   make(chan struct{}),
		numbering: o.Numbering,
		number:    max(o.State.HighestNumber(o.Numbering), o.State.HighestNumber(drillNumbering(o.Numbering))),
		state:     o.State,
		points:    make(map[string]alert.PointStatus),
		saved:     make(map[alert.Key]savedPress),
		early:     make(map[alert.Ref]bool),
		receipts:  make(map[string]receipt),
	}
	for key, ref := range o.Saved {
		if a, ok := o.State.Alert(key); ok {
			e.saved[key] = savedPress{number: a.Last.Number, ref: ref, durable: true}
		}
	}
	for _, b := range o.Site.Buttons {
		e.points[b.ID] = alert.PointStatus{ID: b.ID}
	}
	e.publish()
	return e, nil
}

// Run does the engine's work until ctx ends, and then returns nil. It is an
// essential job: without it no press is heard.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.stopped)
	const beat = time.Second
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	deadline := time.NewTimer(e.due())
	defer deadline.Stop()
	for {
		select {
		case <-ctx.Done():
			e.finish()
			return nil
		case task := <-e.tasks:
			task()
			e.more()
		case <-deadline.C:
			e.dirty = true // a step is due, or the deadline was only a guess
		case <-ticker.C:
			e.silence()
		}
		if e.dirty { // what is due changes with the state and with the deadline only
			deadline.Reset(e.due())
		}
		e.publish()
		e.pulse.Beat()
	}
}

// more does what else has been handed over, up to a bound, so that a heap of
// tasks makes one view and not one each.
func (e *Engine) more() {
	for range taskQueue {
		select {
		case task := <-e.tasks:
			task()
		default:
			return
		}
	}
}

// finish does what was handed over before the end: a press that has been heard
// must reach the journal, which stops after the engine.
func (e *Engine) finish() {
	for len(e.tasks) > 0 {
		e.more()
	}
	e.silenceNotices()
	e.publish()
}

// View returns the present view. It is never nil and never changes.
func (e *Engine) View() *alert.View { return e.view.Load() }

// Changed returns a channel that is closed when the next view is there. Take
// the channel first, then the View, and nothing is missed.
func (e *Engine) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.changed
}

// Gesture hears what a hand did, or what became of a point. It returns when
// Run has taken it over.
func (e *Engine) Gesture(g press.Gesture) { e.do(func() { e.gesture(g) }) }

// Record journals an event of another room: a link that went down, a row that
// was parked. It fills in the stamp.
func (e *Engine) Record(ev alert.Event) {
	ev.At = e.clock.Now()
	e.journal.Append(ev, nil)
}

// Recovered takes what the journal's file holds once a salvage has ended, or
// when the journal comes back from memory: alerts that were not known at start,
// and the presses that are on the disk now. It is told as a whole, because half
// of a history has alerts open that were cleared long ago.
func (e *Engine) Recovered(state alert.State, saved map[alert.Key]alert.Ref) {
	e.do(func() {
		e.state = e.state.Join(state)
		e.dirty = true
		for key, ref := range saved {
			if a, ok := state.Alert(key); ok && a.Last.Number >= e.saved[key].number {
				known := e.saved[key]
				e.saved[key] = savedPress{number: a.Last.Number, ref: ref, durable: true, sent: e.early[ref] || known.ref == ref && known.sent}
			}
		}
		e.receive()
	})
}

// do hands work to Run; after Run has ended it does nothing.
func (e *Engine) do(task func()) bool {
	select {
	case e.tasks <- task:
		return true
	case <-e.stopped:
		return false
	}
}

// append hands an event to the journal and notes how far its press has come
// when the journal answers.
func (e *Engine) append(ev alert.Event, then func(alert.Ref, error)) {
	e.journal.Append(ev, func(ref alert.Ref, err error) {
		e.do(func() {
			e.committed(ev, ref, err)
			if then != nil {
				then(ref, err)
			}
		})
	})
}

// act folds an event now and records it: the way of everything but a clear.
func (e *Engine) act(ev alert.Event) {
	e.state = e.state.Next(ev)
	e.dirty = true
	e.append(ev, nil)
}

// actThen is act for somebody who waits: answer is called when the journal has
// spoken.
func (e *Engine) actThen(ev alert.Event, answer func(error)) {
	e.state = e.state.Next(ev)
	e.dirty = true
	e.append(ev, func(ref alert.Ref, err error) { answer(verdict(ref, err)) })
}

func (e *Engine) committed(ev alert.Event, ref alert.Ref, err error) {
	if ref.Seq == 0 {
		e.log.Error("an event was not journalled", "type", ev.Type, "subject", ev.Subject, "error", err)
		return
	}
	if !isPress(ev) {
		return
	}
	key, _ := ev.Key()
	if ev.Number > e.saved[key].number {
		e.saved[key] = savedPress{number: ev.Number, ref: ref, durable: err == nil, sent: e.early[ref]}
		delete(e.early, ref)
		e.dirty = true
		e.receive()
	}
}

// isPress reports whether an event adds a press: a raise, or a hold that
// escalates.
func isPress(ev alert.Event) bool {
	return ev.Type == alert.Raised || ev.Type == alert.Escalated && ev.Gesture != ""
}

func newID() string {
	id, err := uuid.NewV7()
	if err != nil { // the kernel's random source failed: an alarm goes out all the same
		return fmt.Sprintf("unrandom-%d", time.Now().UnixNano())
	}
	return id.String()
}
