package scaletest

import (
	"context"
	"errors"
	"fmt"
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
