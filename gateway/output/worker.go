package output

import (
	"context"
	"fmt"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

// worker drives one lamp. Its own goroutine owns every field.
type worker struct {
	lamp   alert.Lamp
	driver Lamp
	site   *alert.Site
	source Source
	health *health.Registry
	pulse  *health.Pulse

	rhythm Rhythm
	begun  time.Time // when the rhythm began, or will begin
	told   bool      // the driver has been told a level
	on     bool      // the level last told
	since  time.Time // when on last changed
	last   time.Time // when the driver was last told
}

func (w *worker) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changed := w.source.Changed()
		wait := Reassert
		if view := w.source.View(); view != nil {
			wait = w.pass(Show(w.site, view, w.lamp))
		}
		w.pulse.Beat()
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			if w.told {
				w.set(false, time.Now())
			}
			return
		case <-changed:
		case <-timer.C:
		}
	}
}

// pass makes the lamp follow r and returns how long nothing has to be done.
func (w *worker) pass(r Rhythm) time.Duration {
	now := time.Now()
	if w.rhythm.Name != r.Name {
		w.rhythm, w.begun = r, now
		if free := w.since.Add(MinLevel); !w.on && free.After(now) {
			w.begun = free // its first flash starts when the lamp may flash again
		}
	}
	if early := w.begun.Sub(now); early > 0 {
		return early
	}
	on, left := r.At(now.Sub(w.begun))
	if w.told && on != w.on {
		if busy := MinLevel - now.Sub(w.since); busy > 0 {
			return busy
		}
	}
	if !w.told || on != w.on || now.Sub(w.last) >= Reassert {
		w.set(on, now)
	}
	wait := Reassert
	if left > 0 {
		wait = min(wait, left)
	}
	return wait
}

// set tells the driver, and the health registry what came of it. A lamp that
// did not follow is told again with the next level or after Reassert.
func (w *worker) set(on bool, now time.Time) {
	if !w.told || on != w.on {
		w.since = now
	}
	w.told, w.on, w.last = true, on, now
	name := "lamp-fault:" + w.lamp.ID
	if err := w.driver.Set(on); err != nil {
		w.health.Set(name, fmt.Sprintf("lamp %s does not follow: %v; check its line and its wire", w.lamp.ID, err))
		return
	}
	w.health.Clear(name)
}
