package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/gateway/press"
)

// shortTap is how long a tap by command lasts.
const shortTap = 60 * time.Millisecond

// savedWithin is how long a press by command waits to be saved.
const savedWithin = 4 * time.Second

var (
	// errNotHeard says that a press by command raised nothing.
	errNotHeard = errors.New("nothing was raised: look at `nabat status` for what is wrong with the button")
	// errNothing says that a button has nothing to do for a gesture.
	errNothing = errors.New("its configuration gives this gesture nothing to do")
	// errFaulty says that a button cannot be pressed because it does not work.
	errFaulty = errors.New("it does not work")
)

// presser presses simulated buttons for the command line.
type presser struct{ gateway *gateway }

// Press returns when the button is released and what the press asked for is
// saved, so that whoever presses by command knows as much as the lamp tells.
func (p presser) Press(ctx context.Context, point string, hold time.Duration) error {
	g := p.gateway
	b, known := g.config.Site.Button(point)
	if !known {
		return control.ErrUnknownPoint
	}
	action, gesture := b.Tap, alert.Tap
	if hold >= press.HoldAfter && b.Hold.Kind != "" {
		action, gesture = b.Hold, alert.Hold
	}
	if action.Kind == "" {
		return errNothing
	}
	if s := g.engine.View().Points[point]; s.Fault != "" && !s.Active {
		return fmt.Errorf("%w (%s: %s)", errFaulty, s.Fault, s.Detail)
	}
	from := g.clock.Now().Mono
	if err := g.wall.sim.Hold(ctx, point, max(hold, shortTap)); err != nil {
		return err
	}
	late := time.NewTimer(savedWithin)
	defer late.Stop()
	for {
		changed := g.engine.Changed()
		v := g.engine.View()
		last, heard := lastPress(v, b.Place, action.Kind, gesture, from)
		if heard && v.Proofs[last.Key] >= alert.TruthSaved {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			if heard {
				return control.ErrNotSaved
			}
			return errNotHeard
		}
	}
}

// lastPress returns the open alert of a place and kind whose last press was the
// given gesture, made at or after from.
func lastPress(v *alert.View, place string, kind alert.Kind, gesture alert.Gesture, from time.Duration) (alert.Alert, bool) {
	for _, a := range v.Open {
		if a.Key.Place == place && a.Kind == kind && a.Last.Gesture == gesture && a.Last.At.Mono >= from {
			return a, true
		}
	}
	return alert.Alert{}, false
}
