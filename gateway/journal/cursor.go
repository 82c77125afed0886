package journal

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Cursor is one consumer's place in one lane. Its methods may be called from
// any goroutine; Read and Rewind are meant for one.
type Cursor struct {
	j   *Journal
	key cursorKey

	// Journal.mu guards the fields below.
	book uint32 // the database that next belongs to
	next int64  // the last position read
	// stuck counts the failures in a row to read after stuckAt.
	stuck   int
	stuckAt int64
}

// maxStuck is how often one place may fail to be read before the file counts
// as damaged: a bad sector lets everything but its own rows through, and only
// a salvage gets past it.
const maxStuck = 3

// Cursor returns the cursor of a consumer in a lane. Two calls with the same
// arguments return the same one: a new connection calls Rewind. A consumer
// that was never here before starts at the oldest row that stands. One that is
// not listed in Options.Consumers may read, and holds no rows.
func (j *Journal) Cursor(consumer string, lane Lane) *Cursor {
	j.mu.Lock()
	defer j.mu.Unlock()
	k := cursorKey{consumer, lane}
	c, ok := j.cursors[k]
	if !ok {
		c = &Cursor{j: j, key: k}
		j.cursors[k] = c
	}
	return c
}

// Read returns up to n rows after the last one read, in order, and none when
// there are none yet: Appended tells when there are. Rows that cannot be
// trusted any more are parked and left out. After an error nothing was read.
func (c *Cursor) Read(ctx context.Context, n int) ([]Row, error) {
	for {
		st, id, from, to, warm, err := c.window(n)
		if err != nil || from >= to {
			return nil, err
		}
		if len(warm) > 0 {
			if rows, ok := c.took(id, from, warm[len(warm)-1].Pos, warm, nil); ok && len(rows) > 0 {
				return rows, nil
			}
			continue
		}
		rows, end, bad, err := st.readPage(ctx, c.key.lane, from, to, n)
		if err != nil {
			if c.j.moved(st) {
				continue
			}
			if ctx.Err() == nil {
				c.j.blame(st, c.judge(from, err))
			}
			return nil, fmt.Errorf("read journal %s, %s lane after %d: %w", st.name, c.key.lane, from, err)
		}
		if rows, ok := c.took(id, from, end, rows, bad); ok && len(rows) > 0 {
			return rows, nil
		}
	}
}

// judge makes damage of an error that does not go away.
func (c *Cursor) judge(from int64, err error) error {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	if c.stuckAt != from {
		c.stuck, c.stuckAt = 0, from
	}
	c.stuck++
	if c.stuck < maxStuck {
		return err
	}
	c.stuck = 0
	return fmt.Errorf("%s lane cannot be read after %d (%w): %w", c.key.lane, from, err, errDamaged)
}

// window returns what may be read now: committed rows after the last one read,
// and up to n of them where they are in memory.
func (c *Cursor) window(n int) (st *store, book uint32, from, to int64, warm []Row, err error) {
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, 0, 0, 0, nil, ErrClosed
	}
	m := j.book.mark(c.key)
	if c.book != j.book.id {
		if c.book == j.former.book && j.former.through[c.key] {
			c.next += j.former.base[c.key.lane]
		} else {
			c.next = m.pos
		}
		c.book = j.book.id
	}
	c.next = max(c.next, m.pos)
	return j.st, c.book, c.next, j.book.last[c.key.lane], j.book.tails[c.key.lane].after(c.next, n), nil
}

// took notes what was read, unless the cursor was moved meanwhile. It fills in
// the rows' book, parks the bad ones and leaves out those parked before.
func (c *Cursor) took(book uint32, from, end int64, rows []Row, bad []badRow) ([]Row, bool) {
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if c.book != book || c.next != from {
		return nil, false
	}
	c.next, c.stuck = end, 0
	m := j.book.mark(c.key)
	for i := range rows {
		rows[i].book = book
	}
	if len(m.skip) > 0 {
		rows = slices.DeleteFunc(rows, func(r Row) bool { _, ok := m.skip[r.Pos]; return ok })
	}
	for _, b := range bad {
		if _, ok := m.skip[b.row.Pos]; ok {
			continue
		}
		b.row.book = book
		j.queue.parks = append(j.queue.parks, order{key: c.key, row: b.row, reason: b.reason})
		j.parkedLocked(order{key: c.key, row: b.row})
		m.count-- // counted when it is committed
	}
	if len(bad) > 0 {
		nudge(j.wake)
	}
	return rows, true
}

