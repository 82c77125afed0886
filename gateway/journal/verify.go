package journal

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// Report is what Verify found.
type Report struct {
	// Rows is how many rows were read.
	Rows int64 `json:"rows"`
	// Damaged says of each row that cannot be trusted where and why.
	Damaged []string `json:"damaged,omitempty"`
	// Gaps are numbers that are missing without retention having taken them.
	Gaps []Gap `json:"gaps,omitempty"`
	// Twice are numbers that two rows bear. A salvage that a crash has
	// interrupted leaves such; the rows are the same.
	Twice []Gap `json:"twice,omitempty"`
	// Structure is what the database engine says about the file.
	Structure []string `json:"structure,omitempty"`
}

// Gap is a range of numbers within an epoch, both ends included.
type Gap struct {
	Epoch   string `json:"epoch"`
	From    uint64 `json:"from"`
	Through uint64 `json:"through"`
}

// OK reports whether nothing is wrong with the file.
func (r Report) OK() bool {
	return len(r.Damaged) == 0 && len(r.Gaps) == 0 && len(r.Structure) == 0
}

// maxFindings bounds each list of a report: a ruined file has one for each row.
const maxFindings = 1000

// Verify reads the whole file: every checksum, the numbers of each epoch, and
// the engine's own check of the structure. progress, if not nil, is called
// after each page with the rows read so far and in all. The error is about the
// verification itself, or names the first place that could not be read at all.
func (r *Reader) Verify(ctx context.Context, progress func(done, all int64)) (Report, error) {
	var rep Report
	var all int64
	if err := r.db.QueryRowContext(ctx, "SELECT coalesce((SELECT last_alarm - (SELECT min(pos) FROM alarm) + 1 FROM meta), 0) + coalesce((SELECT last_routine - (SELECT min(pos) FROM routine) + 1 FROM meta), 0)").Scan(&all); err != nil {
		return rep, fmt.Errorf("verify %s: %w", r.path, err)
	}
	seen := make(map[string]*numbers)
	for _, l := range Lanes() {
		if err := r.verifyLane(ctx, l, &rep, seen, func(n int64) {
			if progress != nil {
				progress(n, max(all, n))
			}
		}); err != nil {
			return rep, err
		}
	}
	for epoch, n := range seen {
		rep.Gaps = append(rep.Gaps, n.gaps(epoch)...)
		rep.Twice = append(rep.Twice, n.twice(epoch)...)
	}
	sortGaps(rep.Gaps)
	sortGaps(rep.Twice)
	err := query(ctx, r.db, func(s scanner) error {
		var line string
		if err := s.Scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			rep.Structure = append(rep.Structure, line)
		}
		return nil
	}, "PRAGMA integrity_check(100)")
	if err != nil {
		return rep, fmt.Errorf("verify the structure of %s: %w", r.path, err)
	}
	return rep, nil
}

func sortGaps(g []Gap) {
	slices.SortFunc(g, func(a, b Gap) int { return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.From, b.From)) })
}

func (r *Reader) verifyLane(ctx context.Context, l Lane, rep *Report, seen map[string]*numbers, progress func(int64)) error {
	for at := int64(0); ; {
		n := 0
		err := query(ctx, r.db, func(s scanner) error {
			n++
			var w raw
			scanErr := w.scan(s)
			if scanErr != nil {
				if err := w.scanLoose(s); err != nil {
					return err
				}
			}
			at = w.pos
			rep.Rows++
			row, err := w.row(l)
			if err != nil {
				if len(rep.Damaged) < maxFindings {
					rep.Damaged = append(rep.Damaged, err.Error())
				}
				return nil
			}
			e := seen[row.Ref.Epoch]
			if e == nil {
				e = &numbers{}
				seen[row.Ref.Epoch] = e
			}
			e.add(l, row.Pos, row.Ref.Seq)
			return nil
		}, "SELECT "+columns+" FROM "+l.String()+" WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT ?", at, int64(math.MaxInt64), maxBatch)
		if err != nil {
			return fmt.Errorf("verify %s, %s lane after %d: %w", r.path, l, at, err)
		}
		progress(rep.Rows)
		if n == 0 {
			return nil
		}
	}
}

// numbers is the numbers of one epoch that were seen, as runs, and where each
// lane begins: what stands before that may have gone with retention.
type numbers struct {
	runs  []Gap
	first [lanes]uint64
	cut   [lanes]bool // rows before the first are gone
}

func (n *numbers) add(l Lane, pos int64, seq uint64) {
	if n.first[l] == 0 {
		n.first[l], n.cut[l] = seq, pos > 1
	}
	if k := len(n.runs); k > 0 && n.runs[k-1].Through+1 == seq {
		n.runs[k-1].Through = seq
		return
	}
	n.runs = append(n.runs, Gap{From: seq, Through: seq})
}

// gaps returns the numbers between the runs that retention cannot explain.
func (n *numbers) gaps(epoch string) []Gap {
	floor := uint64(0)
	for l, f := range n.first {
		if n.cut[l] {
			floor = max(floor, f)
		}
	}
	if (n.first[Alarm] == 0) != (n.first[Routine] == 0) && (n.cut[Alarm] || n.cut[Routine]) {
		return nil // one lane is gone as a whole, its numbers too
	}
	var gaps []Gap
	slices.SortFunc(n.runs, func(a, b Gap) int { return cmp.Compare(a.From, b.From) })
	next := n.runs[0].From
	for _, run := range n.runs {
		if run.From > next && run.From > floor && len(gaps) < maxFindings {
			gaps = append(gaps, Gap{epoch, max(next, floor), run.From - 1})
		}
		next = max(next, run.Through+1)
	}
	return gaps
}

// twice returns the numbers that stand in more than one run.
func (n *numbers) twice(epoch string) []Gap {
	var list []Gap
	slices.SortFunc(n.runs, func(a, b Gap) int { return cmp.Compare(a.From, b.From) })
	var through uint64
	for i, run := range n.runs {
		if i > 0 && run.From <= through && len(list) < maxFindings {
			list = append(list, Gap{epoch, run.From, min(run.Through, through)})
		}
		through = max(through, run.Through)
	}
	return list
}
