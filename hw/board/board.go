// Package board turns the pins of a wall into point signals, and keeps lamps
// reachable: it opens, watches, reads and reopens them.
//
// The same code runs over real pins (hw/gpio) and simulated ones (hw/sim). What
// goes wrong with a pin becomes a named fault, once, and never a press; a lost
// pin is tried again with back-off until it is back.
package board

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"nabat/hw/point"
)

// InputPin is an input that can be given back.
type InputPin interface {
	point.InputPin
	io.Closer
}

// Wiring says how a contact hangs on its line. The zero Wiring is a
// normally-open contact that pulls the line high when it closes.
type Wiring struct {
	// ActiveLow: a closed contact pulls the line low (a button to ground with
	// a pull-up), rather than high.
	ActiveLow bool
	// NormallyClosed: the contact is closed at rest and opens when actuated.
	NormallyClosed bool
}

// Active says whether a contact on this wiring is actuated at that level.
func (w Wiring) Active(level gpio.Level) bool { return level != w.Rest() }

// Rest returns the level of the line while nobody touches the contact.
func (w Wiring) Rest() gpio.Level { return gpio.Level(w.ActiveLow != w.NormallyClosed) }

// Input is one supervised contact.
type Input struct {
	// ID is the point's id in its signals.
	ID     string
	Wiring Wiring
	// Open requests the pin. It is called again after the pin was lost; it
	// fails with the error that says why (see FaultOf).
	Open func() (InputPin, error)
	// Tamper requests the line of the housing's tamper contact; nil: none.
	Tamper       func() (InputPin, error)
	TamperWiring Wiring
}

// Options are what a Board may be given; the zero Options are ready to use.
type Options struct {
	// Now is the clock of the pins' edges; nil is CLOCK_MONOTONIC.
	Now func() time.Duration
	// Log gets one line for each fault and its end; nil is silence.
	Log *slog.Logger
}

// Board watches inputs. Make it with New.
type Board struct {
	inputs []Input
	emit   func(point.Signal)
	now    func() time.Duration
	log    *slog.Logger
}

// New checks the inputs and starts nothing.
//
// An open housing is a fault of its point, but its presses go on being
// reported: the child comes first.
//
// emit gets every signal. For one point the calls come one after the other and
// in order; for different points they come at the same time. It must not block:
// while it does, edges of that point wait in the kernel, which keeps 1024.
func New(inputs []Input, emit func(point.Signal), o Options) (*Board, error) {
	seen := make(map[string]bool)
	for _, in := range inputs {
		switch {
		case in.ID == "" || in.Open == nil:
			return nil, fmt.Errorf("input %q: an id and a pin are needed", in.ID)
		case seen[in.ID]:
			return nil, fmt.Errorf("input %q is there twice: give each button an id of its own", in.ID)
		}
		seen[in.ID] = true
	}
	if emit == nil {
		return nil, errors.New("board: nobody takes the signals")
	}
	b := &Board{inputs: inputs, emit: emit, now: o.Now, log: o.Log}
	if b.now == nil {
		b.now = point.Monotonic
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	return b, nil
}

// Run watches all inputs until ctx ends, gives the pins back and returns nil.
// Nothing that a pin does ends it.
func (b *Board) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, in := range b.inputs {
		r := &reporter{id: in.ID, emit: b.emit, now: b.now, log: b.log}
		button := &watcher{open: in.Open, now: b.now, name: "", report: r, sink: &buttonSink{wiring: in.Wiring, report: r}}
		wg.Go(func() { button.run(ctx) })
		if in.Tamper == nil {
			continue
		}
		tamper := &watcher{open: in.Tamper, now: b.now, name: "tamper line", report: r, sink: &tamperSink{wiring: in.TamperWiring, report: r}}
		wg.Go(func() { tamper.run(ctx) })
	}
	wg.Wait()
	return nil
}
