package sms

import (
	"context"
	"database/sql"
	"fmt"

	"nabat/gateway/alert"
)

// class is what a message is for. More urgent ones go first.
type class string

const (
	classAsk     class = "ask"
	classClear   class = "clear"
	classSummary class = "summary"
)

// state is how far a message has come.
type state string

const (
	stateQueued  state = "queued"
	stateHanded  state = "handed"  // to the modem, which has not answered yet
	stateSent    state = "sent"    // the network has taken it
	stateFailed  state = "failed"  // refused for good, or too often
	stateStale   state = "stale"   // skipped for its age
	stateSettled state = "settled" // skipped: nobody needs it any more
	stateUnknown state = "unknown" // handed over, and no answer came
)

// message is one row of the table.
type message struct {
	id        int64
	ref       alert.Ref
	recipient string
	class     class
	alert     string
	at        alert.Stamp
	text      string
	attempts  int
	part      int // the next part to be handed over
}

// queue adds a message unless there is one for this event and recipient.
func queue(ctx context.Context, tx *sql.Tx, m message) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO message (epoch, seq, recipient, class, state, alert, at, text)
		VALUES (?, ?, ?, ?, 'queued', ?, ?, ?) ON CONFLICT DO NOTHING`,
		m.ref.Epoch, int64(m.ref.Seq), m.recipient, string(m.class), m.alert, encodeStamp(m.at), m.text)
	return err
}

// note keeps what the lane tells about an alert: when it began, and the highest
// press so far.
func note(ctx context.Context, tx *sql.Tx, id string, at alert.Stamp, number uint64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO alert VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET last = max(last, excluded.last)`, id, encodeStamp(at), int64(number))
	return err
}

// noted returns what note has kept; zero where there is nothing.
func noted(ctx context.Context, tx *sql.Tx, id string) (first alert.Stamp, last uint64, err error) {
	var text string
	var n int64
	err = tx.QueryRowContext(ctx, "SELECT first, last FROM alert WHERE id = ?", id).Scan(&text, &n)
	if err == sql.ErrNoRows {
		return alert.Stamp{}, 0, nil
	}
	return decodeStamp(text), uint64(n), err
}

// told returns who was asked about an alert, as far as is known, or is about to be.
func told(ctx context.Context, tx *sql.Tx, alertID string) ([]string, error) {
	return column[string](ctx, tx, `SELECT DISTINCT recipient FROM message WHERE alert = ? AND class = 'ask'
		AND state IN ('queued', 'handed', 'sent', 'unknown') ORDER BY recipient`, alertID)
}

// wasTold reports whether a recipient was asked about an alert, or may have been.
func (s *store) wasTold(ctx context.Context, alertID, recipient string) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM message WHERE alert = ? AND recipient = ? AND class = 'ask'
		AND state IN ('sent', 'unknown')`, alertID, recipient).Scan(&n)
	return n > 0, err
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func column[T any](ctx context.Context, q querier, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var list []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// lookAhead is how many waiting messages are looked at together. Beyond it a
// message waits until others have gone, or have grown stale.
const lookAhead = 500

// waiting returns the messages to be sent, the most urgent first.
func (s *store) waiting(ctx context.Context) ([]message, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, epoch, seq, recipient, class, alert, at, text, attempts, part FROM message
		WHERE state = 'queued' ORDER BY CASE class WHEN 'ask' THEN 0 WHEN 'clear' THEN 1 ELSE 2 END, id LIMIT ?`, lookAhead)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var list []message
	for rows.Next() {
		var m message
		var seq int64
		var at string
		if err := rows.Scan(&m.id, &m.ref.Epoch, &seq, &m.recipient, &m.class, &m.alert, &at, &m.text, &m.attempts, &m.part); err != nil {
			return nil, err
		}
		m.ref.Seq, m.at = uint64(seq), decodeStamp(at)
		list = append(list, m)
	}
	return list, rows.Err()
}

// depth is how many messages wait.
func (s *store) depth(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT count(*) FROM message WHERE state = 'queued'").Scan(&n)
	return n, err
}

// hand notes that the modem is about to get a part of a message. It is on disk
// when hand returns.
func (s *store) hand(ctx context.Context, m message, now alert.Stamp) error {
	return s.change(ctx, m, "state = 'handed', part = ?, handed = ?", m.part, encodeStamp(now))
}

// end notes what became of a message.
func (s *store) end(ctx context.Context, m message, end state, reason string) error {
	return s.change(ctx, m, "state = ?, reason = ?", string(end), reason)
}

// again puts a message back that the modem has refused or never had.
func (s *store) again(ctx context.Context, m message, reason string) error {
	return s.change(ctx, m, "state = 'queued', attempts = attempts + 1, part = ?, reason = ?", m.part, reason)
}

func (s *store) change(ctx context.Context, m message, set string, args ...any) error {
	if _, err := s.db.ExecContext(ctx, "UPDATE message SET "+set+" WHERE id = ?", append(args, m.id)...); err != nil {
		return fmt.Errorf("note what became of message %d: %w", m.id, err)
	}
	return nil
}

// doubt marks what was handed over when the program ended: nobody knows
// whether it has gone.
func (s *store) doubt(ctx context.Context) (int64, error) {
	r, err := s.db.ExecContext(ctx, "UPDATE message SET state = 'unknown', reason = 'the gateway stopped before the modem answered' WHERE state = 'handed'")
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// handedLast returns when the n latest messages to a recipient were handed over,
// the latest first.
func (s *store) handedLast(ctx context.Context, recipient string, n int) ([]alert.Stamp, error) {
	texts, err := column[string](ctx, s.db, "SELECT handed FROM message WHERE recipient = ? AND handed IS NOT NULL ORDER BY id DESC LIMIT ?", recipient, n)
	if err != nil {
		return nil, err
	}
	stamps := make([]alert.Stamp, len(texts))
	for i, t := range texts {
		stamps[i] = decodeStamp(t)
	}
	return stamps, nil
}

// keepRows is how many messages stay for later questions.
const keepRows = 20_000

// prune drops the oldest messages that are done with, and alerts of which none
// is left.
func (s *store) prune(ctx context.Context) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM message WHERE state NOT IN ('queued', 'handed') AND id <= (SELECT max(id) FROM message) - ?", keepRows)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM alert WHERE id IN (SELECT id FROM alert ORDER BY id DESC LIMIT -1 OFFSET ?)", keepRows)
		return err
	})
}
