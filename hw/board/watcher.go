package board

import (
	"context"
	"errors"
	"os"
	"time"

	"periph.io/x/conn/v3/gpio"

	"nabat/hw/point"
)

const (
	// settle is how long a line has to be quiet before its level counts as read.
	settle = 10 * time.Millisecond
	// reread is how often a quiet line is read again: a line that changed
	// without an edge is found out within that time.
	reread = time.Second

	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// sink is told what a watcher sees of one pin. All calls come from the
// watcher's goroutine.
type sink interface {
	// opened: the pin was opened and read; nothing is known of the time before.
	opened(gpio.Level, time.Duration)
	edge(point.Edge)
	// settled: no edge was waiting when the level was read.
	settled(gpio.Level, time.Duration)
	// lost: the pin failed and will be opened anew.
	lost()
}

// watcher keeps one pin open and reads it. Its fields belong to run.
type watcher struct {
	open   func() (InputPin, error)
	now    func() time.Duration
	name   string // of the line within the point; empty for the contact itself
	report *reporter
	sink   sink
}

// run opens the pin, watches it until it fails, and starts over, until ctx ends.
func (w *watcher) run(ctx context.Context) {
	backoff := firstBackoff
	for ctx.Err() == nil {
		began := w.now()
		err := w.session(ctx)
		if ctx.Err() != nil {
			return
		}
		w.report.fault(w, FaultOf(err), w.detail(err))
		w.sink.lost()
		// A pin that opens and dies at once, over and over, must not count as
		// healthy: only one that lived for a while starts the back-off anew.
		if w.now()-began > maxBackoff {
			backoff = firstBackoff
		}
		timer := time.NewTimer(backoff)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

func (w *watcher) detail(err error) string {
	if w.name == "" {
		return err.Error()
	}
	return w.name + ": " + err.Error()
}

// session is the life of one open pin. It returns why the pin is unusable.
func (w *watcher) session(ctx context.Context) (err error) {
	pin, err := w.open()
	if err != nil {
		return err
	}
	halted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(halted)
		// Halt only wakes the wait below; what it returns changes nothing.
		_ = pin.Halt()
	})
	defer func() {
		if !stop() {
			<-halted
		}
		// The pin is given up in any case.
		_ = pin.Close()
	}()
	level, at, err := w.first(pin)
	if err != nil {
		return err
	}
	w.report.ok(w)
	w.sink.opened(level, at)
	return w.watch(pin, level)
}

// first reads the level for the first time. Edges that wait already belong to
// the time before it, in which nothing is known.
func (w *watcher) first(pin InputPin) (level gpio.Level, at time.Duration, err error) {
	// A contact that bounces just now gets a few tries; its edges follow anyway.
	for range 16 {
		at = w.now()
		if level, err = pin.Level(); err != nil {
			return level, at, err
		}
		e, err := pin.NextEdge(0)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return level, at, nil
		case err != nil:
			return level, at, err
		}
		// The edge is newer than the reading, and nobody will tell it again.
		level, at = e.Level, e.At
	}
	return level, at, nil
}

// watch reports edges and settled readings until the pin fails.
func (w *watcher) watch(pin InputPin, known gpio.Level) error {
	pause := reread
	doubted := false
	for {
		var at time.Duration
		var level gpio.Level
		e, err := pin.NextEdge(pause)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			at = w.now()
			if level, err = pin.Level(); err != nil {
				return err
			}
			// An edge that came during the read makes the reading worthless.
			e, err = pin.NextEdge(0)
		}
		switch {
		case err == nil:
			known, doubted = e.Level, false
			w.sink.edge(e)
			pause = settle
			continue
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		// The kernel hands out an edge a moment after the level has changed. A
		// level without its edge gets that moment; then the edge was missed.
		if level != known && !doubted {
			doubted = true
			pause = settle
			continue
		}
		known, doubted = level, false
		w.sink.settled(level, at)
		pause = reread
	}
}
