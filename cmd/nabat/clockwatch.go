package main

import (
	"context"
	"fmt"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

// conditionClock holds while the wall clock cannot be trusted.
const conditionClock = "clock-unsynchronised"

// clockStep is the smallest correction of a synchronised clock that is told to
// the far end, which corrects the times of earlier events by it.
const clockStep = time.Second

// clockWatch keeps the condition about the wall clock true, and records when
// the clock became synchronised or was set. The event's own stamp (boot id,
// monotonic and wall time) is what turns the monotonic times of all earlier
// events of the same boot into times of day.
type clockWatch struct {
	now    func() alert.Stamp
	record func(alert.Event)
	health *health.Registry
	// subject names the gateway in the events.
	subject string
	every   time.Duration
}

func (g *gateway) watchClock(ctx context.Context) error {
	tell := func(e alert.Event) {
		g.engine.Record(e)
		g.refreshLinks() // dispatch may have commands that waited for this
	}
	w := clockWatch{now: g.clock.Now, record: tell, health: g.health, subject: g.config.Site.Gateway, every: time.Second}
	return w.run(ctx)
}

func (w clockWatch) run(ctx context.Context) error {
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	var told alert.Stamp // the last synchronised stamp that the far end knows
	for {
		now := w.now()
		if why := news(told, now); why != "" {
			w.record(alert.Event{Type: alert.ClockSynchronised, Subject: w.subject, Detail: why})
			told = now
		}
		if now.Synced {
			w.health.Clear(conditionClock)
		} else {
			w.health.Set(conditionClock, "the kernel does not hold its clock for synchronised: check the network and the time service (timedatectl). Events say so and keep their order")
			told.Synced = false
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// news says what the far end has to be told about the clock, nothing if it
// knows already: that the clock is synchronised, also right after the start,
// because an earlier run of this boot may not have known; or that it was set
// since told. A clock that drifts is told once the drift sums up.
func news(told, now alert.Stamp) string {
	if !now.Synced {
		return ""
	}
	if !told.Synced {
		return "the clock is synchronised"
	}
	by := now.Wall.Sub(told.Wall) - (now.Mono - told.Mono)
	if by.Abs() <= clockStep {
		return ""
	}
	return fmt.Sprintf("the clock was set by %v", by.Round(time.Millisecond))
}
