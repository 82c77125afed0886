package announce

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"nabat/hw/audio"
)

// call runs f, which must end when its context does, and waits until it returns:
// at most for limit, and no longer than until something is heard. The channel is
// closed when f has returned.
func (o *output) call(ctx context.Context, limit time.Duration, e ears, f func(context.Context) error) (<-chan struct{}, error) {
	c, cancel := context.WithTimeout(ctx, limit)
	returned := make(chan struct{})
	var err error // read after returned only
	o.calls.Go(func() {
		defer cancel() // after returned, so that an answer is never taken for a silence
		defer close(returned)
		err = contained(func() error { return f(c) })
	})
	over := func() error {
		select {
		case <-returned:
		default:
			return fmt.Errorf("%w within %v", errHung, limit)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%w within %v: %w", errHung, limit, err)
		}
		return err
	}
	select {
	case <-returned:
		return returned, over()
	case <-c.Done():
	case <-e.view:
		cancel()
		return returned, errHeard
	case <-e.bells:
		cancel()
		return returned, errHeard
	case <-e.voices:
		cancel()
		return returned, errHeard
	}
	if ctx.Err() != nil {
		return returned, ctx.Err()
	}
	return returned, over()
}

// contained calls a driver. What panics in it is an output that fails, and not the
// end of the gateway.
func contained(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its driver broke down: %v", p)
		}
	}()
	return f()
}

// shut falls silent and gives everything back, within two seconds whatever
// hangs. What hangs for longer is left to the end of the process.
func (o *output) shut() {
	wait := func(groups ...*sync.WaitGroup) bool {
		done := make(chan struct{})
		go func() {
			for _, g := range groups {
				g.Wait()
			}
			close(done)
		}()
		timer := time.NewTimer(closeLimit)
		defer timer.Stop()
		select {
		case <-done:
			return true
		case <-timer.C:
			return false
		}
	}
	if o.probe != nil {
		o.probe.cancel()
	}
	if o.stream != nil {
		o.abandon(nil)
	}
	wait(&o.calls)
	var closing sync.WaitGroup // its own: what is waited for must not grow
	for _, d := range []audio.Driver{o.speaker.Driver, o.speaker.Emergency} {
		if d != nil {
			closing.Go(func() {
				if err := contained(d.Close); err != nil {
					o.log.Warn("closing a loudspeaker failed", "err", err)
				}
			})
		}
	}
	if !wait(&closing, &o.calls) {
		o.log.Error("a loudspeaker did not let go; it is left behind")
	}
}
