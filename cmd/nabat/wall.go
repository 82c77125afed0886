package main

import (
	"nabat/gateway/config"
	"nabat/hw/board"
	"nabat/hw/gpio"

	pin "periph.io/x/conn/v3/gpio"
)

// consumer is the name under which other programs see our GPIO lines.
const consumer = "nabat"

// wall is the hardware of a configuration, real or simulated.
type wall struct {
	inputs []board.Input
	lamps  []*board.Output
	sim    *simWall // nil on a real board
}

// newWall wires every button and lamp of the configuration. It opens nothing.
func newWall(c *config.Config) *wall {
	if c.Board == config.BoardSim {
		return newSimWall(c).wall()
	}
	w := &wall{}
	for _, in := range c.Inputs {
		b := board.Input{ID: in.Point, Wiring: wiring(in.Switch), Open: openInput(in.Switch)}
		if in.Tamper != nil {
			b.Tamper, b.TamperWiring = openInput(*in.Tamper), wiring(*in.Tamper)
		}
		w.inputs = append(w.inputs, b)
	}
	for _, out := range c.Outputs {
		id := lineID(out.Line)
		w.lamps = append(w.lamps, board.NewOutput(out.Point, out.ActiveLow, func(initial pin.Level) (board.OutputPin, error) {
			return gpio.OpenOutput(id, initial, consumer)
		}))
	}
	return w
}

func openInput(s config.Switch) func() (board.InputPin, error) {
	id, pull := lineID(s.Line), bias(s.Bias)
	return func() (board.InputPin, error) { return gpio.OpenInput(id, pull, consumer) }
}

func lineID(l config.Line) gpio.LineID { return gpio.LineID{Chip: l.Chip, Offset: int(l.Offset)} }

func wiring(s config.Switch) board.Wiring {
	return board.Wiring{ActiveLow: s.ActiveLow, NormallyClosed: s.Contact == config.NormallyClosed}
}

func bias(b config.Bias) pin.Pull {
	switch b {
	case config.BiasPullUp:
		return pin.PullUp
	case config.BiasPullDown:
		return pin.PullDown
	case config.BiasNone:
		return pin.Float
	case config.BiasAsIs:
		return pin.PullNoChange
	}
	return pin.PullNoChange
}
