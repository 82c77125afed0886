package board

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"nabat/hw/point"
)

// reporter sends the signals of one point in order, and makes one story of the
// faults that its contact and its tamper line may have at the same time:
// a fault is reported when it becomes the newest, Restored when none is left.
type reporter struct {
	id   string
	emit func(point.Signal)
	now  func() time.Duration
	log  *slog.Logger

	mu      sync.Mutex   // guards the fields below, and the order of emit
	faults  []fault      // oldest first, at most one for each source
	last    point.Signal // the last one about the contact
	again   bool         // a fault was reported since the contact was last introduced
	counted bool         // when that fault came, the contact was known to be active
}

type fault struct {
	source any // who reports it: a watcher or a sink
	fault  point.Fault
	detail string
}

// contact sends a signal about the contact itself.
//
// A fault makes whoever listens forget the contact until an Initial signal. The
// contact may be sound all the same (only the housing is open), and then a press
// must not be lost: what comes next introduces the contact again. A press that
// was known before the fault is not introduced a second time.
func (r *reporter) contact(sig point.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// An edge can reach us just after a reading that came after it.
	sig.At = max(sig.At, r.last.At)
	switch {
	case sig.Initial:
		r.again = false
	case r.again && !sig.Settled:
		before := point.Signal{Change: point.Inactive, At: sig.At, Initial: true}
		if sig.Change == point.Inactive {
			before.Change = point.Active
		}
		r.again = false
		r.emitLocked(before)
	case r.again && (sig.Change == point.Inactive || !r.counted):
		sig.Initial = true
		r.again = false
	}
	r.last = sig
	r.emitLocked(sig)
}

// unknown says that edges were lost after the last signal. If the contact
// seemed active then, that ends where it was last known to be: what is left of
// two presses must never look like one that nobody made.
func (r *reporter) unknown() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.Change == point.Active {
		r.last = point.Signal{Change: point.Inactive, At: r.last.At}
		r.emitLocked(r.last)
	}
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
	r.again, r.counted = true, r.last.Change == point.Active && r.last.Settled
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
