package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pin "periph.io/x/conn/v3/gpio"

	"nabat/gateway/config"
	"nabat/gateway/web"
	"nabat/hw/board"
	"nabat/hw/sim"
)

// errNoPoint is wrapped by errors about points that are not on the wall.
var errNoPoint = errors.New("not on this wall")

// simWall is a simulated wall. Every point hangs on a chip of its own, so that
// one can be unplugged without the others. Its methods may be called from any
// goroutine.
type simWall struct {
	order   []string
	buttons map[string]*simPoint
	lamps   map[string]*simPoint

	mu      sync.Mutex // guards changed
	changed chan struct{}
}

type simPoint struct {
	chip   *sim.Board
	line   *sim.Line
	tamper *sim.Line // nil without one
	wiring board.Wiring
	input  board.Input
	output *board.Output
	lowOn  bool // the lamp lights on a low level
}

func newSimWall(c *config.Config) *simWall {
	w := &simWall{buttons: make(map[string]*simPoint), lamps: make(map[string]*simPoint)}
	for _, in := range c.Inputs {
		p := &simPoint{chip: sim.New(nil), wiring: wiring(in.Switch)}
		p.line = p.chip.Wire(in.Point, p.wiring.Rest())
		p.tamper = p.chip.Wire(in.Point+"-tamper", pin.Low)
		p.input = board.Input{
			ID: in.Point, Wiring: p.wiring,
			Open:   func() (board.InputPin, error) { return p.line.OpenInput() },
			Tamper: func() (board.InputPin, error) { return p.tamper.OpenInput() },
		}
		w.order = append(w.order, in.Point)
		w.buttons[in.Point] = p
	}
	for _, out := range c.Outputs {
		p := &simPoint{chip: sim.New(nil), lowOn: out.ActiveLow}
		p.line = p.chip.Line(out.Point)
		p.output = board.NewOutput(out.Point, out.ActiveLow, func(initial pin.Level) (board.OutputPin, error) {
			return p.line.OpenOutput(initial)
		})
		w.order = append(w.order, out.Point)
		w.lamps[out.Point] = p
	}
	return w
}

// wall returns what the gateway sees of the simulation.
func (w *simWall) wall() *wall {
	seen := &wall{sim: w}
	for _, id := range w.order {
		if p, ok := w.buttons[id]; ok {
			seen.inputs = append(seen.inputs, p.input)
		}
		if p, ok := w.lamps[id]; ok {
			seen.lamps = append(seen.lamps, p.output)
		}
	}
	return seen
}

// Run tells everyone who waits on Changed about changes of any chip, until ctx
// ends.
func (w *simWall) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, id := range w.order {
		chip := w.point(id).chip
		wg.Go(func() {
			for {
				changed := chip.Changed()
				select {
				case <-changed:
					w.wake()
				case <-ctx.Done():
					return
				}
			}
		})
	}
	wg.Wait()
	return nil
}

func (w *simWall) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// Changed returns a channel that is closed at the next change of Points.
func (w *simWall) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.changed
}

// Points returns what every button and lamp does now.
func (w *simWall) Points() []web.WallPoint {
	points := make([]web.WallPoint, 0, len(w.order))
	for _, id := range w.order {
		p := w.point(id)
		state := web.WallPoint{ID: id, Unplugged: !p.chip.Present()}
		if p.output != nil {
			s := p.line.State()
			state.On = s.Output && bool(s.Level) != p.lowOn
		} else {
			state.On, state.Tampered = p.line.State().Pressed, p.tamper.State().Pressed
		}
		points = append(points, state)
	}
	return points
}

func (w *simWall) point(id string) *simPoint {
	if p, ok := w.buttons[id]; ok {
		return p
	}
	return w.lamps[id]
}

func (w *simWall) button(id string) (*simPoint, error) {
	p, ok := w.buttons[id]
	if !ok {
		return nil, fmt.Errorf("button %q: %w", id, errNoPoint)
	}
	return p, nil
}

// Press closes the button's contact until Release.
func (w *simWall) Press(id string) error {
	p, err := w.button(id)
	if err == nil {
		p.line.Press()
	}
	return err
}

// Release lets the button go.
func (w *simWall) Release(id string) error {
	p, err := w.button(id)
	if err == nil {
		p.line.Release()
	}
	return err
}

// apart is how long a button rests after Hold: a press that follows at once
// would be taken for a bounce of this one.
const apart = 40 * time.Millisecond

// Hold presses the button for d, lets go and leaves it at rest for a moment.
// When ctx ends it lets go at once and returns ctx's error.
func (w *simWall) Hold(ctx context.Context, id string, d time.Duration) error {
	if err := w.Press(id); err != nil {
		return err
	}
	wait(ctx, d)
	if err := w.Release(id); err != nil {
		return err
	}
	wait(ctx, apart)
	return ctx.Err()
}

// wait returns after d or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Tamper opens or closes a button's housing.
func (w *simWall) Tamper(id string, open bool) error {
	p, err := w.button(id)
	if err != nil {
		return err
	}
	if open {
		p.tamper.Press()
	} else {
		p.tamper.Release()
	}
	return nil
}

// Unplug cuts or mends the cable of a button or lamp.
func (w *simWall) Unplug(id string, out bool) error {
	p := w.point(id)
	if p == nil {
		return fmt.Errorf("point %q: %w", id, errNoPoint)
	}
	if out {
		p.chip.Remove()
	} else {
		p.chip.Insert()
	}
	return nil
}
