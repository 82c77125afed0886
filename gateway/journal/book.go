package journal

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"nabat/gateway/alert"
)

// book is what the running journal knows about one database: numbers and
// positions. It outlives the connections: a file that is closed and opened
// again keeps its book. Journal.mu guards the fields; only the writer changes
// epoch, seq, first and last, so the writer may read those without the lock.
type book struct {
	id          uint32 // tells rows of different databases apart within this process
	epoch       string
	seq         uint64
	first, last [lanes]int64 // of the rows that stand; first > last when empty
	tails       [lanes]tail
	marks       map[cursorKey]*mark
	fresh       bool // made anew by this opening
}

type cursorKey struct {
	consumer string
	lane     Lane
}

// mark is how far one consumer has come in one lane.
type mark struct {
	pos   int64              // everything up to here is done with
	saved int64              // the same, as the disk knows it
	skip  map[int64]struct{} // parked positions above pos
	count int                // parked rows, ever

	oldestPos int64 // the row that oldestAt belongs to; 0 for none
	oldestAt  alert.Stamp
}

// settle moves pos over parked rows that follow it directly.
func (m *mark) settle() {
	for {
		if _, ok := m.skip[m.pos+1]; !ok {
			return
		}
		delete(m.skip, m.pos+1)
		m.pos++
	}
}

// advance moves pos forward, never back.
func (m *mark) advance(pos int64) {
	if pos <= m.pos {
		return
	}
	m.pos = pos
	for p := range m.skip {
		if p <= pos {
			delete(m.skip, p)
		}
	}
	m.settle()
}

func (b *book) mark(k cursorKey) *mark {
	m, ok := b.marks[k]
	if !ok {
		m = &mark{skip: make(map[int64]struct{})}
		// A consumer that is new here starts at the oldest row that stands.
		m.pos = max(b.first[k.lane]-1, 0)
		m.saved = m.pos
		b.marks[k] = m
	}
	return m
}

// randomID returns 16 hexadecimal digits that nobody had before.
func randomID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime would end the process
	return hex.EncodeToString(b[:])
}

// load reads the counters, cursors and parked positions: a few rows, found by
// their keys. A database without counters is new and gets an epoch.
func (st *store) load(ctx context.Context) (_ *book, err error) {
	defer func() { err = ofSchema(err) }()
	b := &book{marks: make(map[cursorKey]*mark)}
	var seq int64
	err = st.conn.QueryRowContext(ctx, "SELECT epoch, seq, last_alarm, last_routine FROM meta WHERE id = 1").
		Scan(&b.epoch, &seq, &b.last[Alarm], &b.last[Routine])
	switch {
	case errors.Is(err, sql.ErrNoRows):
		var rows int64
		if err := st.conn.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM (SELECT 1 FROM alarm LIMIT 1)) + (SELECT count(*) FROM (SELECT 1 FROM routine LIMIT 1))").Scan(&rows); err != nil {
			return nil, fmt.Errorf("look for rows: %w", err)
		}
		if rows > 0 {
			return nil, fmt.Errorf("rows without counters: %w", errDamaged)
		}
		b.fresh, b.epoch = true, randomID()
		if _, err := st.conn.ExecContext(ctx, "INSERT INTO meta (id, epoch, seq, last_alarm, last_routine) VALUES (1, ?, 0, 0, 0)", b.epoch); err != nil {
			return nil, fmt.Errorf("give the journal an epoch: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("read counters: %w", err)
	}
	b.seq = uint64(seq)
	for _, l := range Lanes() {
		if err := st.loadEnds(ctx, b, l); err != nil {
			return nil, err
		}
	}
	if err := st.loadMarks(ctx, b); err != nil {
		return nil, err
	}
	return b, nil
}

