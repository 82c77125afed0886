package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// world is everything that one scenario runs: a broker, a dispatch, gateways,
// and the networks between them. Whatever was started ends with it. It is used
// by one goroutine.
type world struct {
	dir      string
	programs programs
	// short asks for small numbers.
	short bool
	// patience is how long something may take to come.
	patience time.Duration
	story    []string
	tally    tally
	ends     []func() error
	told     []func() string
}

// did tells what was done, for the table.
func (w *world) did(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

// times returns a large number, or a small one in the short form.
func (w *world) times(large, small int) int {
	if w.short {
		return small
	}
	return large
}

// atEnd runs f when the world ends, the last first.
func (w *world) atEnd(f func() error) { w.ends = append(w.ends, f) }

func (w *world) end() (err error) {
	for i := len(w.ends) - 1; i >= 0; i-- {
		err = errors.Join(err, w.ends[i]())
	}
	w.ends = nil
	return err
}

// hints are the last words of the programs, for whoever looks for the cause of
// a failure.
func (w *world) hints() string {
	var b strings.Builder
	for _, f := range w.told {
		if s := strings.TrimSpace(f()); s != "" {
			fmt.Fprintln(&b, s)
		}
	}
	return strings.TrimSpace(b.String())
}

// errWrong marks what will not come right by waiting.
var errWrong = errors.New("it must not be")

// until waits until something is so, or wrong for good. What it waits for comes
// within seconds on a healthy machine; the world's patience is for a machine
// that is busy with other work.
func (w *world) until(ctx context.Context, what string, so func() (bool, error)) error {
	return w.untilWithin(ctx, w.patience, what, so)
}

func (w *world) untilWithin(ctx context.Context, within time.Duration, what string, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := so()
		switch {
		case ok:
			return nil
		case errors.Is(err, errWrong):
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err != nil {
				return fmt.Errorf("this did not come: %s: %w", what, err)
			}
			return fmt.Errorf("this did not come: %s", what)
		}
	}
}

// pause lets time pass in which nothing can be observed, because what is tested
// is that nothing happens.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
