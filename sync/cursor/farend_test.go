package cursor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
)

var (
	errCut    = errors.New("the line was cut")
	errPoison = errors.New("the far end cannot take this row")
)

// farEnd is a link with a far end that misbehaves in every way that a session
// may: it fails before or after a row arrived, stalls, refuses, hangs up.
type farEnd struct {
	rnd     *rand.Rand
	trouble float64 // how likely each kind of trouble is
	poison  func(alert.Ref) bool
	latency time.Duration

	mu      sync.Mutex
	arrived []journal.Row
	has     map[alert.Ref]bool
	opens   []time.Time
	refuse  error // Open fails with it
	live    *session
	causes  []error // what Close was told, without the nils
}

func newFarEnd(seed uint64, trouble float64) *farEnd {
	return &farEnd{
		rnd: rand.New(rand.NewPCG(seed, 1)), trouble: trouble, latency: time.Millisecond,
		has: make(map[alert.Ref]bool), poison: func(alert.Ref) bool { return false },
	}
}

func (f *farEnd) chance() bool { return f.rnd.Float64() < f.trouble }

func (f *farEnd) setRefuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = err
}

func (f *farEnd) opened() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time(nil), f.opens...)
}

func (f *farEnd) rows() []journal.Row {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]journal.Row(nil), f.arrived...)
}

func (f *farEnd) hasRow(r alert.Ref) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.has[r]
}

func (f *farEnd) Open(context.Context) (cursor.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opens = append(f.opens, time.Now())
	if f.refuse != nil {
		return nil, f.refuse
	}
	if f.live != nil {
		panic("a second session was opened beside the first")
	}
	if f.chance() {
		return nil, errCut
	}
	f.live = &session{f: f, lost: make(chan struct{})}
	return f.live, nil
}

// session keeps order: after the first failure nothing arrives any more.
type session struct {
	f    *farEnd
	dead error
	lost chan struct{}
	wg   sync.WaitGroup
}

type delivery struct {
	done    chan struct{}
	verdict cursor.Verdict
	err     error
}

func (d *delivery) Done() <-chan struct{} { return d.done }

func (d *delivery) Verdict() (cursor.Verdict, error) { return d.verdict, d.err }

func (s *session) Deliver(row journal.Row) cursor.Delivery {
	f := s.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.dead != nil {
		return cursor.Answered(cursor.Later, s.dead)
	}
	if f.poison(row.Ref) {
		return cursor.Answered(cursor.Never, errPoison)
	}
	d := &delivery{done: make(chan struct{})}
	failBefore, failAfter, stall, hangUp := f.chance(), f.chance(), f.chance(), f.chance()
	if failBefore {
		s.dead, d.verdict, d.err = errCut, cursor.Later, errCut
		close(d.done)
		return d
	}
	f.arrived = append(f.arrived, row)
	f.has[row.Ref] = true
	switch {
	case failAfter:
		s.dead, d.verdict, d.err = errCut, cursor.Later, errCut
		close(d.done)
	case stall:
	case hangUp:
		s.dead = errCut
		close(s.lost)
	default:
		d.verdict = cursor.Done
		wait := time.Duration(f.rnd.Int64N(int64(f.latency)))
		s.wg.Go(func() {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			<-timer.C
			close(d.done)
		})
	}
	return d
}

func (s *session) Lost() <-chan struct{} { return s.lost }

func (s *session) Err() error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	return s.dead
}

func (s *session) Close(cause error) error {
	s.wg.Wait()
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if s.f.live != s {
		panic("a session was closed twice")
	}
	s.dead = cmpErr(s.dead, errCut)
	s.f.live = nil
	if cause != nil {
		s.f.causes = append(s.f.causes, cause)
	}
	return cause
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// rows makes n rows with sequences from first on.
func rows(first uint64, n int) []journal.Row {
	list := make([]journal.Row, n)
	for i := range list {
		list[i] = journal.Row{
			Ref:  alert.Ref{Epoch: "e", Seq: first + uint64(i)},
			Type: alert.Raised, Subject: fmt.Sprint(first + uint64(i)),
		}
	}
	return list
}
