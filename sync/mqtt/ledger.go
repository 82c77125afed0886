package mqtt

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"nabat/gateway/alert"
)

// ledger writes into the journal that the link went up or down: only what has
// lasted, and of a flapping link no more than the journal can bear. What is
// left out is counted in the next event.
type ledger struct {
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

func newLedger(r Recorder, now func() alert.Stamp, settle time.Duration) *ledger {
	return &ledger{
		recorder: r, now: now, settle: settle, news: make(chan struct{}, 1),
		// Six at once, then 144 a day.
		limit: rate.NewLimiter(rate.Every(10*time.Minute), 6),
	}
}

// set notes the state of now. It never blocks.
func (l *ledger) set(up bool, detail string) {
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

// run records until ctx ends.
func (l *ledger) run(ctx context.Context) {
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

func (l *ledger) event(state linkState, since time.Time, detail string, changes uint64) alert.Event {
	e := alert.Event{Type: alert.LinkUp, Subject: "mqtt", Detail: detail}
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
