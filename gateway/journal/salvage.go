package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nabat/gateway/alert"
)

// known is what this process knew of a file when it was set aside. Rows behind
// last are a batch whose commit failed, and which was written anew.
type known struct {
	first, last [lanes]int64
	marks       map[cursorKey]int64
}

func remember(b *book) known {
	k := known{first: b.first, last: b.last, marks: make(map[cursorKey]int64)}
	for key, m := range b.marks {
		k.marks[key] = m.pos
	}
	return k
}

// startSalvage works on every set-aside file that is not finished. The writer
// calls it, once Run has begun.
func (j *Journal) startSalvage() {
	c := &j.chores
	if c.ctx == nil || j.away != nil {
		return
	}
	files, err := asideFiles(j.opt.Path, damagedInfix)
	if err != nil {
		j.opt.Log.Warn("journal: cannot look for set-aside files", "error", err)
		return
	}
	for _, f := range files {
		if c.salvaging[f] {
			continue
		}
		c.salvaging[f] = true
		s := &salvage{j: j, path: f, note: progress{name: filepath.Base(f)}}
		if k, ok := c.acked[f]; ok {
			s.known = &k
		}
		c.wg.Go(func() { s.run(c.ctx) })
	}
}

// salvage takes the rows of one set-aside file over. Its goroutine owns it.
type salvage struct {
	j     *Journal
	path  string
	known *known // nil when the file was found damaged at a start
	marks map[cursorKey]int64
	note  progress
	holes [lanes][]hole
	// frozen is the note from before the first hole: a run that is interrupted
	// after it begins there, because holes are not noted.
	frozen *progress
	low    [lanes]int64 // the lowest position seen, 0 for none
	top    [lanes]int64 // the highest position that was or should be there
	unsure bool         // nobody knows where the lanes ended
}

// hole is a range of positions that could not be read through the tree:
// after from, up to and without to.
type hole struct{ from, to int64 }

// Stages of a salvage, as its progress is noted.
const (
	stageTree  = int64(Routine) + 1 // stages below are lanes
	stageEnded = stageTree + 1
)

