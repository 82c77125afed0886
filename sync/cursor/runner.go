package cursor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"nabat/gateway/alert"
)

// Options says what a Runner carries, and how. Alarm, Routine and Link are
// needed; zero means the default elsewhere.
type Options struct {
	Alarm, Routine Lane
	Link           Link
	// Window is how many rows of each lane may be without a verdict: 16.
	Window int
	// Patience is how long the oldest row may be without a verdict while
	// nothing else completes, before the session counts as dead: 10 s.
	Patience time.Duration
	// Grace is how long the end of Run waits for verdicts: 2 s.
	Grace time.Duration
	// Backoff: DefaultBackoff.
	Backoff Backoff
	// Random returns numbers in [0, 1): math/rand.
	Random func() float64
	// Sent is told each alarm row that the far end has taken, in order. It is
	// called from Run and must not block.
	Sent func(alert.Ref)
	// NetworkUp returns a channel that is closed when a network comes up.
	NetworkUp func() <-chan struct{}
}

// Runner is the one loop between two lanes and a link.
type Runner struct {
	o              Options
	alarm, routine queue
	random         func() float64
}

// NewRunner returns a runner that has not started.
func NewRunner(o Options) *Runner {
	if o.Window <= 0 {
		o.Window = 16
	}
	if o.Patience <= 0 {
		o.Patience = 10 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = 2 * time.Second
	}
	if o.Backoff == (Backoff{}) {
		o.Backoff = DefaultBackoff()
	}
	r := &Runner{o: o, alarm: queue{Lane: o.Alarm}, routine: queue{Lane: o.Routine}, random: o.Random}
	if r.random == nil {
		r.random = rand.Float64
	}
	return r
}

// Run carries rows until ctx ends, then returns nil. It returns an error only
// when the journal cannot be read; the caller may then run it again.
func (r *Runner) Run(ctx context.Context) error {
	r.rewind()
	failures := 0
	for {
		// Taken before the attempt, so that a network that comes up while an
		// attempt still hangs on the old one is not missed.
		network := r.networkUp()
		begun := time.Now()
		progress, err := r.session(ctx)
		r.rewind()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errUnread):
			return err
		case progress, time.Since(begun) >= r.o.Backoff.Cap:
			failures = 1
		default:
			failures++
		}
		up, err := r.wait(ctx, network, failures, errors.Is(err, ErrRefused))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case up:
			failures = 0
		}
	}
}

func (r *Runner) networkUp() <-chan struct{} {
	if r.o.NetworkUp == nil {
		return nil
	}
	return r.o.NetworkUp()
}

// errNoAnswer is the cause when the far end stops answering.
var errNoAnswer = errors.New("the far end does not answer")

// errUnread is the kind of ErrJournal after which Run returns. A row that cannot
// be parked is tried again instead: what is in the other lane still goes out.
var errUnread = fmt.Errorf("%w: it does not give its rows", ErrJournal)

// session opens one session, carries rows through it and closes it. progress
// says that at least one row was delivered.
func (r *Runner) session(ctx context.Context) (progress bool, err error) {
	s, err := r.o.Link.Open(ctx)
	if err != nil {
		return false, err
	}
	progress, err = r.drain(ctx, s)
	if cause := s.Close(err); !errors.Is(err, ErrJournal) {
		err = cause
	}
	return progress, err
}

func (r *Runner) rewind() {
	r.alarm.rewind()
	r.routine.rewind()
}

// wait backs off. A new alarm and a network that came up cut it short; up says
// that it was the network.
func (r *Runner) wait(ctx context.Context, network <-chan struct{}, failures int, refused bool) (up bool, err error) {
	if err := r.alarm.fill(ctx); err != nil {
		return false, fmt.Errorf("%w: %w", errUnread, err)
	}
	urgent := len(r.alarm.buf) > 0
	d := r.o.Backoff.Wait(failures, urgent, refused, r.random())
	begun := time.Now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, nil
	case <-timer.C:
		return false, nil
	// With rows at hand the channel of the last Read still tells of newer ones.
	case <-r.alarm.wake:
	case <-network:
		up = true
	}
	if rest := min(r.o.Backoff.leastGap(refused), d) - time.Since(begun); rest > 0 {
		timer.Reset(rest)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	return up, nil
}

// drain carries rows until the session is lost or ctx ends.
func (r *Runner) drain(ctx context.Context, s Session) (progress bool, err error) {
	tick := time.NewTicker(r.o.Patience / 4)
	defer tick.Stop()
	for {
		n, err := r.collect(ctx)
		progress = progress || n > 0
		if err != nil {
			return progress, err
		}
		q, err := r.next(ctx)
		if ctx.Err() != nil { // which may be why the journal could not be read
			return progress, r.finish(ctx, s)
		}
		if err != nil {
			return progress, fmt.Errorf("%w: %w", errUnread, err)
		}
		if q != nil {
			q.send(s)
			continue
		}
		select {
		case <-ctx.Done():
			return progress, r.finish(ctx, s)
		case <-s.Lost():
			// What was answered before the loss still counts.
			n, _ := r.collect(ctx)
			return progress || n > 0, s.Err()
		case <-r.alarm.head():
		case <-r.routine.head():
		case <-r.alarm.wanted():
		case <-r.routine.wanted():
		case <-r.alarm.news(r.o.Window):
		case <-r.routine.news(r.o.Window):
		case <-tick.C:
			if r.alarm.stalled(r.o.Patience) || r.routine.stalled(r.o.Patience) {
				return progress, errNoAnswer
			}
		}
	}
}

// next returns the lane whose first row goes out now: the alarm lane if it has
// one, whatever waits in the other. It returns nil if no row may go out.
func (r *Runner) next(ctx context.Context) (*queue, error) {
	for _, q := range []*queue{&r.alarm, &r.routine} {
		if q.asked() {
			if len(q.flights) > 0 {
				continue
			}
			q.rewind()
		}
		if len(q.flights) >= r.o.Window {
			continue
		}
		if err := q.fill(ctx); err != nil {
			return nil, err
		}
		if len(q.buf) > 0 {
			return q, nil
		}
	}
	return nil, nil
}

func (r *Runner) inFlight() int { return len(r.alarm.flights) + len(r.routine.flights) }

// collect passes the rows at the head of both lanes that have a verdict, and
// returns how many. An error ends the session.
func (r *Runner) collect(ctx context.Context) (n int, err error) {
	a, errAlarm := r.alarm.collect(ctx, r.o.Sent)
	b, errRoutine := r.routine.collect(ctx, nil)
	return a + b, errors.Join(errAlarm, errRoutine)
}

// finish waits a moment for the verdicts of what is in flight, so that the
// next start repeats less.
func (r *Runner) finish(ctx context.Context, s Session) error {
	timer := time.NewTimer(r.o.Grace)
	defer timer.Stop()
	ctx = context.WithoutCancel(ctx)
	for {
		if _, err := r.collect(ctx); err != nil {
			return err
		}
		if r.inFlight() == 0 {
			return nil
		}
		select {
		case <-timer.C:
			return nil
		case <-s.Lost():
			return s.Err()
		case <-r.alarm.head():
		case <-r.routine.head():
		}
	}
}
