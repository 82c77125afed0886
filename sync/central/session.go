package central

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/event"
)

// maxEvent is the most bytes an event may have, the same as on every other
// link. A larger one is parked.
const maxEvent = 256 << 10

var (
	errTooBig = errors.New("event is larger than a link carries")
	errClosed = errors.New("the session is closed")
)

// session is one time of being connected. The runner's goroutine calls Deliver,
// Err and Close; the session's own goroutines call fail.
type session struct {
	c        *Client
	id       string
	caller   *caller
	status   *retryablehttp.Client
	shutdown <-chan struct{} // closed when the gateway stops
	life     context.Context // of the session's own goroutines
	end      context.CancelFunc
	wg       sync.WaitGroup

	alarm, routine *sender
	stuck          atomic.Bool // events did not get through

	once sync.Once
	lost chan struct{}
	err  error // set before lost is closed
}

// begin makes a session when the service answers.
func (c *Client) begin(ctx context.Context) (*session, error) {
	caller, err := c.newCaller()
	if err != nil {
		return nil, err
	}
	s := &session{
		c: c, id: rand.Text(), caller: caller, lost: make(chan struct{}), shutdown: ctx.Done(),
		status: caller.client(c.t.Request, 0, 0),
	}
	changed := c.o.Health.Changed()
	if err := s.tell(ctx, s.document(true)); err != nil {
		caller.transport.CloseIdleConnections()
		return nil, err
	}
	// A broken connection is tried again once a beat; a busy service is told later.
	s.status = caller.client(c.t.Request, retries, c.t.BusyUrgent)
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.alarm = newSender(s, 0, caller.client(c.t.Request, retries, c.t.BusyUrgent))
	s.routine = newSender(s, c.t.Linger, caller.client(c.t.Request, retries, c.t.Busy))
	s.wg.Go(s.alarm.run)
	s.wg.Go(s.routine.run)
	s.wg.Go(func() { s.beat(changed) })
	if c.o.Command != nil {
		s.wg.Go(s.poll)
	}
	return s, nil
}

// document returns the status document.
func (s *session) document(online bool) event.Status {
	var st event.Status
	if s.c.o.Status != nil {
		st = s.c.o.Status()
	}
	st.Online, st.Session = online, s.id
	if st.Conditions == nil {
		st.Conditions = s.c.o.Health.List()
	}
	if !online {
		st.Conditions = []health.Condition{}
	}
	return st
}

// tell posts a status document and takes the receipts that come back.
func (s *session) tell(ctx context.Context, st event.Status) error {
	b, err := st.Encode()
	if err != nil {
		return err
	}
	a, err := s.caller.do(ctx, s.status, call{method: http.MethodPost, path: "/status", kind: event.JSONType, body: b})
	if err != nil {
		return err
	}
	if err := s.c.check(a); err != nil {
		return err
	}
	list, err := parseReceipts(a.body)
	if err != nil {
		return s.c.foreign(a)
	}
	for _, r := range list {
		s.c.hear(r)
	}
	return nil
}

// beat posts the status at every beat and soon after a condition changed.
func (s *session) beat(changed <-chan struct{}) {
	tick := time.NewTicker(s.c.t.Heartbeat)
	defer tick.Stop()
	last := time.Now()
	for {
		var after time.Duration // the last document
		select {
		case <-s.life.Done():
			return
		case <-s.lost:
			return
		case <-tick.C:
		case <-changed:
			// A flickering condition must not flood: changes are gathered.
			after = time.Since(last) + time.Second
		case <-s.c.refresh:
			after = time.Second
		}
		if !s.pause(after - time.Since(last)) {
			return
		}
		// What is asked for until here is in the document.
		select {
		case <-s.c.refresh:
		default:
		}
		last, changed = time.Now(), s.c.o.Health.Changed()
		err := s.tell(s.life, s.document(true))
		var busy *busyError
		switch {
		case err == nil:
			s.c.report.up()
		case s.life.Err() != nil, errors.As(err, &busy):
			// Who is too busy for a status may still take alarms.
		default:
			s.fail(err)
			return
		}
	}
}

// pause waits; false means that the session is over.
func (s *session) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.life.Done():
		return false
	case <-s.lost:
		return false
	case <-timer.C:
		return true
	}
}

// Deliver implements cursor.Session. It never blocks.
func (s *session) Deliver(row journal.Row) cursor.Delivery {
	if err := s.Err(); err != nil {
		return cursor.Answered(cursor.Later, err)
	}
	it := &item{
		ref: row.Ref, done: make(chan struct{}),
		body: event.Append(make([]byte, 0, len(row.Data)+512), s.c.source, row),
	}
	if len(it.body) > maxEvent {
		return cursor.Answered(cursor.Never, fmt.Errorf("%d bytes, at most %d: %w", len(it.body), maxEvent, errTooBig))
	}
	if row.Lane == journal.Alarm {
		s.alarm.add(it)
	} else {
		s.routine.add(it)
	}
	return it
}

// Lost implements cursor.Session.
func (s *session) Lost() <-chan struct{} { return s.lost }

// Err implements cursor.Session.
func (s *session) Err() error {
	select {
	case <-s.lost:
		return s.err
	default:
		return nil
	}
}

// fail ends the session for a reason; only the first one counts.
func (s *session) fail(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.lost)
	})
}

// Close implements cursor.Session.
func (s *session) Close(cause error) error {
	// A session that works is not to blame for what our own disk does.
	works := s.Err() == nil && (cause == nil || errors.Is(cause, cursor.ErrJournal))
	if !works {
		s.fail(cause)
		cause = s.Err()
	}
	s.end()
	s.wg.Wait()
	if works {
		s.farewell()
	}
	s.caller.transport.CloseIdleConnections()
	s.fail(errClosed)
	s.alarm.abandon()
	s.routine.abandon()
	s.c.doubt = s.stuck.Load()
	select {
	case <-s.shutdown:
		return nil
	default:
	}
	if works {
		return cause
	}
	return s.c.down(cause)
}

// farewell says that the gateway stops on purpose.
func (s *session) farewell() {
	ctx, cancel := context.WithTimeout(context.Background(), s.c.t.Dial)
	defer cancel()
	s.status = s.caller.client(s.c.t.Dial, 0, 0)
	if err := s.tell(ctx, s.document(false)); err != nil {
		s.c.o.Log.Debug("no farewell", "error", err)
	}
}
