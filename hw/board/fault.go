package board

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"nabat/hw/point"
)

// FaultOf names the fault behind an error of opening or using a pin.
func FaultOf(err error) point.Fault {
	switch {
	case errors.Is(err, unix.EBUSY):
		return point.FaultBusy
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, os.ErrNotExist):
		return point.FaultLost
	}
	return point.FaultReadError
}

// A gap that happens once is a busy moment; one that goes on is a fault.
const (
	gapSustained = time.Second
	gapQuiet     = 10 * time.Second
)

// gapFault decides when lost edges are a fault. It is pure: time is in the call.
type gapFault struct {
	seen        bool
	faulted     bool
	first, last time.Duration
}

// lost notes a gap and says whether gaps have become a fault.
func (g *gapFault) lost(at time.Duration) bool {
	if !g.seen || at-g.last > gapQuiet {
		g.first = at
	}
	g.seen, g.last = true, at
	g.faulted = g.faulted || at-g.first >= gapSustained
	return g.faulted
}

// over says, once, that the fault has ended.
func (g *gapFault) over(at time.Duration) bool {
	if !g.faulted || at-g.last <= gapQuiet {
		return false
	}
	*g = gapFault{}
	return true
}
