package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
)

// consumer is the reader that verifies; because it is enabled and never
// advances, retention keeps every row.
const consumer = "verify"

func open(dir string) (*journal.Journal, error) {
	return journal.Open(journal.Options{
		Path: filepath.Join(dir, "journal.db"), Consumers: []string{consumer}, Ballast: 1 << 20,
	})
}

// event is record n of a run: odd ones are alarms, even ones routine.
func event(run string, n int) alert.Event {
	e := alert.Event{
		Type: alert.PointRestored, Subject: run, Numbering: run, Number: uint64(n), Point: "button-1",
		At: alert.Stamp{Wall: time.Now().UTC().Round(0)}, Status: alert.Test,
		Detail: "a record of the size that an alert with its place has in three languages; it is not compressed on its way to the disk",
	}
	if n%2 == 1 {
		e.Type, e.Kind, e.Level, e.Gesture = alert.Raised, alert.Technical, alert.LevelHelp, alert.Tap
		e.Place = &alert.Location{ID: "wall"}
	}
	return e
}

func load(ctx context.Context, dir, run string, out io.Writer) error {
	return write(ctx, dir, run, math.MaxInt, out)
}

// write appends records until limit or the end of ctx, in rounds of one to
// five that wait for the disk together.
func write(ctx context.Context, dir, run string, limit int, out io.Writer) error {
	j, err := open(dir)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- j.Run(running) }()
	err = rounds(running, j, run, limit, out)
	stop()
	return errors.Join(err, <-ended)
}

func rounds(ctx context.Context, j *journal.Journal, run string, limit int, out io.Writer) error {
	const most = 5
	durable := make(chan error, most)
	for n, round := 0, 0; n < limit && ctx.Err() == nil; round++ {
		size := min(1+round%most, limit-n)
		for i := range size {
			j.Append(event(run, n+1+i), func(_ alert.Ref, err error) { durable <- err })
		}
		for range size {
			if err := <-durable; err != nil {
				return fmt.Errorf("append %s after %d: %w", run, n, err)
			}
		}
		n += size
		fmt.Fprintln(out, "ACK", run, n)
	}
	return nil
}

// errHole says that a record is missing among those that are there.
var errHole = errors.New("a record is missing")

// verify reads the whole journal and holds it against what it promises: dense
// numbers, one epoch, and a recorded state that agrees with the rows.
func verify(ctx context.Context, dir string, out io.Writer) error {
	j, err := open(dir)
	if err != nil {
		return err
	}
	err = inspect(ctx, j, out)
	if err = errors.Join(err, j.Close()); err != nil {
		return err
	}
	if err := integrity(ctx, filepath.Join(dir, "journal.db")); err != nil {
		return err
	}
	fmt.Fprintln(out, "VERIFIED")
	return nil
}

// ledger is what was read of a journal.
type ledger struct {
	refs map[alert.Ref]bool
	// runs holds the numbers of each run; raised the highest raise of each.
	runs   map[string]map[uint64]bool
	raised map[string]uint64
}

func inspect(ctx context.Context, j *journal.Journal, out io.Writer) error {
	stats := j.Stats()
	if !stats.Durable {
		return fmt.Errorf("the journal is in memory: %w", journal.ErrNotDurable)
	}
	read := ledger{refs: make(map[alert.Ref]bool), runs: make(map[string]map[uint64]bool), raised: make(map[string]uint64)}
	for _, lane := range journal.Lanes() {
		if err := read.lane(ctx, j.Cursor(consumer, lane)); err != nil {
			return err
		}
	}
	for seq := uint64(1); seq <= stats.LastSeq; seq++ {
		if !read.refs[alert.Ref{Epoch: stats.Epoch, Seq: seq}] {
			return fmt.Errorf("event %s-%d of %d: %w", stats.Epoch, seq, stats.LastSeq, errHole)
		}
	}
	if uint64(len(read.refs)) != stats.LastSeq {
		return fmt.Errorf("%d rows, and %d numbers in epoch %s: a file was set aside: %w", len(read.refs), stats.LastSeq, stats.Epoch, errHole)
	}
	state, _ := j.Recorded()
	for run, numbers := range read.runs {
		// Beyond n there may be records that were never acknowledged: an alarm
		// may be committed before a routine record that was appended earlier.
		n := uint64(0)
		for numbers[n+1] {
			n++
		}
		a, _ := state.Alert(alert.Key{Numbering: run, Place: "wall", Kind: alert.Technical})
		if a.Last.Number != read.raised[run] {
			return fmt.Errorf("run %s: the recorded state knows raise %d, the rows go to %d: %w", run, a.Last.Number, read.raised[run], errHole)
		}
		fmt.Fprintln(out, "FOUND", run, n)
	}
	return nil
}

func (l *ledger) lane(ctx context.Context, c *journal.Cursor) error {
	for {
		rows, err := c.Read(ctx, 1000)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if l.refs[r.Ref] {
				return fmt.Errorf("event %s-%d is there twice: %w", r.Ref.Epoch, r.Ref.Seq, errHole)
			}
			l.refs[r.Ref] = true
			if r.Type != alert.Raised && r.Type != alert.PointRestored {
				return fmt.Errorf("the journal wrote %s of its own: %s: %w", r.Type, r.Data, errHole)
			}
			e, err := r.Event()
			if err != nil {
				return err
			}
			if l.runs[e.Numbering] == nil {
				l.runs[e.Numbering] = make(map[uint64]bool)
			}
			l.runs[e.Numbering][e.Number] = true
			if r.Type == alert.Raised {
				l.raised[e.Numbering] = max(l.raised[e.Numbering], e.Number)
			}
		}
	}
}

// integrity asks SQLite itself.
func integrity(ctx context.Context, file string) error {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return fmt.Errorf("open %s: %w", file, err)
	}
	defer db.Close() //nolint:errcheck // only read
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&verdict); err != nil {
		return fmt.Errorf("check %s: %w", file, err)
	}
	if verdict != "ok" {
		return fmt.Errorf("check %s: %s: %w", file, verdict, errHole)
	}
	return nil
}

// roundtrip writes, closes, reopens and verifies, twice over one file.
func roundtrip(ctx context.Context, dir string, out io.Writer) error {
	for _, run := range []string{"first", "second"} {
		if err := write(ctx, dir, run, 200, out); err != nil {
			return err
		}
		if err := verify(ctx, dir, out); err != nil {
			return err
		}
	}
	return nil
}
