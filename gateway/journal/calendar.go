package journal

import (
	"time"

	"nabat/gateway/alert"
)

const (
	// calendarTrust is how long a wall clock must have gone on without a jump
	// before rows of earlier boots are deleted by it: long enough for a time
	// service to correct what a bad source has said, short enough for a gateway
	// that is switched off every night.
	calendarTrust = time.Hour
	// calendarJump is the smallest correction that begins that time anew.
	calendarJump = time.Hour
)

// calendar says how old rows are without believing a clock that has just been
// set by years. The writer owns it; the zero calendar has seen nothing.
type calendar struct {
	seen  bool
	start time.Time     // the wall time at the boot's beginning, as the clock had it last
	since time.Duration // on the monotonic clock: from then on it has not jumped
}

// look notes what the clock says now.
func (c *calendar) look(now alert.Stamp) {
	start := now.Wall.Add(-now.Mono)
	if c.seen && start.Sub(c.start).Abs() <= calendarJump {
		return // a slow clock is no jump, and a slow drift none either as long as start stays
	}
	c.seen, c.start, c.since = true, start, now.Mono
}

// age returns how old a row is at least. Within one boot that is certain; of
// an earlier boot only the wall clock knows, once it can be believed.
func (c *calendar) age(now, at alert.Stamp) time.Duration {
	if now.Boot != at.Boot && now.Mono-c.since < calendarTrust {
		return min(now.Since(at), max(now.Mono, 0))
	}
	return now.Since(at)
}
