package journal

import (
	"cmp"
	"context"
	"slices"
	"time"

	"nabat/gateway/alert"
)

// Stats is the journal at one moment.
type Stats struct {
	Epoch string `json:"epoch"`
	// LastSeq is the last number given in Epoch; 0 before the first.
	LastSeq uint64 `json:"last_seq"`
	// Durable says that what is committed now is on the disk.
	Durable bool `json:"durable"`
	// Pending is how many events wait for their commit.
	Pending int `json:"pending"`
	// Rows is how many rows stand in each lane, delivered or not.
	Rows    map[string]int64 `json:"rows"`
	Cursors []CursorStats    `json:"cursors"`
}

// CursorStats is one consumer's place in one lane.
type CursorStats struct {
	Consumer string `json:"consumer"`
	Lane     Lane   `json:"lane"`
	// Depth is how many rows are not yet advanced over.
	Depth int64 `json:"depth"`
	// OldestAge is the age of the first of them, 0 when there is none or its
	// age cannot be known.
	OldestAge time.Duration `json:"oldest_age_ns"`
	// Parked is how many rows the consumer gave up on.
	Parked int `json:"parked"`
}

// Stats returns the state of the queue for the enabled consumers, sorted. It
// costs one look-up by key for each cursor whose first row changed.
func (j *Journal) Stats() Stats {
	now := j.opt.Now()
	j.mu.Lock()
	st, b := j.st, j.book
	s := Stats{
		Epoch: b.epoch, LastSeq: b.seq, Durable: !st.memory && !j.closed,
		Pending: len(j.queue.lanes[Alarm]) + len(j.queue.lanes[Routine]),
		Rows:    make(map[string]int64),
	}
	type want struct {
		index int
		mark  *mark
		pos   int64
	}
	var wants []want
	for _, l := range Lanes() {
		s.Rows[l.String()] = b.last[l] - b.first[l] + 1
		for _, c := range j.opt.Consumers {
			m := b.mark(cursorKey{c, l})
			cs := CursorStats{Consumer: c, Lane: l, Depth: b.last[l] - m.pos, Parked: m.count}
			switch {
			case cs.Depth == 0:
			case m.oldestPos == m.pos+1:
				cs.OldestAge = now.Since(m.oldestAt)
			default:
				wants = append(wants, want{len(s.Cursors), m, m.pos + 1})
			}
			s.Cursors = append(s.Cursors, cs)
		}
	}
	closed := j.closed
	j.mu.Unlock()
	for _, w := range wants {
		if closed {
			break
		}
		at, ok := st.stampAt(s.Cursors[w.index].Lane, w.pos)
		if !ok {
			continue
		}
		s.Cursors[w.index].OldestAge = now.Since(at)
		j.mu.Lock()
		w.mark.oldestPos, w.mark.oldestAt = w.pos, at
		j.mu.Unlock()
	}
	slices.SortFunc(s.Cursors, func(a, b CursorStats) int {
		return cmp.Or(cmp.Compare(a.Consumer, b.Consumer), cmp.Compare(a.Lane, b.Lane))
	})
	return s
}

// stampAt reads when the first row at pos or after it was made.
func (st *store) stampAt(l Lane, pos int64) (alert.Stamp, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var wall, mono, synced int64
	var at alert.Stamp
	err := st.read.QueryRowContext(ctx, "SELECT wall_ns, boot, mono_ns, synced FROM "+l.String()+" WHERE pos >= ? ORDER BY pos LIMIT 1", pos).
		Scan(&wall, &at.Boot, &mono, &synced)
	if err != nil {
		return alert.Stamp{}, false // the writer or a cursor will meet the same error and act on it
	}
	at.Wall, at.Mono, at.Synced = wallTime(wall), time.Duration(mono), synced == 1
	return at, true
}
