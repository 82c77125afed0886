package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/cursor/cursortest"
	"nabat/sync/event"
)

func TestSpansHoldWhatWasAddedAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s spans
		want := make(map[uint64]bool)
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			from := rapid.Uint64Range(1, 80).Draw(t, "from")
			to := from + rapid.Uint64Range(0, 12).Draw(t, "length")
			s = s.add(from, to)
			for n := from; n <= to; n++ {
				want[n] = true
			}
		}
		for n := range uint64(100) {
			if s.has(n) != want[n] {
				t.Fatalf("has(%d) is %v in %v", n, !want[n], s)
			}
		}
		for i := range s {
			if s[i].from > s[i].to || i > 0 && s[i].from <= s[i-1].to+1 {
				t.Fatalf("ranges overlap or touch: %v", s)
			}
		}
	})
}

func TestSpansAreBounded(t *testing.T) {
	var s spans
	for n := range uint64(maxSpans + 100) {
		s = s.add(2*n+2, 2*n+2)
	}
	s = s.add(^uint64(0), ^uint64(0))
	if len(s) != maxSpans || !s.has(2) || s.has(^uint64(0)) {
		t.Errorf("%d ranges, want the lowest %d", len(s), maxSpans)
	}
	if s = s.add(1, ^uint64(0)); len(s) != 1 || !s.has(^uint64(0)) {
		t.Errorf("everything makes %d ranges", len(s))
	}
}

func TestManyEpochsAreRememberedAndTheSilentOneGoesFirst(t *testing.T) {
	var c coverage
	for i := range maxEpochs + 1 {
		c.add(event.Receipt{Epoch: fmt.Sprint(i), Through: 5, Above: []uint64{9}})
		c.add(event.Receipt{Epoch: "0", Above: []uint64{20 + uint64(i)}})
	}
	for _, ref := range []alert.Ref{{Epoch: "0", Seq: 5}, {Epoch: "0", Seq: 20}, {Epoch: "0", Seq: 36}, {Epoch: "16", Seq: 9}, {Epoch: "2", Seq: 1}} {
		if !c.covers(ref) {
			t.Errorf("%v is forgotten", ref)
		}
	}
	for _, ref := range []alert.Ref{{Epoch: "1", Seq: 1}, {Epoch: "0", Seq: 6}, {Epoch: "2", Seq: 0}, {Epoch: "other", Seq: 1}} {
		if c.covers(ref) {
			t.Errorf("%v is covered", ref)
		}
	}
}

// course is a lane by receipts in the hands of a property test.
type course struct {
	t      *rapid.T
	memory *cursortest.Memory
	said   coverage
	lane   *receipted
	next   uint64          // the next sequence
	has    map[uint64]bool // what dispatch has
	buf    []journal.Row   // read and not advanced over
	sent   map[uint64]int
}

func (c *course) check() {
	for _, w := range c.memory.Wrong() {
		c.t.Fatalf("against the lane's contract: %s", w)
	}
	for seq := uint64(1); seq <= uint64(c.memory.Passed()); seq++ {
		if !c.has[seq] {
			c.t.Fatalf("the cursor passed %d, which dispatch does not have", seq)
		}
	}
}

func (c *course) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"append": func(t *rapid.T) {
			for range rapid.IntRange(1, 200).Draw(t, "n") {
				c.memory.Append(journal.Row{Ref: alert.Ref{Epoch: "e", Seq: c.next}})
				c.next++
			}
		},
		"read": func(t *rapid.T) {
			rows, err := c.lane.Read(context.Background(), rapid.IntRange(1, 128).Draw(t, "n"))
			if err != nil {
				t.Fatal(err)
			}
			c.buf = append(c.buf, rows...)
		},
		"advance": func(t *rapid.T) {
			if len(c.buf) == 0 {
				return
			}
			i := rapid.IntRange(0, len(c.buf)-1).Draw(t, "i")
			for _, r := range c.buf[:i+1] {
				c.sent[r.Ref.Seq]++
			}
			c.lane.Advance(c.buf[i])
			c.buf = c.buf[i+1:]
		},
		"receipt": func(t *rapid.T) {
			var above []uint64
			for _, seq := range rapid.SliceOf(rapid.Uint64Range(1, c.next)).Draw(t, "stored") {
				if c.sent[seq] > 0 {
					c.has[seq] = true
					above = append(above, seq)
				}
			}
			slices.Sort(above)
			through := uint64(0)
			for rapid.Bool().Draw(t, "more") && c.sent[through+1] > 0 {
				through++
				c.has[through] = true
			}
			c.said.add(event.Receipt{Epoch: "e", Through: through, Above: slices.Compact(above)})
			c.lane.heard()
		},
		"rewind":  func(*rapid.T) { c.lane.Rewind(); c.buf = nil },
		"squeeze": func(*rapid.T) { c.lane.mu.Lock(); defer c.lane.mu.Unlock(); c.lane.squeeze() },
		"":        func(*rapid.T) { c.check() },
	}
}

