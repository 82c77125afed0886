package central

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"nabat/sync/cursor"
	"nabat/sync/event"
	"nabat/sync/link"
)

// Name is what the link is called in conditions, events and cursors.
const Name = "central"

// window is how many rows of a lane may be without an answer: what is on its
// way, and as many again that gather meanwhile.
const window = 2 * maxRows

// Client delivers one gateway's journal to one central service. It is an
// optional job: Run may fail and be run again.
type Client struct {
	o      Options
	t      Timing
	target target
	source string

	report   *reporter
	ledger   *link.Ledger
	receipts *link.Receipts
	alarms   *watched      // the alarm lane, with a look at what waits in it
	refresh  chan struct{} // the status is wanted at once
	// parking bounds how often a row is parked because a whole request was
	// refused: a server that refuses everything must not empty the journal.
	parking *rate.Limiter

	// The fields below belong to the goroutine of Run.
	busy *busyError // what the service asked for, until it has been obeyed
	size sizer      // how much one request may hold
	// doubt says that the last session ended because events did not get through:
	// that the service answers a status is then no sign that the link works.
	doubt bool
}

// New checks the options. It starts nothing and reads no file.
func New(o Options) (*Client, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	target, err := o.target()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		o: o, t: o.Timing.withDefaults(), target: target, source: event.Source(o.Site, o.Gateway),
		receipts: link.NewReceipts(), alarms: &watched{Source: o.Alarm.Source}, refresh: make(chan struct{}, 1),
		parking: rate.NewLimiter(rate.Every(time.Minute), parkAtOnce),
	}
	c.ledger = link.NewLedger(Name, o.Recorder, o.Now, c.t.Settle)
	c.report = newReporter(o.Health, o.Log.With("service", target.host), c.ledger)
	return c, nil
}

// Run delivers until ctx ends; then it says goodbye to the service and returns
// nil. An error means that the journal cannot be read.
func (c *Client) Run(ctx context.Context) error {
	runner := cursor.NewRunner(cursor.Options{
		Alarm:   cursor.Lane{Source: c.alarms, Appended: c.o.Alarm.Appended},
		Routine: c.o.Routine, Link: c, Window: window,
		// The session bounds every request by itself; this is for its mistakes.
		Patience: 2*c.t.Busy + 4*c.t.Request,
		Backoff:  c.t.Backoff, Sent: c.o.Sent, NetworkUp: c.o.NetworkUp,
	})
	side, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.ledger.Run(side) })
	wg.Go(func() { c.receipts.Run(side, c.tell) })
	err := runner.Run(ctx)
	stop()
	wg.Wait()
	c.report.end()
	return err
}

// State reports whether the link is up and since when it is so; since is zero
// before the first attempt. It may be called from any goroutine.
func (c *Client) State() (up bool, since time.Time) { return c.ledger.State() }

// Refresh posts the status document soon: at once, or one second after the last
// one. It never blocks, any goroutine may call it, and many calls make one
// document. Without a session the next one begins with it.
func (c *Client) Refresh() {
	select {
	case c.refresh <- struct{}{}:
	default:
	}
}

// hear takes what the service says to have; it returns false when that is not
// to be believed.
func (c *Client) hear(r event.Receipt) bool {
	if c.o.Trust != nil && !c.o.Trust(r) {
		return false
	}
	c.receipts.Add(r)
	return true
}

func (c *Client) tell(r event.Receipt) {
	if c.o.Received != nil {
		c.o.Received(r.Epoch, r.Through, r.Above)
	}
}

// Open implements cursor.Link: it waits for as long as the service asked for,
// then tells the service that the gateway is online; the answer shows that it
// is the service. Only the runner calls it.
func (c *Client) Open(ctx context.Context) (cursor.Session, error) {
	if !c.obey(ctx) {
		return nil, ctx.Err()
	}
	s, err := c.begin(ctx)
	if err == nil {
		if !c.doubt {
			c.report.up()
		}
		return s, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	c.doubt = false
	return nil, c.down(err)
}

// down notes why there is no session and returns the cause to back off by.
func (c *Client) down(err error) error {
	c.busy = nil
	var busy *busyError
	if errors.As(err, &busy) {
		c.busy = busy
	}
	return slow(c.report.down(err, c.o.Now), err)
}

// obey waits until the service wants to be asked again; while alarms wait it
// waits less. It returns false when ctx ends first.
func (c *Client) obey(ctx context.Context) bool {
	for c.busy != nil {
		appended := c.o.Alarm.Appended()
		limit := c.t.Busy
		if c.alarms.waiting.Load() > 0 {
			limit = c.t.BusyUrgent
		}
		rest := min(c.busy.wait, limit) - time.Since(c.busy.at)
		if rest <= 0 {
			break
		}
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-appended:
			c.alarms.waiting.Add(1)
		}
		timer.Stop()
		if ctx.Err() != nil {
			return false
		}
	}
	c.busy = nil
	return true
}
