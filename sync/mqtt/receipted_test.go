package mqtt

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

// byReceipt makes a link that trusts dispatch only, and misses events soon.
func byReceipt(o *Options) {
	o.Receipts, o.Trust = true, func(event.Receipt) bool { return true }
	o.Recorder = nil // its own events would come at moments that the test does not choose
	o.Timing.Hole, o.Timing.Silence = 200*time.Millisecond, 300*time.Millisecond
	o.Timing.Again = 5 * time.Second
}

// handed returns how many rows the broker has taken without a receipt.
func (l *receipted) handed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken - l.first
}

func (g *gateway) handed() int { return g.p.witness.alarm.handed() + g.p.witness.routine.handed() }

// emptied restarts the broker with nothing in it, and nobody else there.
func (s *scene) emptied() {
	s.proxy.set(true, false)
	s.proxy.cut()
	s.broker.Restart()
	s.proxy.set(false, false)
}

func TestWhatOnlyTheBrokerHadArrives(t *testing.T) {
	for name, trouble := range map[string]func(*scene){
		"the broker lives":                       func(*scene) {},
		"the broker begins anew":                 func(s *scene) { s.emptied() },
		"the broker begins anew, the link twice": func(s *scene) { s.emptied(); s.proxy.cut() },
		"the gateway begins anew":                func(s *scene) { s.g.stop(); s.emptied(); s.g.start() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, brokertest.Options{}, byReceipt)
			s.d.join()
			hush := s.d.speak()
			s.g.start()
			s.feed()
			s.d.complete(s.g, 0)
			until(t, "all is receipted", func() bool { return s.g.waiting() == 0 })

			// Dispatch dies while the broker lives: it takes events for nobody.
			hush()
			s.d.leave()
			s.feed()
			until(t, "the broker has taken all", func() bool { return s.g.handed() == 620 })
			if n := s.g.waiting(); n != 620 {
				t.Errorf("%d rows wait, want all 620: dispatch has none", n)
			}
			s.g.mu.Lock()
			if n := len(s.g.sent); n != 40 {
				t.Errorf("Sent was told %d alarms, want 40: the broker took them", n)
			}
			s.g.mu.Unlock()
			trouble(s)
			until(t, "the broker has taken all again", func() bool { return s.g.handed() == 620 })

			s.d.join()
			s.d.speak()
			s.d.complete(s.g, 0)
			until(t, "all is receipted", func() bool { return s.g.waiting() == 0 })
			until(t, "no condition is left", func() bool { return len(s.g.health.List()) == 0 })
		})
	}
}

func TestAHoleIsFilledWithoutANewSession(t *testing.T) {
	s := newScene(t, brokertest.Options{}, byReceipt)
	missed := make(map[alert.Ref]bool) // under d.mu
	s.d.misses = func(e event.Event) bool {
		if e.Ref.Seq%97 != 0 || missed[e.Ref] {
			return false
		}
		missed[e.Ref] = true
		return true
	}
	s.d.join()
	s.d.speak()
	s.g.start()
	until(t, "birth", func() bool { return s.d.lastStatus().Online })
	session := s.d.lastStatus().Session
	for range 4 {
		s.feed()
	}
	until(t, "every event arrives and is receipted", func() bool { return s.g.waiting() == 0 })
	if _, n := s.d.count(); n != 4*620 {
		t.Errorf("%d different events arrived, want %d", n, 4*620)
	}
	if st := s.d.lastStatus(); st.Session != session || strings.Contains(s.g.log.String(), "link is down") {
		t.Errorf("the session was ended for a hole:\n%s", s.g.log)
	}
}

func TestAnEventThatDispatchNeverStoresIsNamedAndHoldsUpNobody(t *testing.T) {
	s := newScene(t, brokertest.Options{}, func(o *Options) { byReceipt(o); o.Timing.Again = 10 * time.Second })
	s.d.misses = func(e event.Event) bool { return e.Ref.Seq == 100 }
	s.d.join()
	s.d.speak()
	s.g.start()
	s.feed()
	s.g.feed(alert.PointFault, maxUnreceipted+500)
	until(t, "all but one arrive", func() bool { _, n := s.d.count(); return n == maxUnreceipted+500+619 })
	until(t, "the one is named", func() bool {
		for _, c := range s.g.health.List() {
			if c.Name == conditionLacks && strings.Contains(c.Detail, s.g.j.Epoch()+"-100,") {
				return true
			}
		}
		return false
	})
	s.g.feed(alert.Raised, 1)
	until(t, "a new alarm still goes out", func() bool { _, n := s.d.count(); return n == maxUnreceipted+500+620 })
	s.d.mu.Lock()
	s.d.misses = nil
	s.d.mu.Unlock()
	until(t, "all is receipted", func() bool { return s.g.waiting() == 0 })
	until(t, "no condition is left", func() bool { return len(s.g.health.List()) == 0 })
	if n := strings.Count(s.g.log.String(), "does not confirm an event"); n != 1 {
		t.Errorf("the event was logged %d times:\n%s", n, s.g.log)
	}
}

