package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"nabat/gateway/alert"
)

// exile is the time that the journal spends in memory. The writer owns it;
// file is also read under Journal.mu.
//
// Rows of the memory go to the file under their own names, at positions that
// are the memory's plus base, so that the order of each lane is kept.
type exile struct {
	file  *book        // of the file that was left; nil when none was ever open
	base  [lanes]int64 // where the rows of this exile begin in the file
	moved [lanes]int64 // positions in memory that the file has already
	based bool         // base is known
	next  time.Time    // when to try again
	under bool         // a try is under way
	final bool         // the file must not be touched: it belongs to a newer program
}

// homecoming is what a try to return to the file came to.
type homecoming struct {
	st   *store // nil when err is set
	file *book
	exile
	alerts []alert.Alert
	refs   map[alert.Key]alert.Ref
	err    error
}

// former tells where the rows of the last exile are now. Journal.mu guards it.
type former struct {
	book uint32
	base [lanes]int64
	// through are the cursors that had nothing unread in the file, so that a
	// place in memory is a place in the file.
	through map[cursorKey]bool
}

// comeBack tries to return to the file, in a goroutine, because a dying disk
// can hold whoever asks it for a long time.
func (j *Journal) comeBack() {
	a := j.away
	if a.final || a.under || time.Now().Before(a.next) {
		return
	}
	if j.lock == nil {
		if err := j.takeLock(); err != nil {
			a.next = time.Now().Add(j.opt.RetryEvery)
			return
		}
	}
	a.under = true
	h := homecoming{exile: *a}
	if a.file != nil {
		h.file = &book{epoch: a.file.epoch, seq: a.file.seq, last: a.file.last}
	}
	mem := j.st
	j.chores.wg.Go(func() {
		h.err = j.carry(j.chores.ctx, mem, &h)
		select {
		case j.chores.home <- h:
		case <-j.chores.ctx.Done():
			h.st.close()
		}
	})
}

// carry opens the file as it is and copies the rows of memory to it until few
// are left. It owns the file's connections until it hands them over.
func (j *Journal) carry(ctx context.Context, mem *store, h *homecoming) (err error) {
	defer func() {
		if err != nil {
			h.st.close()
			h.st = nil
		}
	}()
	if err := finishAside(j.opt.Path); err != nil {
		return err
	}
	if err := touch(j.opt.Path); err != nil {
		return err
	}
	if h.st, err = openStore(ctx, j.opt.Path, false); err != nil {
		return err
	}
	b, err := h.st.load(ctx)
	if err != nil {
		return err
	}
	if h.alerts, h.refs, err = loadAlerts(ctx, h.st.conn); err != nil {
		return err
	}
	if h.file == nil || h.file.epoch != b.epoch {
		h.based, h.moved = false, [lanes]int64{}
	} else {
		// What stands behind the acknowledged rows is a batch whose commit
		// seemed to fail. Nobody has read it, and it is in memory too.
		b.seq, b.last = h.file.seq, h.file.last
	}
	h.file = b
	if !h.based {
		h.base, h.based = b.last, true
	}
	if err := h.st.transact(func() error {
		for _, l := range Lanes() {
			if err := h.st.deleteAfter(ctx, l, b.last[l]); err != nil {
				return err
			}
		}
		return h.st.saveCounters(b.seq, b.last)
	}); err != nil {
		return err
	}
	for {
		left, err := j.carrySome(ctx, mem, h, nil)
		if err != nil || left < maxBatch {
			return err
		}
	}
}

// carrySome copies at most one batch of each lane and returns how many rows
// are left. also is more work for the same transaction; may be nil.
func (j *Journal) carrySome(ctx context.Context, mem *store, h *homecoming, also func() error) (left int64, err error) {
	var rows []Row
	moved, last := h.moved, h.file.last
	for _, l := range Lanes() {
		to := j.lastOf(mem, l)
		page, end, _, err := mem.readPage(ctx, l, moved[l], to, maxBatch)
		if err != nil {
			return 0, fmt.Errorf("read the journal in memory: %w", err)
		}
		moved[l] = end
		left += max(to-end, 0)
		for _, r := range page {
			r.Pos += h.base[l]
			last[l] = r.Pos
			rows = append(rows, r)
		}
	}
	err = h.st.transact(func() error {
		for _, r := range rows {
			if err := h.st.insertRow(r); err != nil {
				return err
			}
		}
		if also != nil {
			if err := also(); err != nil {
				return err
			}
		}
		return h.st.saveCounters(h.file.seq, last)
	})
	if err != nil {
		return 0, fmt.Errorf("move rows from memory: %w", err)
	}
	h.moved, h.file.last = moved, last
	return left, nil
}

// lastOf returns the last committed position of a lane, as long as st is current.
func (j *Journal) lastOf(st *store, l Lane) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.st != st {
		return 0
	}
	return j.book.last[l]
}

