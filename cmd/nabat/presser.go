package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/control"
)

// shortTap is how long a tap by command lasts.
const shortTap = 60 * time.Millisecond

// savedWithin is how long a press by command waits to be saved.
const savedWithin = 4 * time.Second

// errNotSaved says that a press by command is acted on, but not on disk yet.
var errNotSaved = errors.New("the gateway acts on the press, but has not saved it yet: look at `nabat status`")

// presser presses simulated buttons for the command line.
type presser struct{ gateway *gateway }

// Press returns when the button is released and the press is saved, so that
// whoever presses by command knows as much as the lamp tells.
func (p presser) Press(ctx context.Context, point string, hold time.Duration) error {
	g := p.gateway
	from := g.clock.Now().Mono
	err := g.wall.sim.Hold(ctx, point, max(hold, shortTap))
	if errors.Is(err, errNoPoint) {
		return errors.Join(control.ErrUnknownPoint, err)
	}
	if err != nil {
		return err
	}
	b, _ := g.config.Site.Button(point)
	action := b.Tap
	if action.Kind == "" {
		return nil // a tap of this button means nothing
	}
	ctx, cancel := context.WithTimeout(ctx, savedWithin)
	defer cancel()
	for {
		changed := g.engine.Changed()
		if savedSince(g.engine.View(), b.Place, action.Kind, from) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("press %s: %w", point, errNotSaved)
		}
	}
}

// savedSince reports whether a press at place of kind, made at or after from,
// is saved.
func savedSince(v *alert.View, place string, kind alert.Kind, from time.Duration) bool {
	for _, a := range v.State.Open() {
		if a.Key.Place == place && a.Kind == kind && a.Last.At.Mono >= from && v.Truth(a) >= alert.TruthSaved {
			return true
		}
	}
	return false
}