func TestAFullLaneWaitsForReceipts(t *testing.T) {
	s := newScene(t, brokertest.Options{}, byReceipt)
	s.g.feed(alert.PointFault, maxUnreceipted+500)
	s.d.join()
	s.g.start()
	until(t, "the lane is full", func() bool {
		n := s.g.p.witness.routine.handed()
		return n > maxUnreceipted-roomStep && s.g.p.witness.routine.plight().full
	})
	s.g.feed(alert.Raised, 1)
	until(t, "the alarm lane is not", func() bool { s.g.mu.Lock(); defer s.g.mu.Unlock(); return len(s.g.sent) == 1 })
	until(t, "dispatch-silent", func() bool {
		for _, c := range s.g.health.List() {
			if c.Name == conditionSilent && strings.Contains(c.Detail, "receipts = false") {
				return true
			}
		}
		return false
	})
	if _, n := s.d.count(); n > maxUnreceipted+1 {
		t.Errorf("%d events went out without a receipt, want at most %d a lane", n, maxUnreceipted)
	}
	s.d.speak()
	s.d.complete(s.g, 0)
	until(t, "all is receipted", func() bool { return s.g.waiting() == 0 })
	until(t, "no condition is left", func() bool { return len(s.g.health.List()) == 0 })
}

func TestAReceiptFromBeforeTheConnectionCounts(t *testing.T) {
	s := newScene(t, brokertest.Options{}, byReceipt)
	s.d.join()
	s.g.feed(alert.Raised, 20)
	s.g.feed(alert.PointFault, 20)
	r := event.Receipt{Epoch: s.g.j.Epoch(), Through: 38, Above: []uint64{40}}
	if tok := s.d.client.Publish("nabat/1/school-12/main/receipt", 1, true, r.Encode()); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	s.g.start()
	until(t, "the cursor stands before the one that is missing", func() bool { return s.g.waiting() == 2 })
	s.d.speak()
	until(t, "all is receipted", func() bool { return s.g.waiting() == 0 })
}

func TestWhatDispatchHasIsNotSentAgain(t *testing.T) {
	s := newScene(t, brokertest.Options{}, byReceipt)
	s.d.join()
	s.g.feed(alert.Raised, 40)
	s.g.prepare()
	// As if the first 30 and the last had gone another way.
	s.g.p.hear(event.Receipt{Epoch: s.g.j.Epoch(), Through: 30, Above: []uint64{40}})
	s.g.run()
	until(t, "Sent is told all of them", func() bool { s.g.mu.Lock(); defer s.g.mu.Unlock(); return len(s.g.sent) == 40 })
	until(t, "the others arrive", func() bool { _, n := s.d.count(); return n >= 9 })
	s.d.publish("nabat/1/school-12/main/status", false, []byte(`{"online":false,"session":"the end"}`))
	until(t, "all that was sent has arrived", func() bool {
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		return slices.ContainsFunc(s.d.status, func(st event.Status) bool { return st.Session == "the end" })
	})
	if _, n := s.d.count(); n != 9 {
		t.Errorf("%d events were sent, want the 9 that dispatch lacks", n)
	}
	if n := s.g.waiting(); n != 10 {
		t.Errorf("%d rows wait, want 10", n)
	}
}

func TestAReceiptThatIsNotTrustedMovesNothing(t *testing.T) {
	var asked atomic.Int32
	s := newScene(t, brokertest.Options{}, func(o *Options) {
		byReceipt(o)
		o.Trust = func(event.Receipt) bool { asked.Add(1); return false }
	})
	s.d.join()
	s.g.start()
	s.g.feed(alert.Raised, 5)
	until(t, "the broker has taken all", func() bool { return s.g.handed() == 5 })
	// The second is asked about when the first is dealt with.
	for i := range int32(2) {
		s.d.client.Publish("nabat/1/school-12/main/receipt", 1, false, event.Receipt{Epoch: s.g.j.Epoch(), Through: 1000}.Encode())
		until(t, "the receipt is judged", func() bool { return asked.Load() > i })
	}
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	if n := s.g.waiting(); n != 5 || len(s.g.receipts) > 0 {
		t.Errorf("%d rows wait, want 5; Received was told %v", n, s.g.receipts)
	}
}

func TestWithoutReceiptsTheBrokersWordIsEnough(t *testing.T) {
	s := newScene(t, brokertest.Options{}, func(o *Options) { o.Recorder = nil })
	s.g.start()
	s.feed()
	until(t, "the cursors have passed all", func() bool { return s.g.waiting() == 0 })
	if s.g.p.witness != nil {
		t.Error("receipts are waited for that nobody asked for")
	}
}

func TestAParkedEventDoesNotWaitForReceipts(t *testing.T) {
	s := newScene(t, brokertest.Options{}, func(o *Options) { byReceipt(o); o.MaxEvent = 20_000 })
	s.g.feed(alert.PointFault, 3)
	s.g.j.Append(alert.Event{Type: alert.PointFault, Detail: strings.Repeat("x", 30_000)}, nil)
	s.g.feed(alert.PointFault, 3)
	s.d.join()
	s.g.start()
	until(t, "it is parked", func() bool { return s.g.parked() == 1 })
	until(t, "the broker has taken the others, and the note of the parking", func() bool { _, n := s.d.count(); return n == 7 })
	if n := s.g.waiting(); n == 0 {
		t.Error("the cursor passed events without a receipt")
	}
	s.d.speak()
	s.d.complete(s.g, 1)
	// Dispatch misses the parked one for ever: what is above it is named apart.
	until(t, "all is receipted", func() bool { return s.g.waiting() == 0 })
}

func (g *gateway) parked() (n int) {
	for _, c := range g.j.Stats().Cursors {
		n += c.Parked
	}
	return n
}
