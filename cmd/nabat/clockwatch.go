package main

import (
	"context"
	"time"
)

// conditionClock holds while the wall clock cannot be trusted.
const conditionClock = "clock-unsynchronised"

// watchClock keeps the condition about the wall clock true.
func (g *gateway) watchClock(ctx context.Context) error {
	const every = 10 * time.Second
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if g.clock.Now().Synced {
			g.health.Clear(conditionClock)
		} else {
			g.health.Set(conditionClock, "the kernel does not hold its clock for synchronised: check the network and the time service (timedatectl). Events say so and keep their order")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
