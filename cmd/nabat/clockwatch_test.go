package main

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/config"
	"nabat/gateway/health"
)

// settable is a clock whose wall time a test sets; its monotonic time goes on
// as the bubble's does.
type settable struct {
	mu     sync.Mutex // guards all below
	begun  time.Time
	off    time.Duration
	synced bool
}

func (c *settable) Now() alert.Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	mono := time.Since(c.begun)
	return alert.Stamp{Wall: time.Unix(0, 0).UTC().Add(c.off + mono), Boot: "b1", Mono: mono, Synced: c.synced}
}

func (c *settable) set(by time.Duration, synced bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += by
	c.synced = synced
}

func TestClockIsToldWhenItBecomesTrueAndWhenItIsSet(t *testing.T) {
	const years = 365 * 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		clock := &settable{begun: time.Now()} // 1970, as a machine without a battery clock boots
		registry := &health.Registry{}
		var mu sync.Mutex
		var told []alert.Stamp
		w := clockWatch{now: clock.Now, health: registry, subject: "main", every: time.Second, record: func(e alert.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Type != alert.ClockSynchronised || e.Subject != "main" || e.Detail == "" {
				t.Errorf("recorded %+v", e)
			}
			told = append(told, clock.Now())
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.run(ctx) }()
		for _, c := range []struct {
			name   string
			by     time.Duration
			synced bool
			told   int
		}{
			{"boot at 1970", 0, false, 0},
			{"set by hand, by nobody's word", 40 * years, false, 0},
			{"synchronised", 16 * years, true, 1},
			{"nothing happens", 0, true, 1},
			{"slewed by less than anyone sees", 900 * time.Millisecond, true, 1},
			{"slewed on, together more than a second", 900 * time.Millisecond, true, 2},
			{"ten years on", 10 * years, true, 3},
			{"ten years back", -10 * years, true, 4},
			{"lost", 0, false, 4},
			{"found again", 0, true, 5},
		} {
			clock.set(c.by, c.synced)
			<-time.After(time.Minute)
			synctest.Wait()
			mu.Lock()
			if len(told) != c.told {
				t.Errorf("%s: told %d times, want %d", c.name, len(told), c.told)
			}
			mu.Unlock()
			doubt := slices.ContainsFunc(registry.List(), func(x health.Condition) bool { return x.Name == conditionClock })
			if doubt == c.synced {
				t.Errorf("%s: condition %v", c.name, doubt)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Displays show the time where screens do.
func TestDisplaysTrustABatteryClock(t *testing.T) {
	for _, battery := range []bool{true, false} {
		g := &gateway{config: &config.Config{Board: config.BoardGPIO}, battery: battery}
		if got := g.trusted(alert.Stamp{}).Synced; got != battery {
			t.Errorf("with a battery clock: %v, the time is shown: %v", battery, got)
		}
	}
}
