package scaletest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Crowd is many gateways. Its methods may be called from any goroutine.
type Crowd []*Gateway

// Run connects all gateways at once and delivers until ctx ends.
func (c Crowd) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(c))
	for i, g := range c {
		wg.Go(func() { errs[i] = g.Run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Events returns how many events the journals hold.
func (c Crowd) Events() (n int) {
	for _, g := range c {
		n += g.each
	}
	return n
}

// Delivered returns how many events the gateways have receipts for.
func (c Crowd) Delivered() (n int) {
	for _, g := range c {
		n += g.Delivered()
	}
	return n
}

// Behind names the first gateways that lack a receipt, how far each link has
// come in both lanes, and what the gateway says about itself.
func (c Crowd) Behind() string {
	var list []string
	for _, g := range c {
		if n := g.Delivered(); n < g.each && len(list) < named {
			text := fmt.Sprintf("%s: %d of %d", g, n, g.each)
			for _, l := range g.links {
				text += fmt.Sprintf(" (%d alarms, %d others)", l.alarm.Passed(), l.routine.Passed())
			}
			for _, c := range g.health.List() {
				text += ", " + c.Name + ": " + c.Detail
			}
			list = append(list, text)
		}
	}
	return strings.Join(list, "; ")
}

// named is how many gateways Behind names.
const named = 5

// Check returns what went wrong at any gateway.
func (c Crowd) Check() error {
	var errs []error
	for _, g := range c {
		errs = append(errs, g.Check())
	}
	return errors.Join(errs...)
}

// look is how often a state is looked at.
const look = 20 * time.Millisecond

// Await waits until so is true. It returns an error when ctx ends, and so's own.
func Await(ctx context.Context, what string, so func() (bool, error)) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		}
	}
}