// loadEnds finds the first and the last row of a lane, and checks the counters
// against the last one: a counter that a flipped bit has set back would give
// two events the same name.
func (st *store) loadEnds(ctx context.Context, b *book, l Lane) error {
	var first, last sql.NullInt64
	if err := st.conn.QueryRowContext(ctx, "SELECT (SELECT min(pos) FROM "+l.String()+"), (SELECT max(pos) FROM "+l.String()+")").Scan(&first, &last); err != nil {
		return fmt.Errorf("find the ends of the %s lane: %w", l, err)
	}
	b.first[l] = b.last[l] + 1
	if !first.Valid {
		return nil
	}
	b.first[l] = first.Int64
	if last.Int64 != b.last[l] {
		return fmt.Errorf("the %s lane ends at %d, its counter says %d: %w", l, last.Int64, b.last[l], errDamaged)
	}
	var epoch string
	var seq int64
	if err := st.conn.QueryRowContext(ctx, "SELECT epoch, seq FROM "+l.String()+" WHERE pos = ?", last.Int64).Scan(&epoch, &seq); err != nil {
		return fmt.Errorf("read the last %s row: %w", l, err)
	}
	if epoch == b.epoch && uint64(seq) > b.seq {
		return fmt.Errorf("the last %s row has number %d, the counter says %d: %w", l, seq, b.seq, errDamaged)
	}
	return nil
}

func (st *store) loadMarks(ctx context.Context, b *book) error {
	err := query(ctx, st.conn, func(s scanner) error {
		var k cursorKey
		var pos int64
		if err := s.Scan(&k.consumer, &k.lane, &pos); err != nil {
			return err
		}
		if k.lane >= lanes || pos > b.last[k.lane] {
			return fmt.Errorf("cursor %s/%s stands at %d, behind the end: %w", k.consumer, k.lane, pos, errDamaged)
		}
		b.marks[k] = &mark{pos: pos, saved: pos, skip: make(map[int64]struct{})}
		return nil
	}, "SELECT consumer, lane, pos FROM cursor")
	if err != nil {
		return fmt.Errorf("read cursors: %w", err)
	}
	err = query(ctx, st.conn, func(s scanner) error {
		var k cursorKey
		var pos sql.NullInt64
		if err := s.Scan(&k.consumer, &k.lane, &pos); err != nil {
			return err
		}
		if k.lane >= lanes {
			return fmt.Errorf("parked row in lane %d: %w", k.lane, errDamaged)
		}
		m := b.mark(k)
		m.count++
		if pos.Valid && pos.Int64 > m.pos {
			m.skip[pos.Int64] = struct{}{}
		}
		return nil
	}, "SELECT consumer, lane, pos FROM parked")
	if err != nil {
		return fmt.Errorf("read parked rows: %w", err)
	}
	for _, m := range b.marks {
		m.settle()
	}
	return nil
}

// querier is what *sql.Conn, *sql.DB and *sql.Tx share.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// query calls each for every row and always closes the result: an open one
// would pin the write-ahead log.
func query(ctx context.Context, q querier, each func(scanner) error, text string, args ...any) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// loadAlerts reads what the events add up to.
func loadAlerts(ctx context.Context, q querier) ([]alert.Alert, map[alert.Key]alert.Ref, error) {
	var list []alert.Alert
	refs := make(map[alert.Key]alert.Ref)
	err := query(ctx, q, func(s scanner) error {
		var ref alert.Ref
		var seq, crc int64
		var data []byte
		if err := s.Scan(&ref.Epoch, &seq, &data, &crc); err != nil {
			return err
		}
		ref.Seq = uint64(seq)
		if int64(alertChecksum(ref, data)) != crc {
			return fmt.Errorf("checksum of an alert: %w", errDamaged)
		}
		var a alert.Alert
		if err := json.Unmarshal(data, &a); err != nil {
			return fmt.Errorf("decode an alert (%w): %w", err, errDamaged)
		}
		list = append(list, a)
		refs[a.Key] = ref
		return nil
	}, "SELECT epoch, seq, data, crc FROM alert")
	if err != nil {
		err = fmt.Errorf("read alerts: %w", ofSchema(err))
	}
	return list, refs, err
}

func alertChecksum(ref alert.Ref, data []byte) uint32 {
	return crc32c(append(fmt.Appendf(nil, "%s-%d\n", ref.Epoch, ref.Seq), data...))
}
