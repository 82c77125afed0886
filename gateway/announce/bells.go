package announce

import (
	"cmp"
	"context"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/timetable"
)

// MaxLate is how late a bell may begin. One that is later is dropped: a bell at
// the wrong time is worse than none.
const MaxLate = 30 * time.Second

// bells watches the wall clock for what the timetable has due. Only bells do:
// nothing about an emergency asks what time it is.
type bells struct {
	clock  Clock
	table  func() timetable.Table
	zone   *time.Location
	health *health.Registry

	// owned by run
	last  time.Time            // up to when the timetable was looked at; zero while the clock is not believed
	seen  time.Time            // the wall clock at the look before
	back  bool                 // it was set back, and nobody has confirmed it since
	known map[string]time.Time // entries that rang, by id, with the time at which they were due

	mu      sync.Mutex // guards the fields below
	ringing []Routine
	changed chan struct{}
}

func newBells(o Options) *bells {
	b := &bells{clock: o.Clock, table: o.Timetable, zone: cmp.Or(o.Location, time.Local), health: o.Health, known: make(map[string]time.Time), changed: make(chan struct{})}
	if b.table == nil {
		b.table = func() timetable.Table { return timetable.Table{} }
	}
	return b
}

// run looks at the beginning of each second. What was due before it began, or
// while the machine slept, stays unsaid.
func (b *bells) run(ctx context.Context) {
	b.last, b.seen = time.Time{}, time.Time{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := b.clock.Now()
		b.look(now)
		timer.Reset(time.Second - time.Duration(now.Wall.Nanosecond()))
	}
}

func (b *bells) look(now alert.Stamp) {
	table := b.table()
	if !b.believes(now) {
		b.last = time.Time{}
		if len(table.Rules)+len(table.Dated) > 0 {
			b.health.Set("bells-clock", "the clock is not believable, so no bells ring; emergencies are said all the same; check the time server, or set the clock; if it was set by hand and is right now, restart the gateway")
		}
		return
	}
	b.health.Clear("bells-clock")
	from, until := b.last, now.Wall.Add(time.Millisecond) // what is due at this moment is due
	b.last = until
	if from.IsZero() {
		return
	}
	if oldest := now.Wall.Add(-MaxLate); from.Before(oldest) {
		from = oldest
	}
	for _, e := range table.Between(from.In(b.zone), until) {
		if _, rang := b.known[e.ID]; rang || table.Silent(e.At) {
			continue
		}
		b.known[e.ID] = e.At
		b.ring(Routine{Entry: e, Rang: now})
	}
	for id, at := range b.known {
		if now.Wall.Sub(at) > 48*time.Hour {
			delete(b.known, id)
		}
	}
}

// believes reports whether bells may ring by this clock: one that the kernel
// holds for synchronised, or one that shows a time after this program was
// written and has not been set back.
func (b *bells) believes(now alert.Stamp) bool {
	if !b.seen.IsZero() && now.Wall.Before(b.seen.Add(-time.Second)) {
		b.back = true
	}
	b.seen = now.Wall
	if now.Synced {
		b.back = false
	}
	return now.Synced || now.Wall.Year() >= 2025 && !b.back
}

func (b *bells) ring(r Routine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []Routine{r}
	for _, old := range b.ringing {
		if fresh(old, r.Rang) {
			list = append(list, old)
		}
	}
	b.ringing = list
	close(b.changed)
	b.changed = make(chan struct{})
}

// due returns the entries that may begin now.
func (b *bells) due(now alert.Stamp) []Routine {
	b.mu.Lock()
	list := b.ringing // never changed, only replaced
	b.mu.Unlock()
	var out []Routine
	for _, r := range list {
		if fresh(r, now) {
			out = append(out, r)
		}
	}
	return out
}

func (b *bells) changes() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// fresh reports whether an entry may still begin, by the clock that runs on
// through a setting of the time and by the one that runs on through sleep.
func fresh(r Routine, now alert.Stamp) bool {
	return now.Since(r.Rang) <= MaxLate && now.Wall.Sub(r.At) <= MaxLate
}
