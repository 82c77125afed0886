package sms

import (
	"context"
	"database/sql"

	"nabat/gateway/alert"
)

// missed is what one recipient was not told, or perhaps not.
type missed struct {
	recipient string
	// through is the latest message that it covers.
	through int64
	// stale were skipped, unsure may have arrived.
	stale, unsure int
	alerts        []string
}

// owed returns a summary for each recipient who has none yet of what was
// skipped for its age or never answered for. A summary whose own fate is not
// known gets none: it would never end.
func (s *store) owed(ctx context.Context) ([]missed, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, recipient, state, alert FROM message
		WHERE state IN ('stale', 'unknown') AND class <> 'summary' AND summary = 0 ORDER BY recipient, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var list []missed
	for rows.Next() {
		var id int64
		var recipient, alertID string
		var st state
		if err := rows.Scan(&id, &recipient, &st, &alertID); err != nil {
			return nil, err
		}
		if len(list) == 0 || list[len(list)-1].recipient != recipient {
			list = append(list, missed{recipient: recipient})
		}
		m := &list[len(list)-1]
		m.through = id
		m.alerts = append(m.alerts, alertID)
		if st == stateStale {
			m.stale++
		} else {
			m.unsure++
		}
	}
	return list, rows.Err()
}

// summarise queues the summary of what a recipient missed, in the transaction
// that marks all of it as covered: there is one summary of each, ever.
func (s *store) summarise(ctx context.Context, m missed, text string, now alert.Stamp) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		err := queue(ctx, tx, message{
			ref: alert.Ref{Seq: uint64(m.through)}, recipient: m.recipient, class: classSummary, at: now, text: text,
		})
		if err != nil {
			return err
		}
		return s.cover(ctx, tx, m)
	})
}

// waive marks what a recipient missed as covered without a summary.
func (s *store) waive(ctx context.Context, m missed) error {
	return s.transact(ctx, func(tx *sql.Tx) error { return s.cover(ctx, tx, m) })
}

func (s *store) cover(ctx context.Context, tx *sql.Tx, m missed) error {
	_, err := tx.ExecContext(ctx, `UPDATE message SET summary = ? WHERE recipient = ? AND id <= ? AND summary = 0
		AND state IN ('stale', 'unknown') AND class <> 'summary'`, m.through, m.recipient, m.through)
	return err
}
