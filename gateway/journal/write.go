package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"nabat/gateway/alert"
)

// commitPending commits one batch of what waits, and reports whether there was
// one. It always gets to an end: the last resort is memory.
func (j *Journal) commitPending() bool {
	j.mu.Lock()
	fault := j.fault
	j.fault = nil
	b, refused := j.queue.take(j.opt.Now)
	j.mu.Unlock()
	if fault != nil {
		j.mend(fault, 0)
	}
	for _, tell := range refused {
		tell()
	}
	if b.empty() {
		return fault != nil || len(refused) > 0
	}
	j.commit(b)
	return true
}

// commit writes the batch and answers everyone who waits for it.
func (j *Journal) commit(b *batch) {
	for attempt := 0; ; attempt++ {
		err := j.write(b)
		if err == nil {
			break
		}
		if attempt == maxAttempts {
			j.giveUp(b, err)
			return
		}
		j.mend(err, attempt)
		// The commit may have happened although it reported an error. The
		// numbers tell: they are given by this writer alone.
		if b.isIn(j.book) {
			break
		}
	}
	j.finish(b)
}

// isIn reports whether a transaction that was tried has happened.
func (b *batch) isIn(k *book) bool {
	return k.epoch == b.epoch && k.seq >= b.through && k.last[Alarm] >= b.ends[Alarm] && k.last[Routine] >= b.ends[Routine]
}

// maxAttempts is enough to open the file again, to release the ballast, to
// set the file aside and to fall back to memory, one after the other.
const maxAttempts = 6

// write tries to commit the batch once. Nothing outside of b changes.
func (j *Journal) write(b *batch) error {
	st, seq, last := j.st, j.book.seq, j.book.last
	b.state, b.changed = j.state, make(map[alert.Key]alert.Ref)
	b.epoch, b.through = j.book.epoch, seq+uint64(len(b.items))
	b.marks = j.movedMarks()
	return st.transact(func() error {
		for i := range b.items {
			it := &b.items[i]
			seq++
			last[it.row.Lane]++
			it.row.Ref = alert.Ref{Epoch: b.epoch, Seq: seq}
			it.row.Pos = last[it.row.Lane]
			if err := st.insertRow(it.row); err != nil {
				return err
			}
			b.fold(it.event, it.row.Ref, j.refs)
		}
		for i := range b.late {
			r := &b.late[i].row
			last[r.Lane]++
			r.Pos = last[r.Lane]
			if err := st.insertRow(*r); err != nil {
				return err
			}
			b.foldLate(*r, j.refs)
		}
		b.ends = last
		for _, p := range b.parks {
			if err := st.insertParked(p, j.parkedAt(p), j.opt.Now()); err != nil {
				return err
			}
		}
		if err := st.saveAlerts(b.state, b.changed); err != nil {
			return err
		}
		if err := st.saveMarks(b.marks); err != nil {
			return err
		}
		if b.also != nil {
			if err := b.also(st); err != nil {
				return err
			}
		}
		return st.saveCounters(seq, last)
	})
}

// finish makes the committed batch visible and answers.
func (j *Journal) finish(b *batch) {
	var wrote [lanes]bool
	j.state = b.state
	maps.Copy(j.refs, b.changed)
	j.mu.Lock()
	j.book.seq = b.through
	for l := range wrote {
		wrote[l] = b.ends[l] > j.book.last[l]
	}
	j.book.last = b.ends
	for i := range b.items {
		j.book.tails[b.items[i].row.Lane].add(b.items[i].row)
	}
	for i := range b.late {
		j.book.tails[b.late[i].row.Lane].add(b.late[i].row)
	}
	for _, p := range b.parks {
		j.parkedLocked(p)
	}
	j.savedLocked(b.marks)
	for l, w := range wrote {
		if w {
			close(j.appended[l])
			j.appended[l] = make(chan struct{})
		}
	}
	j.mu.Unlock()
	var err error
	if j.st.memory {
		err = ErrNotDurable
	}
	for _, it := range b.items {
		if it.done != nil {
			it.done(it.row.Ref, err)
		}
	}
	for _, p := range b.parks {
		p.answer(nil)
	}
	j.chores.written += (len(b.items)+len(b.late))/4 + 3
	j.askCheckpoint()
}

// giveUp answers a batch that not even memory took, and writes the loss down
// with the next batch that succeeds.
func (j *Journal) giveUp(b *batch, err error) {
	j.opt.Log.Error("events were not recorded", "count", len(b.items), "error", err)
	j.mu.Lock()
	for _, it := range b.items {
		if it.event.Type == alert.JournalGap && it.event.From == nil {
			j.queue.lost[Alarm] += lostAlarms(it.event)
			j.queue.lost[Routine] += it.event.Count - lostAlarms(it.event)
			continue
		}
		j.queue.lost[it.row.Lane]++
	}
	j.queue.hold = time.Now().Add(time.Second)
	j.mu.Unlock()
	for _, it := range b.items {
		if it.done != nil {
			it.done(alert.Ref{}, err)
		}
	}
	for _, p := range b.parks {
		p.answer(err)
	}
}

