// Package press turns the signals of wall buttons into gestures: tap, hold,
// released, and the faults of a contact.
//
// A press of 30 ms and more, 30 ms apart from the one before, is always one
// Tap; a bounce of less than 10 ms never is one. How late or how bunched the
// signals arrive changes nothing, because all time is in the signals.
package press

import (
	"context"
	"errors"

	"nabat/hw/point"
)

// ErrEnded is returned by Run when the source of signals has gone away.
var ErrEnded = errors.New("no more signals from the wall: their source has ended")

// Run hands the gestures of all points to emit until ctx ends (nil) or signals
// is closed (ErrEnded). emit is called from this goroutine, one gesture at a
// time, in the order of the signals; it must not block for long, or the wall
// waits.
func Run(ctx context.Context, signals <-chan point.Signal, emit func(Gesture)) error {
	machines := make(map[string]*Machine)
	for {
		select {
		case <-ctx.Done():
			return nil
		case s, ok := <-signals:
			if !ok {
				return ErrEnded
			}
			m := machines[s.Point]
			if m == nil {
				m = new(Machine)
				machines[s.Point] = m
			}
			for _, g := range m.Next(s) {
				emit(g)
			}
		}
	}
}
