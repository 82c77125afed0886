package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"nabat/gateway/alert"
)

// chunk is some rows of another database on their way into this one.
type chunk struct {
	rows []lateRow
	// note is saved with the rows, so that an interrupted salvage goes on
	// where it was; nil when the source is memory.
	note *progress
	// last makes the writer append the event that says how it ended.
	last   *alert.Event
	answer chan<- error // buffered by one
}

// lateRow is a row with an identity of its own, to be stored at the end of its lane.
type lateRow struct {
	row Row
	// by names the consumers that had it already.
	by []string
}

// progress is how far the salvage of a set-aside file has come.
type progress struct {
	name             string
	stage, at        int64
	alarms, routines int64
	lost             int64
}

// errAway stops a salvage until the journal is back in its file.
var errAway = errors.New("the journal is in memory")

// send gives a chunk to the writer and waits until it is stored.
func (j *Journal) send(ctx context.Context, c chunk) error {
	answer := make(chan error, 1)
	c.answer = answer
	select {
	case j.chores.imports <- c:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-answer
}

// importWaiting stores one chunk if one waits.
func (j *Journal) importWaiting() {
	select {
	case c := <-j.chores.imports:
		j.importChunk(c)
	default:
	}
}

// importChunk stores a chunk: once, unless the disk fails in a way that hides
// whether it did; then the source stops and begins again at the last note.
func (j *Journal) importChunk(c chunk) {
	if j.st.memory { // rows that are safe in their old file must not move to where power ends them
		c.answer <- errAway
		return
	}
	b := &batch{late: c.rows}
	if c.last != nil {
		c.last.At = j.opt.Now()
		b.items = append(b.items, own(*c.last))
	}
	if c.note != nil {
		b.also = func(st *store) error { return st.saveProgress(*c.note) }
	}
	before := j.book
	if err := j.write(b); err != nil {
		j.mend(fmt.Errorf("take over rows: %w", err), 0)
		if j.book.epoch != before.epoch || !b.isIn(j.book) {
			c.answer <- err
			return
		}
	}
	j.finish(b)
	j.passLate(b)
	if c.last != nil {
		j.tellRecovered()
	}
	c.answer <- nil
}

// tellRecovered tells the engine what the file holds now.
func (j *Journal) tellRecovered() {
	if j.opt.OnRecovered == nil {
		return
	}
	saved := maps.Clone(j.refs)
	maps.DeleteFunc(saved, func(_ alert.Key, r alert.Ref) bool { return r == alert.Ref{} })
	j.opt.OnRecovered(j.state, saved)
}

// passLate moves cursors over rows that their consumers had already, where
// nothing else stands between.
func (j *Journal) passLate(b *batch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range b.late {
		for _, consumer := range l.by {
			m := j.book.mark(cursorKey{consumer, l.row.Lane})
			if m.pos == l.row.Pos-1 {
				m.advance(l.row.Pos)
			}
		}
	}
}

// foldLate takes a late row into the batch's alerts. A row that does not
// decode is still stored: its consumers will park it.
func (b *batch) foldLate(r Row, known map[alert.Key]alert.Ref) {
	if e, err := r.Event(); err == nil {
		b.fold(e, r.Ref, known)
	}
}

func (st *store) saveProgress(p progress) error {
	if _, err := st.stmt.salvage.ExecContext(context.Background(), p.name, p.stage, p.at, p.alarms, p.routines, p.lost); err != nil {
		return fmt.Errorf("note the progress of a salvage: %w", err)
	}
	return nil
}
