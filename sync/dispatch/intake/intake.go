package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"nabat/sync/dispatch/store"
)

// Errors that callers tell apart.
var (
	// ErrBusy is returned where more waits than Options.Queue allows: answer
	// 503 with Retry-After, or leave the message unacknowledged.
	ErrBusy = errors.New("too much waits for the database")
	// ErrClosed is returned while Run does not run any more.
	ErrClosed = errors.New("intake has ended")
)

// Store is what the intake needs of a store.
type Store interface {
	Ingest(context.Context, []store.Arrival) (store.Result, error)
}

// Options bound the intake. Zero members mean the defaults.
type Options struct {
	// Batch and Bytes bound one transaction: 4,000 arrivals, 8 MiB. A single
	// submission is never split.
	Batch, Bytes int
	// Queue and QueueBytes bound what waits: 40,000 arrivals, 64 MiB.
	Queue, QueueBytes int
	// Timeout bounds one transaction: 30 s.
	Timeout time.Duration
	// Log may be nil.
	Log *slog.Logger
}

// Intake commits in groups: while one transaction is under way, the next one
// gathers, so that a lone arrival waits for nobody. Its methods may be called
// from any goroutine.
type Intake struct {
	store Store
	opt   Options
	wake  chan struct{} // of room one: something was queued

	mu     sync.Mutex // guards all fields below
	queue  []*call
	count  int
	bytes  int
	closed bool
}

// call is one submission.
type call struct {
	ctx   context.Context
	list  []store.Arrival
	bytes int
	done  chan struct{} // closed when the answer below is complete
	answer
}

type answer struct {
	receipts []store.Receipt
	refusals []store.Refusal
	err      error
}

// New returns an intake that begins to work when Run is called.
func New(s Store, opt Options) *Intake {
	for _, d := range []struct {
		at  *int
		def int
	}{{&opt.Batch, 4000}, {&opt.Bytes, 8 << 20}, {&opt.Queue, 40_000}, {&opt.QueueBytes, 64 << 20}} {
		if *d.at == 0 {
			*d.at = d.def
		}
	}
	if opt.Timeout == 0 {
		opt.Timeout = 30 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Intake{store: s, opt: opt, wake: make(chan struct{}, 1)}
}

// Submit hands arrivals in and waits for their commit. The receipts and
// refusals are those of these arrivals. After an error nothing may be claimed
// of them: they are to come again. A caller that stops waiting (ctx) does not
// know whether they were stored.
func (in *Intake) Submit(ctx context.Context, list []store.Arrival) ([]store.Receipt, []store.Refusal, error) {
	if len(list) == 0 {
		return nil, nil, nil
	}
	c := &call{ctx: ctx, list: list, done: make(chan struct{})}
	for i := range list {
		c.bytes += len(list[i].Raw)
	}
	if err := in.push(c); err != nil {
		return nil, nil, err
	}
	select {
	case <-c.done:
		return c.receipts, c.refusals, c.err
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("wait for %d events to be stored: %w", len(list), ctx.Err())
	}
}

func (in *Intake) push(c *call) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.closed:
		return ErrClosed
	case len(in.queue) > 0 && (in.count+len(c.list) > in.opt.Queue || in.bytes+c.bytes > in.opt.QueueBytes):
		return ErrBusy
	}
	in.queue = append(in.queue, c)
	in.count += len(c.list)
	in.bytes += c.bytes
	select {
	case in.wake <- struct{}{}:
	default:
	}
	return nil
}

// Depth returns how many arrivals wait.
func (in *Intake) Depth() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.count
}

// take removes from the queue what fits into one transaction. Calls that
// nobody waits for any more are left out: they will come again.
func (in *Intake) take() []*call {
	in.mu.Lock()
	defer in.mu.Unlock()
	var group []*call
	count, bytes := 0, 0
	for len(in.queue) > 0 {
		c := in.queue[0]
		if len(group) > 0 && (count+len(c.list) > in.opt.Batch || bytes+c.bytes > in.opt.Bytes) {
			break
		}
		in.queue[0] = nil
		in.queue = in.queue[1:]
		in.count -= len(c.list)
		in.bytes -= c.bytes
		if err := c.ctx.Err(); err != nil {
			c.finish(answer{err: err})
			continue
		}
		group = append(group, c)
		count += len(c.list)
		bytes += c.bytes
	}
	return group
}

func (c *call) finish(a answer) {
	c.answer = a
	close(c.done)
}

// Run commits what is submitted, until ctx is done; then it commits what waits
// already and returns nil.
func (in *Intake) Run(ctx context.Context) error {
	for {
		for group := in.take(); len(group) > 0; group = in.take() {
			in.commit(ctx, group)
		}
		select {
		case <-in.wake:
		case <-ctx.Done():
			in.mu.Lock()
			in.closed = true
			in.mu.Unlock()
			for group := in.take(); len(group) > 0; group = in.take() {
				in.commit(ctx, group)
			}
			return nil
		}
	}
}

// commit stores a group in one transaction. Where the database refuses
// something in it for good, each call, and then each arrival, goes alone, so
// that one that cannot be stored does not hold up the others.
func (in *Intake) commit(ctx context.Context, group []*call) {
	var list []store.Arrival
	if len(group) == 1 {
		list = group[0].list
	} else {
		for _, c := range group {
			list = append(list, c.list...)
		}
	}
	r, err := in.ingest(ctx, list)
	switch {
	case err == nil:
		for _, c := range group {
			c.finish(answer{receipts: own(c.list, r), refusals: refusals(c.list, r)})
		}
	case !errors.Is(err, store.ErrInvalid):
		in.opt.Log.Warn("intake: events were not stored, they will come again", "events", len(list), "error", err)
		for _, c := range group {
			c.finish(answer{err: err})
		}
	case len(group) > 1:
		for _, c := range group {
			in.commit(ctx, []*call{c})
		}
	default:
		group[0].finish(in.singly(ctx, group[0].list))
	}
}

// singly stores the arrivals of one call one by one, and refuses those that
// the database does not take.
func (in *Intake) singly(ctx context.Context, list []store.Arrival) answer {
	var all store.Result
	for _, a := range list {
		r, err := in.ingest(ctx, []store.Arrival{a})
		switch {
		case errors.Is(err, store.ErrInvalid):
			in.opt.Log.Error("intake: the database refuses an event", "gateway", a.Gateway.String(), "event", a.Event.ID(), "error", err)
			all.Refusals = append(all.Refusals, store.Refusal{Gateway: a.Gateway, ID: a.Event.ID(), Reason: "the database refuses it"})
		case err != nil:
			return answer{err: err}
		default:
			all.Receipts = replace(all.Receipts, r.Receipts)
			all.Refusals = append(all.Refusals, r.Refusals...)
		}
	}
	return answer{receipts: own(list, all), refusals: all.Refusals}
}

func (in *Intake) ingest(ctx context.Context, list []store.Arrival) (store.Result, error) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.opt.Timeout)
	defer cancel()
	return in.store.Ingest(bounded, list)
}
