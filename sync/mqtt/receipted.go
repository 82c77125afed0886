package mqtt

import (
	"context"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
)

const (
	// maxUnreceipted is how many rows of one lane may be without a receipt; then
	// the lane waits. It bounds memory (2 MB a lane) and what a new session
	// repeats. Rows that have one, behind others that have none, take no place.
	maxUnreceipted = 10_000
	// roomStep is how many places must be free before a full lane reads on, so
	// that it reads pages and not single rows.
	roomStep = 128
)

// receipted is a lane whose cursor is moved by receipts: a row that the broker
// alone has taken stays in the journal. It is the cursor.Source that the runner
// sees; the journal's own cursor is behind it. Row by row it costs a constant.
type receipted struct {
	source   cursor.Source
	appended func() <-chan struct{}
	said     *coverage
	hole     time.Duration // how old a sent row must be before it is missed
	longest  time.Duration // of wait

	mu    sync.Mutex    // guards the fields below
	rows  []unreceipted // rows[first:] were read and not passed, in order
	first int
	taken int           // rows[first:taken] were taken by the broker
	room  chan struct{} // closed when a full lane has room again; nil when nobody waits
	again chan struct{} // closed when asked
	asked bool          // that the runner rewinds
	moved time.Time     // when a receipt last passed a row
	since time.Time     // since when the broker has rows and no receipt passed one; zero for not
	tries int           // repetitions for the first row
	lacks alert.Ref     // the first row, where there are any
	wait  time.Duration // between the last repetition and the next
	next  time.Time     // the earliest repetition
	tight time.Time     // when squeeze was last tried
}

// unreceipted is a row that dispatch is not known to have.
type unreceipted struct {
	row    journal.Row // its place and name only
	taken  time.Time   // by the broker; zero before
	parked bool
	// stored says that dispatch has it, and perhaps others just before it that
	// are not listed.
	stored bool
}

func newReceipted(l cursor.Lane, said *coverage, t Timing) *receipted {
	return &receipted{
		source: l.Source, appended: l.Appended, said: said, hole: t.Hole, longest: t.Again,
		again: make(chan struct{}),
	}
}

// lane returns the lane for the runner.
func (l *receipted) lane() cursor.Lane {
	return cursor.Lane{Source: l, Appended: l.Appended, Again: l.Again}
}

// free returns how many rows may still be read. l.mu is held.
func (l *receipted) free() int { return maxUnreceipted - (len(l.rows) - l.first) }

// Appended implements cursor.Lane: in a full lane only room is news.
func (l *receipted) Appended() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free() >= roomStep {
		return l.appended()
	}
	if l.room == nil {
		l.room = make(chan struct{})
	}
	return l.room
}

// Again implements cursor.Lane.
func (l *receipted) Again() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.again
}

// Read implements cursor.Source.
func (l *receipted) Read(ctx context.Context, n int) ([]journal.Row, error) {
	l.mu.Lock()
	free := l.free()
	l.mu.Unlock()
	if free < roomStep {
		return nil, nil
	}
	// Only the runner reads and rewinds, so nothing comes between.
	rows, err := l.source.Read(ctx, min(n, free))
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rows {
		r.Data, r.Type, r.Subject, r.At = nil, "", "", alert.Stamp{}
		one := unreceipted{row: r, stored: l.said.covers(r.Ref)}
		if n := len(l.rows); one.stored && n > max(l.first, l.taken) && l.rows[n-1].stored {
			l.rows[n-1] = one
			continue
		}
		l.rows = append(l.rows, one)
	}
	return rows, nil
}

// Rewind implements cursor.Source: reading begins again after the last row that
// a receipt has passed.
func (l *receipted) Rewind() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep()
	clear(l.rows)
	l.rows, l.first, l.taken = l.rows[:0], 0, 0
	l.makeRoom()
	if l.asked {
		l.asked, l.again = false, make(chan struct{})
	}
	l.source.Rewind()
}

// find returns the index of a row that the broker has not taken yet, or -1
// where a receipt was faster. The runner holds few of them. l.mu is held.
func (l *receipted) find(ref alert.Ref) int {
	for i := l.taken; i < len(l.rows); i++ {
		if l.rows[i].row.Ref == ref {
			return i
		}
	}
	return -1
}