// Rewind makes the next Read start again after the last row advanced over.
func (c *Cursor) Rewind() {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	c.next = c.j.book.mark(c.key).pos
	c.book = c.j.book.id
}

// Advance says that r and every row before it in the lane need no further
// delivery. It never blocks; the disk learns of it with the next commit, at
// the latest after a tenth of a second. A crash before that brings the rows
// again, with the same Ref. Going back is ignored.
func (c *Cursor) Advance(r Row) {
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	b, pos := j.placeOf(r, c.key)
	if b == nil || r.Lane != c.key.lane || pos > b.last[r.Lane] {
		return
	}
	b.mark(c.key).advance(pos)
	nudge(j.late)
}

// Park gives up on a row for good: it is copied to the parked rows with the
// reason, a nabat.journal.parked event is appended, and the row is not read
// again. Rows before it stay undelivered until they are advanced over. Park
// returns when that is committed; in memory it is as durable as the rest.
func (c *Cursor) Park(ctx context.Context, r Row, reason string) error {
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	answer := make(chan error, 1)
	c.j.mu.Lock()
	if c.j.closed {
		c.j.mu.Unlock()
		return ErrClosed
	}
	c.j.queue.parks = append(c.j.queue.parks, order{key: c.key, row: r, reason: reason, done: answer})
	c.j.mu.Unlock()
	nudge(c.j.wake)
	select {
	case err := <-answer:
		if err != nil {
			return fmt.Errorf("park row %s-%d: %w", r.Ref.Epoch, r.Ref.Seq, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("park row %s-%d: %w", r.Ref.Epoch, r.Ref.Seq, ctx.Err())
	}
}

// maxReason bounds what a far end may say about a row, in bytes.
const maxReason = 1000

// parkedLocked takes a parked row out of its cursor's way.
func (j *Journal) parkedLocked(p order) {
	j.book.mark(p.key).count++
	b, pos := j.placeOf(p.row, p.key)
	if b == nil {
		return
	}
	m := b.mark(p.key)
	if pos > m.pos {
		m.skip[pos] = struct{}{}
		m.settle()
	}
}

// placeOf returns where a row that a consumer holds stands now; nil when its
// database is gone. j.mu is held.
func (j *Journal) placeOf(r Row, k cursorKey) (*book, int64) {
	switch {
	case r.book == 0:
		return nil, 0
	case r.book == j.book.id:
		return j.book, r.Pos
	case j.away != nil && j.away.file != nil && r.book == j.away.file.id:
		return j.away.file, r.Pos
	case r.book == j.former.book && j.former.through[k]:
		return j.book, r.Pos + j.former.base[r.Lane]
	}
	return nil, 0
}

// moved reports whether another database took over from st.
func (j *Journal) moved(st *store) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st != st && !j.closed
}

// blame gives the writer an error that somebody else met.
func (j *Journal) blame(st *store, err error) {
	j.mu.Lock()
	if j.st == st {
		j.fault = err
	}
	j.mu.Unlock()
	nudge(j.wake)
}

// badRow is a row that was found but cannot be trusted.
type badRow struct {
	row    Row
	reason string
}

// readPage reads up to n rows with positions in (from, to]. end is the last
// position looked at.
func (st *store) readPage(ctx context.Context, l Lane, from, to int64, n int) (rows []Row, end int64, bad []badRow, err error) {
	res, err := st.page[l].QueryContext(ctx, from, to, n)
	if err != nil {
		return nil, 0, nil, err
	}
	defer res.Close()
	rows = make([]Row, 0, min(n, 1024))
	end = from
	for res.Next() {
		var w raw
		scanErr := w.scan(res)
		if scanErr != nil {
			if err := w.scanLoose(res); err != nil {
				return nil, 0, nil, err
			}
		}
		end = w.pos
		r, err := w.row(l)
		if err == nil {
			err = scanErr
		}
		if err != nil {
			bad = append(bad, badRow{row: r, reason: err.Error()})
			continue
		}
		rows = append(rows, r)
	}
	if err := res.Err(); err != nil {
		return nil, 0, nil, err
	}
	if len(rows)+len(bad) < n {
		end = to // positions that retention has emptied
	}
	return rows, end, bad, nil
}
