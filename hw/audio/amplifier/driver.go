package amplifier

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"nabat/hw/audio"
)

// Driver returns d with this amplifier keyed around each of its streams. Closing
// it closes d, not the amplifier.
func (a *Amplifier) Driver(d audio.Driver) audio.Driver { return &driver{amplifier: a, under: d} }

type driver struct {
	amplifier *Amplifier
	under     audio.Driver
	fails     atomic.Bool // the loudspeaker did not work when it was used last
}

// Open keys the relay and opens the loudspeaker meanwhile, so that the longer of
// the two is waited for, not both. A loudspeaker that did not work, also in the
// midst of a sound, is opened first: or the relay would click with every attempt.
// A relay that is keyed yet stays so.
func (d *driver) Open(ctx context.Context) (audio.Stream, error) {
	if d.fails.Load() && !d.amplifier.isKeyed() {
		return d.cautious(ctx)
	}
	keyed := make(chan error, 1)
	leading, stop := context.WithCancel(ctx)
	defer stop()
	go func() { keyed <- d.amplifier.key(leading) }()
	under, err := d.under.Open(ctx)
	if err != nil {
		stop()
	}
	lead := <-keyed
	switch {
	case err != nil:
		d.fails.Store(true)
		d.amplifier.unkey(true)
		return nil, err
	case lead != nil:
		d.amplifier.unkey(true)
		return nil, errors.Join(lead, under.Close())
	}
	d.fails.Store(false)
	return &stream{Stream: under, driver: d}, nil
}

// cautious opens the loudspeaker before it keys the relay.
func (d *driver) cautious(ctx context.Context) (audio.Stream, error) {
	under, err := d.under.Open(ctx)
	if err != nil {
		return nil, err
	}
	d.fails.Store(false)
	if err := d.amplifier.key(ctx); err != nil {
		d.amplifier.unkey(true)
		return nil, errors.Join(err, under.Close())
	}
	return &stream{Stream: under, driver: d}, nil
}

// Check implements audio.Driver: the loudspeaker works, and the relay follows.
func (d *driver) Check(ctx context.Context) error {
	err := d.under.Check(ctx)
	if err == nil || ctx.Err() == nil { // a look that was broken off says nothing
		d.fails.Store(err != nil)
	}
	return errors.Join(err, d.amplifier.check())
}

// Close implements audio.Driver.
func (d *driver) Close() error { return d.under.Close() }

type stream struct {
	audio.Stream
	driver *driver
	once   sync.Once
	closed atomic.Bool
}

// Write implements audio.Stream.
func (s *stream) Write(ctx context.Context, samples []int16) error {
	return s.noted(ctx, s.Stream.Write(ctx, samples))
}

// Flush implements audio.Stream.
func (s *stream) Flush() error { return s.noted(context.Background(), s.Stream.Flush()) }

// Drain implements audio.Stream.
func (s *stream) Drain(ctx context.Context) error { return s.noted(ctx, s.Stream.Drain(ctx)) }

// noted remembers that the loudspeaker does not work, for the next Open; a
// stream that was closed or given up meanwhile says nothing of it.
func (s *stream) noted(ctx context.Context, err error) error {
	if err != nil && !s.closed.Load() && !errors.Is(ctx.Err(), context.Canceled) {
		s.driver.fails.Store(true)
	}
	return err
}

// Close implements audio.Stream.
func (s *stream) Close() error {
	s.closed.Store(true)
	err := s.Stream.Close()
	s.once.Do(func() { s.driver.amplifier.unkey(false) })
	return err
}
