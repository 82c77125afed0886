// Package output makes the lamps on the wall match the open alerts, and keeps
// on saying so every few seconds.
//
// A lamp follows the state of this moment, never the history, so that a start
// replays nothing. Until the state is loaded a lamp is left alone. One broken
// or hanging lamp does not hold up another.
package output

import (
	"context"
	"fmt"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

// Reassert is how often a lamp is told its level again, in case that something
// else has changed it (a power dip in an expander, a loose connector).
const Reassert = 2 * time.Second

// pulseAge is after how long without a finished pass a lamp is held for
// hanging in its driver.
const pulseAge = 10 * time.Second

// Lamp is one lamp on the wall. Set switches it and returns an error when the
// lamp may not have followed. It is called by one goroutine and should return
// within milliseconds; one that does not return stops the lamp's pulse, and
// with it the watchdog, because a kernel call that hangs is beyond repair from
// inside.
type Lamp interface {
	Set(on bool) error
}

// Source tells the state of this moment. View is nil until it is loaded.
// Changed returns a channel that is closed at the next change: take it first,
// then View, and no change is missed.
type Source interface {
	View() *alert.View
	Changed() <-chan struct{}
}

// Lamps is the job that drives all lamps of a site.
type Lamps struct {
	site   *alert.Site
	source Source
	health *health.Registry
	lamps  map[string]Lamp
}

// NewLamps makes the job; lamps holds a driver for each lamp of the site, by
// id. health may be nil.
func NewLamps(site *alert.Site, source Source, health *health.Registry, lamps map[string]Lamp) (*Lamps, error) {
	for _, l := range site.Lamps {
		if lamps[l.ID] == nil {
			return nil, fmt.Errorf("lamp %q has no driver: give it a line or remove it from the site", l.ID)
		}
	}
	return &Lamps{site: site, source: source, health: health, lamps: lamps}, nil
}

// Run drives the lamps until ctx ends, and then switches them off: a lamp that
// froze in the middle of a blink would tell a comfortable lie. It is an
// essential job. Every lamp has a pulse, "lamp:ID", which beats after each pass
// whether or not the driver reported an error; the errors are the condition
// "lamp-fault:ID". Run returns when all drivers have returned.
//
// After a kill the lines keep what the kernel gives them: most boards drop an
// output line to its idle level when its owner ends.
func (l *Lamps) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, lamp := range l.site.Lamps {
		w := &worker{
			lamp: lamp, driver: l.lamps[lamp.ID], site: l.site, source: l.source, health: l.health,
			pulse: l.health.Pulse("lamp:"+lamp.ID, pulseAge),
		}
		wg.Go(func() { w.run(ctx) })
	}
	wg.Wait()
	<-ctx.Done() // a site without lamps is no reason to end
	return nil
}

// Show returns the rhythm of a lamp: the worst truth among the open alerts at
// its place whose plan has lamps. Beside a real alert a drill is not shown: who
// waits there wants to know of their own call only.
func Show(site *alert.Site, view *alert.View, lamp alert.Lamp) Rhythm {
	worst, lit, earnest := alert.TruthAccepted, false, false
	for _, a := range view.Open {
		if a.Key.Place != lamp.Place || !site.Plan(a.Kind, a.Level()).Lamps {
			continue
		}
		switch real := a.Status() == alert.Actual; {
		case real && !earnest:
			worst, earnest = alert.TruthAccepted, true
		case !real && earnest:
			continue
		}
		t := view.Truth(a)
		if t > alert.TruthAccepted {
			t = alert.TruthRaised // an unknown word must not promise anything
		}
		worst, lit = min(worst, t), true
	}
	if !lit {
		return Dark()
	}
	return RhythmOf(worst)
}
