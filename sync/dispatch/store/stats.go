package store

import (
	"context"
	"fmt"
	"time"

	"nabat/sync/event"
)

// Stats are figures for metrics.
type Stats struct {
	Gateways, Online, OpenAlerts      int
	Events, Refused                   uint64
	CommandsPending, OutboxWaiting    int
	OutboxGivenUp, Ahead              int
	Bytes                             int64
	OldestOutgoing, OldestUnpublished time.Time
}

// RefusedEvent is an arrival whose data could not be understood, kept for a
// person to see.
type RefusedEvent struct {
	Gateway Gateway
	Event   event.Event
	Raw     []byte
	Reason  string
	Link    string
	At      time.Time
}

// Stats reads the figures. It scans nothing large.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	var x Stats
	var oldestOut, oldestCommand int64
	db := s.db()
	now := s.now()
	for _, q := range []struct {
		dst  []any
		text string
		args []any
	}{
		{[]any{&x.Gateways}, "SELECT count(*) FROM gateway WHERE revoked = 0", nil},
		{[]any{&x.Online}, "SELECT count(DISTINCT gateway) FROM presence WHERE online = 1 AND heard > $1", []any{now - SilentAfter.Microseconds()}},
		{[]any{&x.OpenAlerts}, "SELECT count(*) FROM standing WHERE stands = 1", nil},
		{[]any{&x.Events, &x.Refused, &x.Ahead}, `SELECT CAST(coalesce(sum(events), 0) AS BIGINT), CAST(coalesce(sum(refused), 0) AS BIGINT),
			count(CASE WHEN have LIKE '%,%' OR have <> '' AND have NOT LIKE '1-%' AND have <> '1' THEN 1 END) FROM stream`, nil},
		{[]any{&x.CommandsPending}, "SELECT count(*) FROM command c WHERE " + waiting, []any{now}},
		{[]any{&oldestCommand}, "SELECT coalesce(min(c.signed), 0) FROM command c WHERE " + waiting + "AND c.published = 0", []any{now}},
		{[]any{&x.OutboxWaiting, &oldestOut}, "SELECT count(*), coalesce(min(stored), 0) FROM outbox WHERE gone = 0", nil},
		{[]any{&x.OutboxGivenUp}, "SELECT count(*) FROM outbox WHERE gone = 1", nil},
		{[]any{&x.Bytes}, db.d.size, nil},
	} {
		if err := db.one(ctx, q.dst, q.text, q.args...); err != nil {
			return Stats{}, fmt.Errorf("stats: %w", err)
		}
	}
	x.OldestOutgoing, x.OldestUnpublished = fromMicros(oldestOut), fromMicros(oldestCommand)
	return x, nil
}

// Refused returns the latest refused events, the newest first.
func (s *Store) Refused(ctx context.Context, limit int) ([]RefusedEvent, error) {
	var list []RefusedEvent
	err := s.db().each(ctx, func(scan func(...any) error) error {
		var r RefusedEvent
		var at int64
		err := scan(&r.Gateway.Site, &r.Gateway.ID, &r.Raw, &r.Reason, &r.Link, &at)
		r.At = fromMicros(at)
		list = append(list, r)
		return err
	}, `SELECT g.site, g.id, x.raw, x.reason, x.link, x.at FROM (
		SELECT t.gateway, e.raw, e.refused AS reason, e.link, e.at FROM event e JOIN stream t ON t.key = e.stream WHERE e.refused <> ''
		UNION ALL SELECT gateway, raw, reason, link, at FROM stray) AS x JOIN gateway g ON g.key = x.gateway ORDER BY x.at DESC LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("refused events: %w", err)
	}
	for i := range list {
		if list[i].Event, err = event.Decode(list[i].Raw); err != nil {
			return nil, fmt.Errorf("refused events: %w", err)
		}
	}
	return list, nil
}

// pruneRows is how many events one transaction of Prune deletes at the most.
const pruneRows = 1000

// Prune deletes events that were stored before the given times: those of
// alerts, and all others. Marks stay, so that a repetition is still known as
// one; alerts stay. It works in small transactions and returns how many
// events it deleted, also with an error.
func (s *Store) Prune(ctx context.Context, alerts, others time.Time) (int, error) {
	total := 0
	for alarm, before := range []time.Time{others, alerts} {
		for {
			var n int64
			err := s.update(ctx, func(t tx) (err error) {
				// What is open is kept whatever its age.
				const chosen = `SELECT e.stream, e.seq FROM event e JOIN stream t ON t.key = e.stream WHERE e.at < $1 AND e.alarm = $2
					AND NOT EXISTS (SELECT 1 FROM standing a WHERE a.gateway = t.gateway AND a.stands = 1 AND a.id = e.subject) ORDER BY e.at LIMIT $3`
				if _, err := t.exec(ctx, "DELETE FROM delivery WHERE (stream, seq) IN ("+chosen+")", micros(before), alarm, pruneRows); err != nil {
					return err
				}
				n, err = t.exec(ctx, "DELETE FROM event WHERE (stream, seq) IN ("+chosen+")", micros(before), alarm, pruneRows)
				return err
			})
			total += int(n)
			if err != nil {
				return total, fmt.Errorf("prune: %w", err)
			}
			if n < pruneRows {
				break
			}
		}
	}
	return total, nil
}
