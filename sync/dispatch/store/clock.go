package store

import (
	"time"

	"nabat/gateway/alert"
)

// mergeAnchor joins what two processes learned about one boot: the earliest
// synchronised moment, and the lowest estimate.
const mergeAnchor = `ON CONFLICT (gateway, boot) DO UPDATE SET
	shift = CASE WHEN excluded.mono >= 0 AND (anchor.mono < 0 OR excluded.mono < anchor.mono) THEN excluded.shift ELSE anchor.shift END,
	mono = CASE WHEN excluded.mono >= 0 AND (anchor.mono < 0 OR excluded.mono < anchor.mono) THEN excluded.mono ELSE anchor.mono END,
	estimate = CASE WHEN excluded.estimate < anchor.estimate THEN excluded.estimate ELSE anchor.estimate END`

// moment returns when s was, as well as it is known now: what was learned of a
// boot later tells about its earlier events too.
func (r *anchorRow) moment(s alert.Stamp) Moment {
	switch {
	case s.Synced:
		return Moment{At: s.Wall}
	case s.Wall.IsZero() && s.Boot == "":
		return Moment{}
	case r != nil && r.known && r.mono >= 0:
		return Moment{At: fromMicros(r.shift + s.Mono.Microseconds()), Corrected: true}
	case r != nil && r.known && r.estimate != noEstimate:
		return Moment{At: fromMicros(r.estimate + s.Mono.Microseconds()), Corrected: true, Estimated: true}
	default:
		return Moment{At: s.Wall, Estimated: true}
	}
}

// pressed returns when the point was actuated, for an event that is a press.
func (r *anchorRow) pressed(e alert.Event) Moment {
	if e.PressedAt.IsZero() && e.PressedMono == 0 {
		return Moment{}
	}
	if e.PressedMono > 0 && e.At.Boot != "" {
		// The monotonic clock is exact; the wall clock may have stepped between
		// the press and the event.
		m := r.moment(e.At)
		m.At = m.At.Add(e.PressedMono - e.At.Mono)
		return m
	}
	return r.moment(alert.Stamp{Wall: e.PressedAt, Boot: e.At.Boot, Mono: e.At.Mono, Synced: e.At.Synced})
}

func late(stored time.Time, m Moment) bool {
	return !m.At.IsZero() && stored.Sub(m.At) > LateAfter
}
