package journal

import (
	"context"
	"fmt"

	"nabat/gateway/alert"
)

const (
	// keepChunk is how many rows one deletion takes away, so that an alarm
	// never waits long behind one.
	keepChunk = 32
	// keepRounds bounds the deletions of one second.
	keepRounds = 40
	// dropChunk is how many routine rows the hard cap takes at once, at most;
	// each time costs one gap marker.
	dropChunk = 1024
)

// retain deletes rows that every enabled consumer has passed and that are too
// old or too many, then enforces the cap on routine rows.
func (j *Journal) retain() error {
	for range keepRounds {
		more := false
		for _, l := range Lanes() {
			n, err := j.retainLane(l)
			if err != nil {
				return err
			}
			more = more || n == keepChunk
		}
		if over := j.book.last[Routine] - j.book.first[Routine] + 1 - j.opt.RoutineCap; over > 0 {
			if err := j.dropRoutine(min(over+j.opt.RoutineCap/20, dropChunk), "the limit on routine events is reached"); err != nil {
				return err
			}
			more = true
		}
		j.mu.Lock()
		waiting := len(j.queue.lanes[Alarm])+len(j.queue.lanes[Routine]) > 0
		j.mu.Unlock()
		if !more || waiting {
			return nil
		}
	}
	return nil
}

// retainLane deletes at most keepChunk rows of a lane and says how many.
func (j *Journal) retainLane(l Lane) (int64, error) {
	b := j.book
	passed := j.passedByAll(l)
	now := j.opt.Now()
	j.calendar.look(now)
	upTo := min(passed, b.first[l]+keepChunk-1)
	surplus := min(upTo, passed-j.opt.KeepRows)
	for upTo >= b.first[l] && upTo > surplus {
		at, ok := j.st.stampAt(l, upTo)
		if ok && j.calendar.age(now, at) > j.opt.Keep {
			break
		}
		// The last one is too young: look at half as many.
		upTo = b.first[l] + (upTo-b.first[l]+1)/2 - 1
	}
	upTo = max(upTo, surplus)
	n := upTo - b.first[l] + 1
	if n <= 0 {
		return 0, nil
	}
	if err := j.st.transact(func() error { return j.st.deleteRows(l, upTo) }); err != nil {
		return 0, err
	}
	j.mu.Lock()
	b.first[l] = upTo + 1
	j.mu.Unlock()
	j.chores.written += int(n)/4 + 1
	return n, nil
}

// passedByAll returns the position up to which every enabled consumer is done.
func (j *Journal) passedByAll(l Lane) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	passed := j.book.last[l]
	for _, c := range j.opt.Consumers {
		passed = min(passed, j.book.mark(cursorKey{c, l}).saved)
	}
	return passed
}

func (st *store) deleteRows(l Lane, upTo int64) error {
	if _, err := st.stmt.deleteUpTo[l].ExecContext(context.Background(), upTo); err != nil {
		return fmt.Errorf("delete %s rows up to %d: %w", l, upTo, err)
	}
	return nil
}

// dropRoutine deletes the n oldest routine rows, read or not, moves the
// cursors over them and writes down which ones some consumer has not seen.
func (j *Journal) dropRoutine(n int64, why string) error {
	b := j.book
	upTo := min(b.first[Routine]+n-1, b.last[Routine])
	if upTo < b.first[Routine] {
		return nil
	}
	unread := max(j.passedByAll(Routine)+1, b.first[Routine])
	through, err := j.st.refAt(upTo)
	if err != nil {
		return err
	}
	marks := make(map[cursorKey]int64)
	j.mu.Lock()
	for k, m := range b.marks {
		if k.lane == Routine && m.pos < upTo {
			marks[k] = upTo
		}
	}
	j.mu.Unlock()
	var from alert.Ref
	if unread <= upTo {
		if from, err = j.st.refAt(unread); err != nil {
			return err
		}
	}
	count := max(upTo-unread+1, 0)
	gap := &batch{also: func(st *store) error {
		if err := st.saveMarks(marks); err != nil {
			return err
		}
		return st.deleteRows(Routine, upTo)
	}}
	if count > 0 {
		gap.items = append(gap.items, own(alert.Event{
			Type: alert.JournalGap, Subject: Routine.String(), At: j.opt.Now(), From: &from, Through: &through, Count: uint64(count),
			Detail: fmt.Sprintf("%d routine events were dropped before they were delivered: %s", count, why),
		}))
		j.opt.Log.Warn("journal: routine events are dropped before they were delivered", "count", count, "why", why)
		j.opt.Health.Set(conditionGap, fmt.Sprintf("Routine events were dropped before they were delivered: %s.", why))
	}
	if err := j.write(gap); err != nil {
		return err
	}
	j.finish(gap)
	j.mu.Lock()
	b.first[Routine] = upTo + 1
	for k, pos := range marks {
		b.mark(k).advance(pos)
	}
	j.savedLocked(marks)
	j.mu.Unlock()
	j.chores.written += int(n)/4 + 1
	return nil
}

// refAt reads the identity of a routine row.
func (st *store) refAt(pos int64) (alert.Ref, error) {
	var ref alert.Ref
	var seq int64
	err := st.conn.QueryRowContext(context.Background(), "SELECT epoch, seq FROM routine WHERE pos >= ? ORDER BY pos LIMIT 1", pos).Scan(&ref.Epoch, &seq)
	if err != nil {
		return ref, fmt.Errorf("read routine row %d: %w", pos, err)
	}
	ref.Seq = uint64(seq)
	return ref, nil
}