// Advance implements cursor.Source: the broker has taken row and all before it.
func (l *receipted) Advance(row journal.Row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.find(row.Ref)
	if i < 0 {
		return
	}
	now := time.Now()
	for ; l.taken <= i; l.taken++ {
		l.rows[l.taken].taken = now
	}
	if l.since.IsZero() {
		l.since = now
	}
	l.sweep()
}

// Park implements cursor.Source. Rows before it may wait for their receipts.
func (l *receipted) Park(ctx context.Context, row journal.Row, reason string) error {
	// What came by another way is not to be given up on.
	parked := !l.said.covers(row.Ref)
	if parked {
		if err := l.source.Park(ctx, row, reason); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.find(row.Ref); i >= 0 {
		l.rows[i].parked = parked
	}
	l.sweep()
	return nil
}

// sweep passes the first rows as far as dispatch has them. l.mu is held.
func (l *receipted) sweep() {
	var last journal.Row
	stored, begin := false, l.first
	for ; l.first < len(l.rows); l.first++ {
		w := &l.rows[l.first]
		// The journal has passed a parked row by itself.
		if !w.parked {
			if !l.said.covers(w.row.Ref) {
				break
			}
			last, stored = w.row, true
		}
		*w = unreceipted{}
	}
	if l.first == begin {
		return
	}
	l.taken = max(l.taken, l.first)
	now := time.Now()
	if stored {
		l.moved = now
		l.source.Advance(last)
	}
	l.tries, l.wait, l.next, l.since = 0, 0, time.Time{}, time.Time{}
	if l.taken > l.first {
		l.since = now
	}
	// Half of the slice at least is free, so each row is copied once at most.
	if l.first > len(l.rows)/2 {
		n := copy(l.rows, l.rows[l.first:])
		clear(l.rows[n:])
		l.rows, l.taken, l.first = l.rows[:n], l.taken-l.first, 0
	}
	l.makeRoom()
}

// squeeze leaves of rows in a row that dispatch has only the last, so that one
// row that it does not get to store cannot stop a lane. l.mu is held.
func (l *receipted) squeeze() {
	kept, taken := l.rows[:0], 0
	for i := l.first; i < l.taken; i++ {
		w := l.rows[i]
		w.stored = !w.parked && l.said.covers(w.row.Ref)
		if w.stored && taken > 0 && kept[taken-1].stored {
			taken--
		}
		kept = append(kept[:taken], w)
		taken++
	}
	kept = append(kept, l.rows[l.taken:]...)
	clear(l.rows[len(kept):])
	l.rows, l.first, l.taken = kept, 0, taken
	l.makeRoom()
}

// makeRoom wakes the runner if it waits for room that is there now. l.mu is
// held.
func (l *receipted) makeRoom() {
	if l.room != nil && l.free() >= roomStep {
		close(l.room)
		l.room = nil
	}
}

// heard is called after every receipt. A row that the broker took a while ago
// while no receipt passes any row was lost behind the broker: the lane is sent
// again from there on. Waits double, so that one event which dispatch can never
// store makes no storm.
func (l *receipted) heard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep()
	now := time.Now()
	if l.free() < roomStep && now.Sub(l.moved) >= l.hole && now.Sub(l.tight) >= l.hole {
		l.tight = now
		l.squeeze()
	}
	if l.asked || l.taken == l.first || now.Sub(l.rows[l.first].taken) < l.hole ||
		now.Sub(l.moved) < l.hole || now.Before(l.next) {
		return
	}
	l.asked = true
	close(l.again)
	l.tries++
	l.lacks = l.rows[l.first].row.Ref
	l.wait = min(max(2*l.wait, l.hole), l.longest)
	l.next = now.Add(l.wait)
}

// plight is what a person may want to know about a lane.
type plight struct {
	quiet time.Duration // how long no receipt has passed the first row
	tries int           // how often it was sent again because of receipts
	lacks alert.Ref     // its name, where it was
	full  bool
}

func (l *receipted) plight() plight {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := plight{tries: l.tries, lacks: l.lacks, full: l.free() < roomStep}
	if !l.since.IsZero() {
		p.quiet = time.Since(l.since)
	}
	return p
}
