package web

import (
	"sync"
	"time"

	"nabat/gateway/alert"
)

// daytime tells at what time of day something was, as the clock has it now: a
// press of a machine that began in 1970 is shown in its right minute once the
// clock is synchronised. The zero daytime is ready; it may be used from any
// goroutine.
type daytime struct {
	mu sync.Mutex // guards start
	// start is when this boot began. It is kept while the clock does not jump,
	// so that the same moment is the same text every time.
	start time.Time
}

// daytimeSlack is how much the clock may differ before it counts as set.
const daytimeSlack = time.Second

// of returns the wall time of at, and whether it is certain.
func (d *daytime) of(now, at alert.Stamp) (wall time.Time, sure bool) {
	if !now.Synced || now.Boot != at.Boot {
		return at.Wall, at.Synced
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if start := now.Wall.Add(-now.Mono); start.Sub(d.start).Abs() > daytimeSlack {
		d.start = start
	}
	wall = d.start.Add(at.Mono)
	if at.Synced && wall.Sub(at.Wall).Abs() <= daytimeSlack {
		wall = at.Wall
	}
	return wall, true
}
