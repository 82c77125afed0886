package board

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
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

// reporter sends the signals of one point in order, and makes one story of the
// faults that its contact and its tamper line may have at the same time:
// a fault is reported when it becomes the newest, Restored when none is left.
type reporter struct {
	id   string
	emit func(point.Signal)
	now  func() time.Duration
	log  *slog.Logger

	mu     sync.Mutex // guards faults, and the order of emit
	faults []fault    // oldest first, at most one for each source
}

type fault struct {
	source any // who reports it: a watcher or a sink
	fault  point.Fault
	detail string
}

func (r *reporter) signal(sig point.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emitLocked(sig)
}

func (r *reporter) emitLocked(sig point.Signal) {
	sig.Point = r.id
	r.emit(sig)
}

// fault says that source has a fault. Saying it again changes nothing.
func (r *reporter) fault(source any, f point.Fault, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, old := range r.faults {
		if old.source == source && old.fault == f {
			return
		}
	}
	before, had := r.newestLocked()
	r.removeLocked(source)
	r.faults = append(r.faults, fault{source: source, fault: f, detail: detail})
	r.log.LogAttrs(context.Background(), slog.LevelWarn, "point fault", slog.String("point", r.id), slog.String("fault", string(f)), slog.String("detail", detail))
	// A chip that goes takes the contact and its tamper line: that is one fault.
	if had && before.fault == f {
		return
	}
	r.faultedLocked(f, detail)
}

// ok says that source has no fault (any more). When none is left, the point is
// restored; otherwise the newest of the others is what is wrong with it now.
func (r *reporter) ok(source any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, had := r.newestLocked()
	r.removeLocked(source)
	after, has := r.newestLocked()
	switch {
	case !had:
	case !has:
		r.log.LogAttrs(context.Background(), slog.LevelInfo, "point restored", slog.String("point", r.id))
		r.emitLocked(point.Signal{Change: point.Restored, At: r.now()})
	case after.fault != before.fault:
		r.faultedLocked(after.fault, after.detail)
	}
}

func (r *reporter) faultedLocked(f point.Fault, detail string) {
	r.emitLocked(point.Signal{Change: point.Faulted, At: r.now(), Fault: f, Detail: detail})
}

func (r *reporter) newestLocked() (fault, bool) {
	if len(r.faults) == 0 {
		return fault{}, false
	}
	return r.faults[len(r.faults)-1], true
}

func (r *reporter) removeLocked(source any) {
	r.faults = slices.DeleteFunc(r.faults, func(f fault) bool { return f.source == source })
}