// run tries until it is done: the writer may be busy with another fault.
func (s *salvage) run(ctx context.Context) {
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		err := s.once(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		s.j.opt.Log.Warn("journal: salvage was interrupted and begins again", "file", s.path, "error", err)
		select {
		case <-retry.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *salvage) once(ctx context.Context) error {
	s.resume(ctx)
	if s.note.stage < stageEnded {
		if err := s.tree(ctx); err != nil {
			return err
		}
		if err := s.pages(ctx); err != nil {
			return err
		}
		if err := s.report(ctx); err != nil {
			return err
		}
	}
	done := strings.Replace(s.path, damagedInfix, salvagedInfix, 1)
	if err := errors.Join(os.Rename(s.path, done), renameCompanions(s.path, done), syncDir(filepath.Dir(done))); err != nil {
		return fmt.Errorf("mark %s as salvaged: %w", s.path, err)
	}
	return nil
}

// resume reads how far an earlier run came.
func (s *salvage) resume(ctx context.Context) {
	s.unsure, s.holes, s.frozen, s.note = false, [lanes][]hole{}, nil, progress{name: s.note.name}
	s.j.mu.Lock()
	st := s.j.st
	s.j.mu.Unlock()
	n := &s.note
	err := st.read.QueryRowContext(ctx, "SELECT stage, at, alarms, routines, lost FROM salvage WHERE name = ?", n.name).
		Scan(&n.stage, &n.at, &n.alarms, &n.routines, &n.lost)
	if err != nil {
		*n = progress{name: n.name} // from the beginning: rows that come twice have the same names
	}
}

// tree reads the lanes in order through the database's own tree and notes the
// holes.
func (s *salvage) tree(ctx context.Context) error {
	r, err := openRuined(s.path)
	if err != nil {
		s.forgetTree()
		return nil //nolint:nilerr // the pages may still be read one by one
	}
	defer r.Close()
	s.learn(ctx, r)
	for _, l := range Lanes() {
		if s.note.stage > int64(l) {
			continue
		}
		if s.note.stage < int64(l) {
			s.note.stage, s.note.at = int64(l), 0
		}
		if err := s.lane(ctx, r, l); err != nil {
			return err
		}
	}
	return nil
}

// openRuined opens a damaged file for reading. writable_schema, strange as it
// sounds beside query_only, makes SQLite read a file whose end is missing.
func openRuined(path string) (*Reader, error) { return openReader(path, "writable_schema(1)") }

// forgetTree makes one hole of each lane.
func (s *salvage) forgetTree() {
	if s.known != nil {
		s.marks = s.known.marks
	}
	s.note = progress{name: s.note.name}
	s.frozen = new(s.note)
	for _, l := range Lanes() {
		s.holes[l] = []hole{{from: s.behind(l), to: math.MaxInt64}}
		if s.known != nil {
			s.top[l] = s.known.last[l]
			s.holes[l][0].to = s.top[l] + 1
		}
	}
}

// learn finds the cursors and the ends of the lanes, from this process's own
// knowledge or from the file.
func (s *salvage) learn(ctx context.Context, r *Reader) {
	if s.known != nil {
		s.marks, s.top = s.known.marks, s.known.last
		return
	}
	s.marks = make(map[cursorKey]int64)
	if err := query(ctx, r.db, func(row scanner) error {
		var k cursorKey
		var pos int64
		if err := row.Scan(&k.consumer, &k.lane, &pos); err != nil {
			return err
		}
		s.marks[k] = pos
		return nil
	}, "SELECT consumer, lane, pos FROM cursor"); err != nil {
		clear(s.marks) // then everything comes again, with the same names
	}
	if err := r.db.QueryRowContext(ctx, "SELECT last_alarm, last_routine FROM meta WHERE id = 1").Scan(&s.top[Alarm], &s.top[Routine]); err != nil {
		s.top, s.unsure = [lanes]int64{}, true
	}
}

// behind returns the position up to which every enabled consumer was done.
func (s *salvage) behind(l Lane) int64 {
	if len(s.j.opt.Consumers) == 0 {
		return 0 // nobody reads, so history is all there is
	}
	behind := int64(math.MaxInt64)
	for _, c := range s.j.opt.Consumers {
		behind = min(behind, s.marks[cursorKey{c, l}])
	}
	return behind
}

// lane takes over one lane.
func (s *salvage) lane(ctx context.Context, r *Reader, l Lane) error {
	at := max(s.note.at, s.behind(l))
	limit := int64(math.MaxInt64)
	if s.known != nil {
		limit = s.known.last[l]
	}
	for at < limit {
		rows, end, readErr := r.some(ctx, l, at, limit, maxBatch)
		at = max(at, end)
		if err := s.give(ctx, l, at, rows); err != nil {
			return err
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case readErr != nil && len(rows) == 0:
			next := s.over(ctx, r, l, at, limit)
			if s.frozen == nil {
				s.frozen = new(s.note)
				s.frozen.at = at
			}
			s.holes[l] = append(s.holes[l], hole{at, next})
			if next == math.MaxInt64 {
				return nil
			}
			at = next - 1
		case readErr == nil && end == at && len(rows) == 0:
			return nil
		}
	}
	return nil
}

// over returns the first position after a hole that can be read, by doubling
// steps and then halving them; MaxInt64 when there is none.
func (s *salvage) over(ctx context.Context, r *Reader, l Lane, from, limit int64) int64 {
	probe := func(after int64) (int64, bool) {
		rows, _, err := r.some(ctx, l, after, limit, 1)
		if err != nil || len(rows) == 0 {
			return 0, false
		}
		return rows[0].Pos, true
	}
	step := int64(1)
	for ; ; step *= 2 {
		if step > 1<<40 || from+step > limit || ctx.Err() != nil {
			return math.MaxInt64
		}
		if _, ok := probe(from + step); ok {
			break
		}
	}
	low, high := from+step/2, from+step // low fails, high works
	for high-low > 1 {
		if mid := low + (high-low)/2; func() bool { _, ok := probe(mid); return ok }() {
			high = mid
		} else {
			low = mid
		}
	}
	pos, ok := probe(high)
	if !ok {
		return math.MaxInt64
	}
	return pos
}

// give hands rows to the writer, with the note of how far they go.
func (s *salvage) give(ctx context.Context, l Lane, at int64, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	note := s.note
	note.at = at
	if l == Alarm {
		note.alarms += int64(len(rows))
	} else {
		note.routines += int64(len(rows))
	}
	saved := note
	if s.frozen != nil {
		saved = *s.frozen
	}
	late := make([]lateRow, len(rows))
	for i, r := range rows {
		if s.low[l] == 0 || r.Pos < s.low[l] {
			s.low[l] = r.Pos
		}
		s.top[l] = max(s.top[l], r.Pos)
		late[i].row = r
		for _, c := range s.j.opt.Consumers {
			if s.marks[cursorKey{c, l}] >= r.Pos {
				late[i].by = append(late[i].by, c)
			}
		}
	}
	if err := s.j.send(ctx, chunk{rows: late, note: &saved}); err != nil {
		return err
	}
	s.note = note
	return nil
}

// pages looks for the rows of the holes in every page by itself.
func (s *salvage) pages(ctx context.Context) error {
	if len(s.holes[Alarm])+len(s.holes[Routine]) == 0 {
		return nil
	}
	u, err := openRuin(s.path)
	if err != nil {
		return err
	}
	defer u.close()
	found, err := u.dig(ctx, func(l Lane, pos int64) bool {
		return slices.ContainsFunc(s.holes[l], func(h hole) bool { return pos > h.from && pos < h.to })
	})
	if err != nil {
		return err
	}
	var rows []Row
	for i, x := range found {
		if r, ok := u.fetch(x); ok {
			rows = append(rows, r)
		}
		if len(rows) == maxBatch || i == len(found)-1 || found[i+1].lane != x.lane {
			if err := s.give(ctx, x.lane, s.note.at, rows); err != nil {
				return err
			}
			rows = rows[:0:0]
		}
	}
	return nil
}

// report counts what is missing, tells the journal's readers, and leaves a
// condition where something is.
func (s *salvage) report(ctx context.Context) error {
	n := s.note
	for l, taken := range map[Lane]int64{Alarm: n.alarms, Routine: n.routines} {
		// Positions are dense, so what is missing between the ends is lost.
		floor := s.behind(l)
		if s.known != nil {
			floor = max(floor, s.known.first[l]-1)
		} else if s.low[l] > 0 {
			floor = max(floor, s.low[l]-1)
		}
		n.lost += max(s.top[l]-floor-taken, 0)
	}
	n.stage = stageEnded
	name := filepath.Base(s.path)
	missing := fmt.Sprintf("%d could not be read", n.lost)
	if s.unsure {
		missing = "at least " + missing
	}
	detail := fmt.Sprintf("The journal file was damaged and set aside as %s: %d alarm and %d routine events were taken over, %s.",
		strings.Replace(name, damagedInfix, salvagedInfix, 1), n.alarms, n.routines, missing)
	e := alert.Event{Type: alert.JournalRecovered, Subject: name, Count: uint64(n.alarms + n.routines), Detail: detail}
	if err := s.j.send(ctx, chunk{last: &e, note: &n}); err != nil {
		return err
	}
	s.note = n
	s.j.opt.Log.Warn("journal: salvage ended", "file", s.path, "alarms", n.alarms, "routine", n.routines, "lost", n.lost)
	if n.lost == 0 && !s.unsure {
		s.j.opt.Health.Clear(conditionDamaged)
	} else {
		s.j.opt.Health.Set(conditionDamaged, detail+" Check the disk.")
	}
	return nil
}
