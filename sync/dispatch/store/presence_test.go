package store

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// TestALostReceiptIsSaidAgain: everything is stored, and the gateway has not
// heard of it, because the process ended between the commit and the receipt.
func TestALostReceiptIsSaidAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		say := func(link string, waiting uint64) Heard {
			t.Helper()
			h, err := s.Heard(ctx, Word{Gateway: school, Link: link, At: w.now(), Answered: link == "http", Status: event.Status{
				Online: true, Session: link, Epoch: "e1", LastSeq: 1, QueueDepth: waiting,
			}})
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		say("mqtt", 1)
		say("http", 1)
		ingest(t, s, said(school, "e1", 1, about(alert.Raised, "a1", 1, stamp(w.now(), "b", 1, true)), "mqtt", w.now()))
		w.add(5 * time.Second)
		say("mqtt", 1)
		w.add(6 * time.Second)
		say("http", 0) // this link has been answered; the other one still waits
		if h := say("mqtt", 1); !h.Due || h.Receipt.Through != 1 {
			t.Errorf("a row waits for its receipt: %+v", h)
		}
		if h := say("mqtt", 0); h.Due {
			t.Errorf("nothing waits: %+v", h)
		}
		say("mqtt", 1)
		w.add(11 * time.Second)
		w.add(-time.Hour)
		say("mqtt", 1)
		w.add(11 * time.Second)
		if h := say("mqtt", 1); !h.Due {
			t.Error("a clock that was set back keeps the receipt away")
		}
	})
}

// TestAClockOfDispatchThatWasAheadHidesNoSilence: a word that was noted in the
// future must not keep a dead gateway alive until then.
func TestAClockOfDispatchThatWasAheadHidesNoSilence(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		say := func() {
			t.Helper()
			if _, err := s.Heard(ctx, Word{Gateway: school, Link: "mqtt", At: w.now(), Status: event.Status{Online: true, Session: "s"}}); err != nil {
				t.Fatal(err)
			}
		}
		w.add(24 * time.Hour)
		say()
		w.add(-24 * time.Hour)
		say()
		w.add(SilentAfter)
		if i, err := s.GatewayInfo(ctx, school); err != nil || i.Online {
			t.Errorf("heard %v, online %v at %v; %v", i.Heard, i.Online, w.now(), err)
		}
	})
}

// TestAHoleForEverLetsEveryOtherRowBeReceipted: a row that the gateway has
// parked never comes, so the mark never moves over it. Every row above must
// still be named by some receipt, in the form that a link carries, also when
// receipts are lost and joined: or the gateway's lane would stand still.
func TestAHoleForEverLetsEveryOtherRowBeReceipted(t *testing.T) {
	w := newWatch()
	s := ready(t, Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "dispatch.db"), Now: w.now})
	const last, hole = 3000, 7
	covered := map[uint64]bool{hole: true} // parked
	hear := func(r event.Receipt) {
		one, err := event.ParseReceipt(r.Encode())
		if err != nil {
			t.Fatal(err)
		}
		for n := uint64(1); n <= one.Through; n++ {
			covered[n] = true
		}
		for _, n := range one.Above {
			covered[n] = true
		}
	}
	for round := 0; len(covered) < last; round++ {
		if round > 40 {
			t.Fatalf("%d of %d rows are covered after %d rounds", len(covered), last, round)
		}
		var list []Arrival
		for n := uint64(1); n <= last; n++ {
			if !covered[n] {
				list = append(list, said(school, "e1", n, alert.Event{Type: alert.LinkUp, At: stamp(w.now(), "b", 1, true)}, "mqtt", w.now()))
			}
		}
		waiting := event.Receipt{Epoch: "e1"}
		for i, group := range slices.Collect(slices.Chunk(list, 500)) {
			r := ingest(t, s, group...)
			if waiting = waiting.Merge(r.Receipts[0].Receipt); (i+round)%3 == 0 {
				hear(waiting) // the others are lost, or joined with the next
				waiting = event.Receipt{Epoch: "e1"}
			}
		}
	}
	if r, err := s.ReceiptOf(context.Background(), school, "e1"); err != nil || r.Through != hole-1 || len(r.Above) != receiptNumbers {
		t.Errorf("%d, %d above, %v", r.Through, len(r.Above), err)
	}
}

// TestWhatTheBrokerSaysIsNoSignOfLife: a will and a retained word come from the
// broker, when nobody knows how old they are.
func TestWhatTheBrokerSaysIsNoSignOfLife(t *testing.T) {
	ctx := context.Background()
	w := newWatch()
	s := ready(t, Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "dispatch.db"), Now: w.now})
	say := func(online, stale bool) {
		t.Helper()
		if _, err := s.Heard(ctx, Word{Gateway: school, Link: "mqtt", At: w.now(), Stale: stale, Status: event.Status{
			Online: online, Session: "s",
		}}); err != nil {
			t.Fatal(err)
		}
	}
	say(true, true)
	heard := w.now()
	say(true, false)
	w.add(time.Minute)
	say(true, true)
	say(false, false)
	if i, err := s.GatewayInfo(ctx, school); err != nil || !i.Heard.Equal(heard) {
		t.Errorf("heard %v, want %v; %v", i.Heard, heard, err)
	}
}