// TestTheCursorNeverPassesWhatDispatchLacks also checks that all of it is sent
// again after a rewind, and that the cursor comes to the end.
func TestTheCursorNeverPassesWhatDispatchLacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &course{
			t: t, memory: cursortest.NewMemory(journal.Routine), next: 1,
			has: make(map[uint64]bool), sent: make(map[uint64]int),
		}
		c.lane = newReceipted(c.memory.Lane(), &c.said, Timing{}.withDefaults())
		t.Repeat(c.actions())

		c.lane.Rewind()
		clear(c.sent)
		for {
			rows, err := c.lane.Read(context.Background(), 128)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				break
			}
			for _, r := range rows {
				c.sent[r.Ref.Seq]++
			}
			c.lane.Advance(rows[len(rows)-1])
		}
		for seq := uint64(1); seq < c.next; seq++ {
			if !c.has[seq] && c.sent[seq] != 1 {
				t.Fatalf("%d was sent %d times after the rewind", seq, c.sent[seq])
			}
			c.has[seq] = true
		}
		c.said.add(event.Receipt{Epoch: "e", Through: c.next - 1})
		c.lane.heard()
		c.check()
		if n := uint64(c.memory.Passed()); n != c.next-1 {
			t.Fatalf("the cursor stands at %d of %d", n, c.next-1)
		}
	})
}

func TestAParkedRowNeedsNoReceipt(t *testing.T) {
	memory := cursortest.NewMemory(journal.Alarm)
	for seq := range uint64(3) {
		memory.Append(journal.Row{Ref: alert.Ref{Epoch: "e", Seq: seq + 1}})
	}
	var said coverage
	l := newReceipted(memory.Lane(), &said, Timing{}.withDefaults())
	rows, err := l.Read(t.Context(), 128)
	if err != nil || len(rows) != 3 {
		t.Fatalf("read %d rows, %v", len(rows), err)
	}
	if err := l.Park(t.Context(), rows[0], "refused"); err != nil {
		t.Fatal(err)
	}
	l.Advance(rows[2])
	said.add(event.Receipt{Epoch: "e", Above: []uint64{2, 3}})
	l.heard()
	if n, wrong := memory.Passed(), memory.Wrong(); n != 3 || len(wrong) > 0 {
		t.Errorf("%d rows were passed, want 3; %v", n, wrong)
	}
}

// TestARowThatDispatchHasIsNotParked: it came by another way while this link
// found that it cannot carry it.
func TestARowThatDispatchHasIsNotParked(t *testing.T) {
	memory := cursortest.NewMemory(journal.Alarm)
	memory.Append(journal.Row{Ref: alert.Ref{Epoch: "e", Seq: 1}})
	memory.Append(journal.Row{Ref: alert.Ref{Epoch: "e", Seq: 2}})
	var said coverage
	l := newReceipted(memory.Lane(), &said, Timing{}.withDefaults())
	rows, err := l.Read(t.Context(), 128)
	if err != nil || len(rows) != 2 {
		t.Fatalf("read %d rows, %v", len(rows), err)
	}
	l.Advance(rows[0])
	said.add(event.Receipt{Epoch: "e", Through: 2})
	if err := l.Park(t.Context(), rows[1], "too large"); err != nil {
		t.Fatal(err)
	}
	if n := memory.Passed(); n != 2 {
		t.Errorf("%d rows were passed, want 2: no other receipt may come", n)
	}
	if why, ok := memory.Parked()[rows[1].Ref]; ok {
		t.Errorf("parked: %s", why)
	}
}

