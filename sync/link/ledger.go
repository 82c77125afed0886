package link

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"nabat/gateway/alert"
)

// Recorder writes an event down; the journal is one.
type Recorder interface {
	Append(e alert.Event, done func(alert.Ref, error))
}

// Ledger writes into the journal that a link went up or down: only what has
// lasted, and of a flapping link no more than the journal can bear. What is
// left out is counted in the next event. Its methods may be called from any
// goroutine.
type Ledger struct {
	name     string
	recorder Recorder
	now      func() alert.Stamp
	settle   time.Duration
	limit    *rate.Limiter
	news     chan struct{}

	mu      sync.Mutex // guards the fields below
	state   linkState
	detail  string
	since   time.Time
	changes uint64 // since the last event
}

type linkState uint8

const (
	linkUnknown linkState = iota
	linkUp
	linkDown
)

// NewLedger returns the ledger of the link called name. A state is recorded
// once it has lasted for settle. Without a recorder nothing is; without now
// events bear no time.
func NewLedger(name string, r Recorder, now func() alert.Stamp, settle time.Duration) *Ledger {
	return &Ledger{
		name: name, recorder: r, now: now, settle: settle, news: make(chan struct{}, 1),
		// Six at once, then 144 a day.
		limit: rate.NewLimiter(rate.Every(10*time.Minute), 6),
	}
}

// Set notes the state of now, and why. It never blocks.
func (l *Ledger) Set(up bool, detail string) {
	state := linkDown
	if up {
		state = linkUp
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detail = detail
	if l.state == state {
		return
	}
	l.state, l.since = state, time.Now()
	l.changes++
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// State reports whether the link is up and since when it is so; since is zero
// before the first Set.
func (l *Ledger) State() (up bool, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == linkUp, l.since
}

// Run records until ctx ends.
func (l *Ledger) Run(ctx context.Context) {
	if l.recorder == nil {
		return
	}
	recorded := linkUnknown
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.news:
		case <-timer.C:
		}
		l.mu.Lock()
		state, since, detail, changes := l.state, l.since, l.detail, l.changes
		l.mu.Unlock()
		if state == recorded {
			continue
		}
		if rest := l.settle - time.Since(since); rest > 0 {
			timer.Reset(rest)
			continue
		}
		r := l.limit.Reserve()
		if d := r.Delay(); d > 0 {
			r.Cancel()
			timer.Reset(d)
			continue
		}
		l.mu.Lock()
		l.changes -= changes
		l.mu.Unlock()
		recorded = state
		l.recorder.Append(l.event(state, since, detail, changes), nil)
	}
}

func (l *Ledger) event(state linkState, since time.Time, detail string, changes uint64) alert.Event {
	e := alert.Event{Type: alert.LinkUp, Subject: l.name, Detail: detail}
	if state == linkDown {
		e.Type = alert.LinkDown
	}
	if l.now != nil {
		e.At = l.now()
	}
	if changes > 1 {
		e.Count = changes
		e.Detail = fmt.Sprintf("%d changes since the last such event, this state for %v; %s",
			changes, time.Since(since).Round(time.Second), detail)
	}
	return e
}