// lostAlarms returns how many alarms a gap stands for that names no rows.
func lostAlarms(gap alert.Event) uint64 {
	if gap.Subject == Alarm.String() {
		return gap.Count
	}
	return 0
}

// fold takes one event into the batch's alerts. known is what the alerts'
// highest raises were before.
func (b *batch) fold(e alert.Event, ref alert.Ref, known map[alert.Key]alert.Ref) {
	key, ok := e.Key()
	if !ok {
		return
	}
	b.state = b.state.Next(e)
	a, ok := b.state.Alert(key)
	if !ok {
		return
	}
	raise := e.Type == alert.Raised || e.Type == alert.Escalated && e.Gesture != ""
	if raise && a.Last.Number == e.Number {
		b.changed[key] = ref
		return
	}
	if _, ok := b.changed[key]; !ok {
		b.changed[key] = known[key]
	}
}

// movedMarks returns the cursors that moved since they were last saved.
func (j *Journal) movedMarks() map[cursorKey]int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	var moved map[cursorKey]int64
	for k, m := range j.book.marks {
		if m.pos != m.saved {
			if moved == nil {
				moved = make(map[cursorKey]int64)
			}
			moved[k] = m.pos
		}
	}
	return moved
}

func (j *Journal) savedLocked(marks map[cursorKey]int64) {
	for k, pos := range marks {
		if m := j.book.mark(k); m.saved < pos {
			m.saved = pos
		}
	}
}

// saveCursors commits moved cursors by themselves.
func (j *Journal) saveCursors() {
	marks := j.movedMarks()
	if len(marks) == 0 {
		return
	}
	if err := j.st.transact(func() error { return j.st.saveMarks(marks) }); err != nil {
		// They stay moved and travel with the next commit.
		j.mend(fmt.Errorf("save cursors: %w", err), 0)
		return
	}
	j.mu.Lock()
	j.savedLocked(marks)
	j.mu.Unlock()
	j.chores.written++
}

func (st *store) insertRow(r Row) error {
	_, err := st.stmt.insert[r.Lane].ExecContext(context.Background(), r.Pos, r.Ref.Epoch, int64(r.Ref.Seq), string(r.Type), r.Subject,
		wallNanos(r.At.Wall), r.At.Boot, int64(r.At.Mono), bit(r.At.Synced), r.Data, int64(r.checksum()))
	if err != nil {
		return fmt.Errorf("insert %s row %d: %w", r.Lane, r.Pos, err)
	}
	return nil
}

// parkedAt returns where a parked row stands in the current database, nil when
// it does not.
func (j *Journal) parkedAt(p order) any {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b, pos := j.placeOf(p.row, p.key); b == j.book && b != nil {
		return pos
	}
	return nil
}

func (st *store) insertParked(p order, pos any, at alert.Stamp) error {
	data := p.row.Data
	if data == nil {
		data = []byte{}
	}
	_, err := st.stmt.park.ExecContext(context.Background(), p.key.consumer, int64(p.key.lane), pos, p.row.Ref.Epoch, int64(p.row.Ref.Seq),
		string(p.row.Type), p.row.Subject, data, p.reason, wallNanos(at.Wall))
	if err != nil {
		return fmt.Errorf("park row: %w", err)
	}
	return nil
}

func (st *store) saveAlerts(s alert.State, changed map[alert.Key]alert.Ref) error {
	for key, ref := range changed {
		a, ok := s.Alert(key)
		if !ok {
			continue
		}
		data, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("encode alert %s: %w", a.ID, err)
		}
		if _, err := st.stmt.alert.ExecContext(context.Background(), key.Numbering, key.Place, string(key.Kind),
			ref.Epoch, int64(ref.Seq), data, int64(alertChecksum(ref, data))); err != nil {
			return fmt.Errorf("save alert: %w", err)
		}
	}
	return nil
}

func (st *store) saveMarks(marks map[cursorKey]int64) error {
	for k, pos := range marks {
		if _, err := st.stmt.cursor.ExecContext(context.Background(), k.consumer, int64(k.lane), pos); err != nil {
			return fmt.Errorf("save cursor: %w", err)
		}
	}
	return nil
}

func (st *store) saveCounters(seq uint64, last [lanes]int64) error {
	if _, err := st.stmt.meta.ExecContext(context.Background(), int64(seq), last[Alarm], last[Routine]); err != nil {
		return fmt.Errorf("save counters: %w", err)
	}
	return nil
}
