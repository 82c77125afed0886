package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"nabat/gateway/alert"
)

// Reader reads a journal file without changing it: of a gateway that runs, in
// this process or another, or that is stopped. It never holds a read
// transaction for longer than one page, but for Verify's check of the file.
type Reader struct {
	path string
	db   *sql.DB
}

// OpenReader opens the journal file at path for reading. A file from a newer
// program is refused with ErrNewerSchema. The caller closes the Reader.
func OpenReader(path string) (*Reader, error) { return openReader(path) }

// openReader is OpenReader with more pragmas.
func openReader(path string, pragmas ...string) (*Reader, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	db, err := sql.Open("sqlite", fileDSN(path, append(pragmas,
		"busy_timeout(5000)", "query_only(1)", "cell_size_check(1)", "trusted_schema(0)"), "mode", "ro"))
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	db.SetMaxOpenConns(2)
	r := &Reader{path: path, db: db}
	if err := r.checkSchema(context.Background()); err != nil {
		_ = db.Close() // nothing was written
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	return r, nil
}

func (r *Reader) checkSchema(ctx context.Context) error {
	steps, err := schemaSteps(schemaFiles)
	if err != nil {
		return err
	}
	var have int
	if err := r.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	switch {
	case have > len(steps):
		return fmt.Errorf("schema version is %d, this program knows up to %d: %w", have, len(steps), ErrNewerSchema)
	case have == 0:
		return errNotAJournal
	}
	return nil
}

var errNotAJournal = errors.New("the file is empty or not a journal")

// Close lets go of the file.
func (r *Reader) Close() error { return r.db.Close() }

// some reads up to n rows with positions in (from, to]. Before an error it may
// have read some; rows whose checksum is wrong are left out. end is the last
// position looked at.
func (r *Reader) some(ctx context.Context, l Lane, from, to int64, n int) (rows []Row, end int64, err error) {
	end = from
	err = query(ctx, r.db, func(s scanner) error {
		var w raw
		if err := w.scan(s); err != nil {
			if err := w.scanLoose(s); err != nil {
				return err
			}
		}
		end = w.pos
		if row, err := w.row(l); err == nil {
			rows = append(rows, row)
		}
		return nil
	}, "SELECT "+columns+" FROM "+l.String()+" WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT ?", from, to, n)
	return rows, end, err
}

// Tail calls each with the last n rows of both lanes together, oldest first;
// with follow it goes on with rows as they are committed, until ctx ends
// (which is no error) or each fails.
func (r *Reader) Tail(ctx context.Context, n int, follow bool, each func(Row) error) error {
	var at [lanes]int64
	for _, l := range Lanes() {
		err := r.db.QueryRowContext(ctx, "SELECT coalesce((SELECT pos FROM "+l.String()+" ORDER BY pos DESC LIMIT 1 OFFSET ?), 0)", max(n, 0)).Scan(&at[l])
		if err != nil {
			return fmt.Errorf("read journal %s: %w", r.path, err)
		}
	}
	var last []Row
	keep := func(row Row) error { last = append(last, row); return nil }
	if err := r.merge(ctx, &at, keep); err != nil {
		return err
	}
	for _, row := range last[max(len(last)-n, 0):] {
		if err := each(row); err != nil {
			return err
		}
	}
	if !follow {
		return nil
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := r.merge(ctx, &at, each); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the caller has seen enough
			}
			return err
		}
	}
}

// followEvery is how often a file of another process is looked at.
const followEvery = 200 * time.Millisecond

// merge calls each for the rows of both lanes after at, in the order in which
// they were numbered, and moves at along.
func (r *Reader) merge(ctx context.Context, at *[lanes]int64, each func(Row) error) error {
	var waiting [lanes][]Row
	for {
		for _, l := range Lanes() {
			for len(waiting[l]) == 0 {
				rows, end, err := r.some(ctx, l, at[l], math.MaxInt64, maxBatch)
				if err != nil {
					return fmt.Errorf("read journal %s, %s lane after %d: %w", r.path, l, at[l], err)
				}
				if end == at[l] {
					break
				}
				at[l], waiting[l] = end, rows
			}
		}
		l := Alarm
		switch {
		case len(waiting[Alarm])+len(waiting[Routine]) == 0:
			return nil
		case len(waiting[Alarm]) == 0 || len(waiting[Routine]) > 0 && earlier(waiting[Routine][0], waiting[Alarm][0]):
			l = Routine
		}
		row := waiting[l][0]
		waiting[l] = waiting[l][1:]
		if err := each(row); err != nil {
			return err
		}
	}
}