// TestAHoleBehindManyReceiptedRowsIsAskedFor: the rows before it have left the
// memory, and those that the broker took are still known to be so.
func TestAHoleBehindManyReceiptedRowsIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := cursortest.NewMemory(journal.Alarm)
		for seq := range uint64(10) {
			memory.Append(journal.Row{Ref: alert.Ref{Epoch: "e", Seq: seq + 1}})
		}
		var said coverage
		timing := Timing{}.withDefaults()
		l := newReceipted(memory.Lane(), &said, timing)
		rows, err := l.Read(t.Context(), 128)
		if err != nil || len(rows) != 10 {
			t.Fatalf("read %d rows, %v", len(rows), err)
		}
		l.Advance(rows[9])
		said.add(event.Receipt{Epoch: "e", Through: 6})
		l.heard()
		<-time.After(2 * timing.Hole)
		l.heard()
		select {
		case <-l.Again():
		default:
			t.Errorf("%d rows are with the broker, and nobody asks for their receipts", l.handed())
		}
	})
}

// TestAnEventThatIsNeverStoredMakesNoStorm plays half a day with a dispatch
// that speaks every second and never has the first event.
func TestAnEventThatIsNeverStoredMakesNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := cursortest.NewMemory(journal.Alarm)
		memory.Append(journal.Row{Ref: alert.Ref{Epoch: "e", Seq: 1}})
		h := new(health.Registry)
		w := newWitness(Options{Alarm: memory.Lane(), Routine: cursortest.NewMemory(journal.Routine).Lane(), Health: h}, Timing{}.withDefaults(), slog.New(slog.DiscardHandler))
		var sent []time.Time
		send := func() {
			w.alarm.Rewind()
			rows, err := w.alarm.Read(t.Context(), 128)
			if err != nil || len(rows) != 1 {
				t.Fatalf("read %d rows, %v", len(rows), err)
			}
			sent = append(sent, time.Now())
			w.alarm.Advance(rows[0])
		}
		send()
		for range 12 * 3600 {
			tick(time.Second)
			w.hear(event.Receipt{Epoch: "e", Above: []uint64{2}})
			select {
			case <-w.alarm.Again():
				send()
			default:
			}
		}
		if first := sent[1].Sub(sent[0]); first < 10*time.Second || first > 12*time.Second {
			t.Errorf("it was sent again after %v", first)
		}
		if n := len(sent); n < 12*12 || n > 12*12+6 {
			t.Errorf("it was sent %d times in twelve hours, want about one in five minutes", n)
		}
		if !holds(h, conditionLacks) || holds(h, conditionSilent) {
			t.Errorf("conditions are %v", h.List())
		}
		w.hear(event.Receipt{Epoch: "e", Through: 1})
		if len(h.List()) != 0 || memory.Passed() != 1 {
			t.Errorf("conditions are %v, %d passed", h.List(), memory.Passed())
		}
	})
}

func TestASilentDispatchIsNamedAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := cursortest.NewMemory(journal.Alarm)
		h := new(health.Registry)
		w := newWitness(Options{Alarm: memory.Lane(), Routine: cursortest.NewMemory(journal.Routine).Lane(), Health: h}, Timing{}.withDefaults(), slog.New(slog.DiscardHandler))
		tick(time.Hour) // nothing to confirm is no silence
		memory.Append(journal.Row{Ref: alert.Ref{Epoch: "e", Seq: 1}})
		for i := range 5 {
			// A link that flaps does not begin the minute anew.
			w.alarm.Rewind()
			rows, err := w.alarm.Read(t.Context(), 128)
			if err != nil || len(rows) != 1 {
				t.Fatalf("read %d rows, %v", len(rows), err)
			}
			w.alarm.Advance(rows[0])
			w.review()
			if got, want := holds(h, conditionSilent), i >= 3; got != want {
				t.Errorf("after %d s the condition is %v", 20*i, got)
			}
			tick(20 * time.Second)
		}
		w.hear(event.Receipt{Epoch: "e", Through: 1})
		if len(h.List()) != 0 {
			t.Errorf("conditions are %v", h.List())
		}
	})
}

func holds(h *health.Registry, name string) bool {
	return slices.ContainsFunc(h.List(), func(c health.Condition) bool { return c.Name == name })
}
