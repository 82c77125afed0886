package central

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/cursor/cursortest"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

// holding tells which batches a service refuses as a whole: those that hold an
// event whose subject is bad.
func holding(status int, bad ...string) func([]byte, []event.Event) (int, string) {
	return func(_ []byte, events []event.Event) (int, string) {
		for _, e := range events {
			if slices.Contains(bad, e.Subject) {
				return status, "event " + e.ID() + " makes no sense"
			}
		}
		return 0, ""
	}
}

// reasons returns what the journal's own events about parked rows say.
func (s *service) reasons() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all strings.Builder
	for _, e := range s.order {
		if e.Type == alert.JournalParked {
			all.Write(e.Data)
		}
	}
	return all.String()
}

func TestOneRefusedRowDoesNotBlockTheOthers(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusUnprocessableEntity} {
		s := newService(t, brokertest.Day())
		s.unfit = holding(status, "7", "300", "301")
		g := newGateway(t, s, s.server.URL, nil)
		g.feed(alert.PointFault, 400)
		g.start()
		// Each parked row writes an event about itself.
		s.complete(g, 3)
		until(t, "three rows are parked", func() bool { return g.parked() == 3 })
		until(t, "dispatch knows why", func() bool { return strings.Count(s.reasons(), "makes no sense") == 3 })
		s.mu.Lock()
		if s.posts > 3*2*10+20 {
			t.Errorf("%d requests for three bad rows of 400", s.posts)
		}
		s.mu.Unlock()
		g.stop()
	}
}

func TestARejectedRowIsParkedWithTheReason(t *testing.T) {
	s := newService(t, brokertest.Day())
	s.refuse = func(e event.Event) string {
		if e.Subject == "5" {
			return "from the future\nand worse"
		}
		return ""
	}
	g := newGateway(t, s, s.server.URL, nil)
	g.feed(alert.PointFault, 20)
	g.feed(alert.Raised, 20)
	g.start()
	s.complete(g, 2)
	until(t, "two rows are parked", func() bool { return g.parked() == 2 })
	until(t, "dispatch knows why", func() bool { return strings.Count(s.reasons(), "from the future and worse") == 2 })
}

func TestTooLargeRequestsAreHalved(t *testing.T) {
	s := newService(t, brokertest.Day())
	refused := 0
	s.unfit = func(b []byte, _ []event.Event) (int, string) {
		if len(b) > 60_000 {
			refused++
			return http.StatusRequestEntityTooLarge, ""
		}
		return 0, ""
	}
	g := newGateway(t, s, s.server.URL, nil)
	g.feed(alert.PointFault, 1800)
	g.j.Append(alert.Event{Type: alert.PointFault, Detail: strings.Repeat("x", 100_000)}, nil)
	g.feed(alert.PointFault, 50)
	g.start()
	s.complete(g, 1)
	until(t, "the large row is parked", func() bool { return g.parked() == 1 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused > 12 {
		t.Errorf("%d requests were too large: what the service takes is not remembered", refused)
	}
}

func TestAServiceThatRefusesEverythingDoesNotEmptyTheJournal(t *testing.T) {
	s := newService(t, brokertest.Day())
	s.unfit = func([]byte, []event.Event) (int, string) { return http.StatusBadRequest, "no" }
	g := newGateway(t, s, s.server.URL, nil)
	g.feed(alert.PointFault, 300)
	g.start()
	g.complains(conditionRefused, "nothing more is parked", "no")
	if n := g.parked(); n > parkAtOnce {
		t.Errorf("%d rows parked, at most %d may be", n, parkAtOnce)
	}
	s.mu.Lock()
	s.unfit = nil
	s.mu.Unlock()
	s.complete(g, parkAtOnce)
	g.quiet()
}

func TestPlainWhereGzipIsNotTaken(t *testing.T) {
	s := newService(t, brokertest.Day())
	s.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Content-Encoding") == "" {
			return false
		}
		answerJSON(w, http.StatusUnsupportedMediaType, `{"error":"plain, please"}`)
		return true
	})
	g := newGateway(t, s, s.server.URL, nil)
	g.feed(alert.PointFault, 600)
	g.start()
	s.complete(g, 0)
	g.quiet()
}

func TestAnAlarmDoesNotWaitForABatchOnItsWay(t *testing.T) {
	s := newService(t, brokertest.Day())
	release, blocked := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	s.misbehave(only("/events", 1, func(_ http.ResponseWriter, r *http.Request) {
		close(blocked)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	g := newGateway(t, s, s.server.URL, func(o *Options) {
		o.Timing.Request = 2 * time.Minute
	})
	g.feed(alert.PointFault, 2000)
	g.start()
	select {
	case <-blocked:
	case <-time.After(time.Minute):
		t.Fatal("no routine batch is on its way")
	}
	g.feed(alert.Raised, 1)
	until(t, "the alarm is stored while the batch hangs", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.order) == 1 && s.order[0].Type == alert.Raised
	})
}

func TestABatchHoldsOneEpoch(t *testing.T) {
	rows := func(epochs ...string) (list []*item) {
		for i, e := range epochs {
			list = append(list, &item{ref: alert.Ref{Epoch: e, Seq: uint64(i)}, body: []byte("{}")})
		}
		return list
	}
	var z sizer
	for _, c := range []struct {
		rows []*item
		n    int
		full bool
	}{
		{nil, 0, false},
		{rows("a"), 1, false},
		{rows("a", "a", "b"), 2, true},
		{rows("a", "b", "a"), 1, true},
		{rows(slices.Repeat([]string{"a"}, maxRows)...), maxRows, true},
		{rows(slices.Repeat([]string{"a"}, maxRows+1)...), maxRows, true},
		{[]*item{{body: make([]byte, maxBytes)}, {body: []byte("{}")}}, 1, true},
	} {
		if n, full := z.fit(c.rows); n != c.n || full != c.full {
			t.Errorf("of %d rows %d fit, full %v; want %d, %v", len(c.rows), n, full, c.n, c.full)
		}
	}
}

func TestASlowLineGetsSmallRequests(t *testing.T) {
	var z sizer
	for range 20 {
		z.failed(lateError{})
	}
	if rows, _ := z.limits(); rows != 1 {
		t.Errorf("%d rows after many that came too late", rows)
	}
	for n := 1; n < 2*maxRows; n *= 2 {
		rows, _ := z.limits()
		z.stored(rows)
	}
	if rows, _ := z.limits(); rows != maxRows {
		t.Errorf("%d rows after many that arrived", rows)
	}
	z.failed(errClosed)
	if rows, _ := z.limits(); rows != maxRows {
		t.Errorf("%d rows after an error that was none of the line", rows)
	}
}

type lateError struct{}

func (lateError) Error() string   { return "late" }
func (lateError) Timeout() bool   { return true }
func (lateError) Temporary() bool { return true }

func TestOversizeNeverLeaves(t *testing.T) {
	c, err := New(Options{
		Site: "s", Gateway: "g", URL: "https://h",
		Alarm: cursortest.NewMemory(journal.Alarm).Lane(), Routine: cursortest.NewMemory(journal.Routine).Lane(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{c: c, lost: make(chan struct{})}
	d := s.Deliver(journal.Row{Data: make([]byte, maxEvent)})
	<-d.Done()
	if v, why := d.Verdict(); v != cursor.Never || why == nil {
		t.Errorf("verdict %d, %v", v, why)
	}
	if c.parking.Limit() != rate.Every(time.Minute) {
		t.Errorf("parking at %v", c.parking.Limit())
	}
}