// arrive ends a try to return: with the file in use again, or a note to try
// later. Only the last few rows are moved here, while nothing else is written.
func (j *Journal) arrive(ctx context.Context, h homecoming) {
	a := j.away
	if h.err == nil {
		h.err = j.moveIn(ctx, &h)
	}
	if h.err == nil {
		return
	}
	h.st.close()
	j.mu.Lock()
	a.under, a.next = false, time.Now().Add(j.opt.RetryEvery)
	a.final = errors.Is(h.err, ErrNewerSchema)
	a.moved, a.base, a.based = h.moved, h.base, h.based
	switch {
	case h.file == nil:
	case a.file == nil || a.file.epoch != h.file.epoch:
		a.file = h.file // what was moved stands there: the next try goes on behind it
	default:
		a.file.last = h.file.last
	}
	j.mu.Unlock()
	if diagnose(h.err) == troubleDamaged {
		aside, err := setAside(j.opt.Path)
		if err != nil {
			j.opt.Log.Warn("journal: cannot set the damaged file aside", "error", err)
		} else {
			j.opt.Health.Set(conditionDamaged, "The journal file was damaged and is set aside as "+aside+"; what is readable is taken over.")
			if a.file != nil {
				j.chores.acked[aside] = remember(a.file)
			}
			j.mu.Lock()
			a.file, a.based, a.moved = nil, false, [lanes]int64{}
			j.mu.Unlock()
		}
	}
	if diagnose(h.err) == troubleFull {
		j.ballast.release()
	}
	j.opt.Log.Debug("journal: still in memory", "error", h.err)
}

// moveIn moves what is left and makes the file current.
func (j *Journal) moveIn(ctx context.Context, h *homecoming) error {
	mem, memBook, old := j.st, j.book, j.away.file
	for {
		left, err := j.carrySome(ctx, mem, h, nil)
		if err != nil {
			return err
		}
		if left == 0 {
			break
		}
	}
	f := former{book: memBook.id, base: h.base, through: make(map[cursorKey]bool)}
	j.mu.Lock()
	if old != nil && old.epoch == h.file.epoch {
		j.inherit(h.file, old)
	}
	for k, m := range memBook.marks {
		n := h.file.mark(k)
		n.count += m.count
		if n.pos < h.base[k.lane] {
			continue // it has older rows to read first, and will see these again
		}
		f.through[k] = true
		n.advance(h.base[k.lane] + m.pos)
		for pos := range m.skip {
			n.skip[h.base[k.lane]+pos] = struct{}{}
		}
	}
	j.mu.Unlock()
	list := h.alerts[:0:0]
	for _, a := range h.alerts {
		if _, known := j.refs[a.Key]; !known {
			list = append(list, a)
		}
	}
	for key, ref := range j.refs {
		if a, ok := j.state.Alert(key); ok {
			list = append(list, a)
			h.refs[key] = ref
		}
	}
	state := alert.NewState(list...)
	if _, err := j.carrySome(ctx, mem, h, func() error {
		if err := j.copyParked(ctx, mem, h.st); err != nil {
			return err
		}
		return h.st.saveAlerts(state, h.refs)
	}); err != nil {
		return err
	}
	j.state, j.refs = state, maps.Clone(h.refs)
	j.mu.Lock()
	j.away, j.former = nil, f
	j.mu.Unlock()
	j.adopt(h.st, h.file)
	mem.close()
	j.opt.Log.Info("journal: the file is in use again", "path", j.opt.Path, "alarms_moved", h.moved[Alarm], "routine_moved", h.moved[Routine])
	j.opt.Health.Clear(conditionMemory)
	j.opt.Health.Clear(conditionUnknown)
	j.tellRecovered()
	j.startSalvage()
	return nil
}

// inherit takes over what consumers did with a file since it was last read.
// j.mu is held.
func (j *Journal) inherit(b, old *book) {
	b.id = old.id
	for k, m := range old.marks {
		n := b.mark(k)
		n.advance(min(m.pos, b.last[k.lane]))
		n.count = max(n.count, m.count)
		for pos := range m.skip {
			if pos > n.pos && pos <= b.last[k.lane] {
				n.skip[pos] = struct{}{}
			}
		}
		n.settle()
	}
}

// copyParked takes the rows that were parked in memory to the file.
func (j *Journal) copyParked(ctx context.Context, mem, to *store) error {
	return query(ctx, mem.conn, func(s scanner) error {
		var o order
		var seq, wall int64
		if err := s.Scan(&o.key.consumer, &o.key.lane, &o.row.Ref.Epoch, &seq, &o.row.Type, &o.row.Subject, &o.row.Data, &o.reason, &wall); err != nil {
			return err
		}
		o.row.Ref.Seq = uint64(seq)
		// Without a position: a cursor that did not pass them parks them again.
		return to.insertParked(o, nil, alert.Stamp{Wall: wallTime(wall)})
	}, "SELECT consumer, lane, epoch, seq, type, subject, data, reason, wall_ns FROM parked")
}

func (st *store) deleteAfter(ctx context.Context, l Lane, pos int64) error {
	if _, err := st.conn.ExecContext(ctx, "DELETE FROM "+l.String()+" WHERE pos > ?", pos); err != nil {
		return fmt.Errorf("delete unacknowledged %s rows: %w", l, err)
	}
	return nil
}
