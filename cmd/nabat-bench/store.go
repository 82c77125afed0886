package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/clock"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
)

// consumer is the name under which cmd/nabat's link reads the journal, and
// journalFile is the journal's name in its data folder: the long queue is made
// here and waits for that link. The figure "start" checks that it really does.
const (
	consumer    = "mqtt"
	journalFile = "journal.db"
)

// store is a journal that is running.
type store struct {
	*journal.Journal
	cancel context.CancelFunc
	ended  chan error
}

// openStore opens the journal in a folder, as the gateway would, and runs it.
func openStore(ctx context.Context, dir string, now func() alert.Stamp) (*store, error) {
	j, err := journal.Open(journal.Options{Path: filepath.Join(dir, journalFile), Consumers: []string{consumer}, Now: now})
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &store{Journal: j, cancel: cancel, ended: make(chan error, 1)}
	go func() { s.ended <- j.Run(run) }()
	if !j.Stats().Durable {
		return nil, errors.Join(errMemory, s.stop())
	}
	return s, nil
}

var errMemory = errors.New("the journal is in memory only, so nothing can be measured: is the disk full?")

// stop commits what is pending and closes the journal.
func (s *store) stop() error {
	s.cancel()
	if err := <-s.ended; err != nil {
		return fmt.Errorf("close the journal: %w", err)
	}
	return nil
}

// lane returns a lane for a link.
func (s *store) lane(l journal.Lane) cursor.Lane {
	return cursor.Lane{Source: s.Cursor(consumer, l), Appended: func() <-chan struct{} { return s.Appended(l) }}
}

// depth returns how many rows wait in both lanes.
func (s *store) depth() (n int64) {
	for _, c := range s.Stats().Cursors {
		n += c.Depth
	}
	return n
}

// answer is what the journal says about one event.
type answer struct {
	ref alert.Ref
	at  time.Time
	err error
}

// append appends one event and waits until it is committed. Then it returns
// how long that took.
func (s *store) append(ctx context.Context, e alert.Event) (time.Duration, error) {
	done := make(chan answer, 1)
	begun := time.Now()
	s.Append(e, func(ref alert.Ref, err error) { done <- answer{ref, time.Now(), err} })
	select {
	case a := <-done:
		if a.err != nil {
			return 0, fmt.Errorf("append: %w", a.err)
		}
		return a.at.Sub(begun), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// outage returns a journal, running, in which the events of an outage wait.
func (b *bench) outage(ctx context.Context, clk *clock.System, name string) (*store, error) {
	dir, err := b.folder(name)
	if err != nil {
		return nil, err
	}
	st, err := openStore(ctx, dir, clk.Now)
	if err != nil {
		return nil, err
	}
	m := &maker{now: clk.Now, numbering: st.Epoch()}
	if err := st.fill(ctx, b.size.drain, func(i int) alert.Event { return outageEvent(m, i) }, nil); err != nil {
		return nil, errors.Join(err, st.stop())
	}
	return st, nil
}

// fill appends n events; next makes them. It keeps fewer in memory than the
// journal takes, and says how far it is.
func (s *store) fill(ctx context.Context, n int, next func(i int) alert.Event, far func(done int)) error {
	const heap = 4096
	for i := 0; i < n; i += heap {
		count := min(heap, n-i)
		answers := make(chan error, count)
		for k := range count {
			s.Append(next(i+k), func(_ alert.Ref, err error) { answers <- err })
		}
		for range count {
			select {
			case err := <-answers:
				if err != nil {
					return fmt.Errorf("fill the journal: %w", err)
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if far != nil {
			far(i + count)
		}
	}
	return nil
}

// longQueue returns the folder of a journal in which the long queue waits. It
// is made once a run.
func (b *bench) longQueue(ctx context.Context) (string, error) {
	if b.queue != "" {
		return b.queue, nil
	}
	dir, err := b.folder("queue")
	if err != nil {
		return "", err
	}
	clk, err := clock.NewSystem()
	if err != nil {
		return "", err
	}
	s, err := openStore(ctx, dir, clk.Now)
	if err != nil {
		return "", err
	}
	m := &maker{now: clk.Now}
	begun, next := time.Now(), 0
	err = s.fill(ctx, b.size.queued, func(int) alert.Event { return m.routine() }, func(done int) {
		if done >= next {
			b.say("  %d of %d rows queued, %.0f/s", done, b.size.queued, float64(done)/time.Since(begun).Seconds())
			next += max(b.size.queued/5, 1)
		}
	})
	if err := errors.Join(err, s.stop()); err != nil {
		return "", err
	}
	b.queue = dir
	return dir, nil
}

// emptyQueue makes a folder with a journal that holds a few rows, all of them
// delivered or few enough to count for nothing.
func (b *bench) emptyQueue(ctx context.Context, rows int) (string, error) {
	dir, err := b.folder("empty")
	if err != nil {
		return "", err
	}
	clk, err := clock.NewSystem()
	if err != nil {
		return "", err
	}
	s, err := openStore(ctx, dir, clk.Now)
	if err != nil {
		return "", err
	}
	m := &maker{now: clk.Now}
	return dir, errors.Join(s.fill(ctx, rows, func(int) alert.Event { return m.routine() }, nil), s.stop())
}
