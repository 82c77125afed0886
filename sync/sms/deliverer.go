package sms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"nabat/gateway/alert"
)

// Deliverer asks people by text message. Run does the work; Stats may be called
// from any goroutine.
type Deliverer struct {
	o     Options
	log   *slog.Logger
	wake  chan struct{} // of the sender: there may be more to send
	ready atomic.Bool
	since atomic.Int64 // when ready changed, in Unix nanoseconds; 0 for never
	depth atomic.Int64

	// Set before the goroutines of Run begin.
	born alert.Stamp
	// history says that the table is new and its first rows are being read; it
	// belongs to feed.
	history bool
}

// New returns a deliverer that has not started; it opens nothing.
func New(o Options) (*Deliverer, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if o.Baud == 0 {
		o.Baud = 115200
	}
	o.Timing = o.Timing.withDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Deliverer{o: o, log: o.Log, wake: make(chan struct{}, 1)}, nil
}

// Stats is the way by text message at one moment.
type Stats struct {
	// Ready says that the modem is there and the network has taken it in.
	Ready bool
	// Waiting is how many messages have not been given to the modem.
	Waiting int
}

// Stats returns what is known now.
func (d *Deliverer) Stats() Stats {
	return Stats{Ready: d.ready.Load(), Waiting: int(d.depth.Load())}
}

// State reports whether messages can be sent, and since when that has been so;
// zero until it was first known.
func (d *Deliverer) State() (up bool, since time.Time) {
	if n := d.since.Load(); n != 0 {
		since = time.Unix(0, n)
	}
	return d.ready.Load(), since
}

func (d *Deliverer) setReady(ready bool) {
	if d.ready.Swap(ready) != ready || d.since.Load() == 0 {
		d.since.Store(time.Now().UnixNano())
	}
}

// errStore is wrapped by errors of the table, which end Run: the next one opens
// it anew, or goes on in memory.
var errStore = errors.New("the table of text messages fails")

// Run carries messages until ctx ends and then returns nil. It returns an error
// when the journal or its own table fails; run it again then.
func (d *Deliverer) Run(ctx context.Context) error {
	st, err := d.open(ctx)
	if err != nil {
		return err
	}
	err = d.run(ctx, st)
	d.setReady(false)
	if ctx.Err() != nil && err != nil {
		d.log.Debug("the end of text messages", "error", err)
		err = nil
	}
	return errors.Join(err, st.close())
}

func (d *Deliverer) run(ctx context.Context, st *store) error {
	var err error
	if d.born, err = st.born(ctx); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	n, err := st.doubt(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	if n > 0 {
		d.log.Warn("messages were with the modem when the gateway stopped; they are not repeated", "messages", n)
	}
	if err := st.prune(ctx); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	d.count(ctx, st)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fed := make(chan error, 1)
	go func() {
		defer cancel()
		fed <- d.feed(ctx, st)
	}()
	err = d.serve(ctx, st)
	cancel()
	return errors.Join(err, <-fed)
}

// open opens the table. A damaged one is set aside; where no file can be
// written, a table in memory does until the next start, because a message that
// might be repeated after a crash is better than none.
func (d *Deliverer) open(ctx context.Context) (*store, error) {
	now := d.o.Now()
	st, err := openStore(ctx, d.o.Path, now)
	if err != nil && damaged(err) {
		aside := fmt.Sprintf("%s.damaged-%d", d.o.Path, now.Wall.Unix())
		d.log.Error("the table of text messages is damaged and was set aside", "file", aside, "error", err)
		err = errors.Join(os.Rename(d.o.Path, aside), drop(d.o.Path+"-wal"), drop(d.o.Path+"-shm"))
		if err == nil {
			st, err = openStore(ctx, d.o.Path, now)
		}
	}
	if err == nil {
		d.o.Health.Clear(conditionStore)
		d.history, err = st.fresh(ctx)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", errStore, err), st.close())
		}
		return st, nil
	}
	if ctx.Err() != nil {
		return nil, err
	}
	d.o.Health.Set(conditionStore, "the table of text messages cannot be written ("+err.Error()+"): messages go on, but after a crash one may be sent twice. Check the disk")
	d.log.Error("text messages go on without their table", "error", err)
	d.history = true
	return openMemory(ctx, now)
}

func drop(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (d *Deliverer) count(ctx context.Context, st *store) {
	if n, err := st.depth(ctx); err == nil {
		d.depth.Store(int64(n))
	}
}