// earlier orders rows of different lanes: by number within an epoch, else by
// the wall clock, which is all that there is.
func earlier(a, b Row) bool {
	if a.Ref.Epoch == b.Ref.Epoch {
		return a.Ref.Seq < b.Ref.Seq
	}
	return a.At.Wall.Before(b.At.Wall)
}

// Line is one row as Export writes it.
type Line struct {
	Lane    Lane            `json:"lane"`
	Pos     int64           `json:"pos"`
	Epoch   string          `json:"epoch"`
	Seq     uint64          `json:"seq"`
	Type    alert.Type      `json:"type"`
	Subject string          `json:"subject,omitempty"`
	At      alert.Stamp     `json:"at"`
	Data    json.RawMessage `json:"data"`
}

// Line returns the row as Export writes it. Data that is not JSON is written
// as a JSON string.
func (r Row) Line() Line {
	data := json.RawMessage(r.Data)
	if !json.Valid(data) {
		data, _ = json.Marshal(string(r.Data)) // a string always encodes
	}
	return Line{Lane: r.Lane, Pos: r.Pos, Epoch: r.Ref.Epoch, Seq: r.Ref.Seq, Type: r.Type, Subject: r.Subject, At: r.At, Data: data}
}

// Export writes every row that can be trusted as one line of JSON (Line), in
// the order in which they were numbered, and returns how many.
func (r *Reader) Export(ctx context.Context, w io.Writer) (rows int64, err error) {
	var at [lanes]int64
	out := json.NewEncoder(w)
	err = r.merge(ctx, &at, func(row Row) error {
		if err := out.Encode(row.Line()); err != nil {
			return fmt.Errorf("export row %s-%d: %w", row.Ref.Epoch, row.Ref.Seq, err)
		}
		rows++
		return nil
	})
	return rows, err
}

// Position is one consumer's place in one lane, as the file has it.
type Position struct {
	Consumer string `json:"consumer"`
	Lane     Lane   `json:"lane"`
	// Pos is the last row done with; Depth is how many rows follow it.
	Pos   int64 `json:"pos"`
	Depth int64 `json:"depth"`
	// Parked is how many rows the consumer gave up on.
	Parked int64 `json:"parked"`
	// Oldest is when the first row that is not done with was made; nil when
	// there is none.
	Oldest *alert.Stamp `json:"oldest,omitempty"`
}

// Cursors returns every consumer that the file knows, enabled or not, sorted.
func (r *Reader) Cursors(ctx context.Context) ([]Position, error) {
	var list []Position
	err := query(ctx, r.db, func(s scanner) error {
		var p Position
		var last int64
		if err := s.Scan(&p.Consumer, &p.Lane, &p.Pos, &last, &p.Parked); err != nil {
			return err
		}
		p.Depth = max(last-p.Pos, 0)
		list = append(list, p)
		return nil
	}, `SELECT consumer, lane, pos, (SELECT iif(lane = 0, last_alarm, last_routine) FROM meta),
		(SELECT count(*) FROM parked p WHERE p.consumer = c.consumer AND p.lane = c.lane)
		FROM cursor c ORDER BY consumer, lane`)
	if err != nil {
		return nil, fmt.Errorf("read cursors of %s: %w", r.path, err)
	}
	for i := range list {
		if list[i].Depth == 0 {
			continue
		}
		rows, _, err := r.some(ctx, list[i].Lane, list[i].Pos, math.MaxInt64, 1)
		if err != nil {
			return nil, fmt.Errorf("read cursors of %s: %w", r.path, err)
		}
		if len(rows) > 0 {
			list[i].Oldest = &rows[0].At
		}
	}
	return list, nil
}
