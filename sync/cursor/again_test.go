package cursor_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/cursor/cursortest"
)

// forgetful is a lane whose far end loses behind our back what it took.
type forgetful struct {
	*cursortest.Memory
	mu    sync.Mutex
	again chan struct{} // guarded by mu
	asked bool          // guarded by mu
	keep  bool          // guarded by mu: Advance counts, since a wish was granted
}

func (f *forgetful) Again() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.again
}

func (f *forgetful) Rewind() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked {
		f.asked, f.keep, f.again = false, true, make(chan struct{})
	}
	f.Memory.Rewind()
}

func (f *forgetful) Advance(r journal.Row) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keep {
		f.Memory.Advance(r)
	}
}

func (f *forgetful) ask() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = true
	close(f.again)
}

func TestALaneIsSentAgainWhenItAsks(t *testing.T) {
	for name, flying := range map[string]bool{"while nothing is on its way": false, "while rows are on their way": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lane := &forgetful{Memory: cursortest.NewMemory(journal.Routine), again: make(chan struct{})}
				r := newRig(1, 0, func(o *cursor.Options) {
					o.Routine = cursor.Lane{Source: lane, Appended: lane.Appended, Again: lane.Again}
				})
				r.far.mu.Lock()
				r.far.latency = time.Second
				r.far.mu.Unlock()
				lane.Append(rows(1, 100)...)
				pause(time.Minute)
				if flying {
					lane.Append(rows(101, 5)...)
					pause(time.Millisecond)
				}
				if p := lane.Passed(); p != 0 {
					t.Fatalf("%d rows were passed", p)
				}
				before := len(r.far.rows())
				lane.ask()
				r.alarm.Append(rows(1000, 1)...)
				pause(time.Minute)
				want := 100
				if flying {
					want = 105
				}
				if p := lane.Passed(); p != want || len(lane.Wrong()) > 0 {
					t.Errorf("%d rows were passed, want %d; %v", p, want, lane.Wrong())
				}
				if n := len(r.far.rows()) - before; n != want+1 && n != want+6 {
					t.Errorf("%d rows came after the wish, want %d", n, want+1)
				}
				if n := len(r.far.opened()); n != 1 {
					t.Errorf("%d sessions were opened, want one", n)
				}
				if err := r.end(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// hasty is a lane in which a row is committed right after a reader found it
// empty.
type hasty struct {
	*cursortest.Memory
	row journal.Row
	did bool
}

// Read implements cursor.Source.
func (h *hasty) Read(ctx context.Context, n int) ([]journal.Row, error) {
	list, err := h.Memory.Read(ctx, n)
	if err == nil && len(list) == 0 && !h.did {
		h.did = true
		h.Append(h.row)
	}
	return list, err
}

// TestARowThatComesBetweenALookAndAWaitIsSeen: nobody would ring a second time,
// and a call for help would lie there until the next one.
func TestARowThatComesBetweenALookAndAWaitIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := &hasty{Memory: cursortest.NewMemory(journal.Alarm), row: rows(1, 1)[0]}
		r := newRig(1, 0, func(o *cursor.Options) {
			o.Alarm = cursor.Lane{Source: lane, Appended: lane.Appended}
		})
		pause(time.Minute)
		if n := len(r.far.rows()); n != 1 {
			t.Errorf("%d rows arrived, want 1", n)
		}
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
	})
}
