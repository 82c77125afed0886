package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Outgoing is one event about an alert that waits for one receiver.
type Outgoing struct {
	ID      int64
	Webhook string
	Gateway Gateway
	// Alert is the alert's id, Event the event's CloudEvents form.
	Alert    string
	Event    []byte
	Stored   time.Time
	Attempts int
}

// Claim hands out events for one receiver and hides them from other callers
// for lease. Of one alert it hands out only the oldest that is not done.
func (s *Store) Claim(ctx context.Context, webhook string, lease time.Duration, limit int) ([]Outgoing, error) {
	var list []Outgoing
	now := s.now()
	// Only the first of each alert, so that a receiver hears them in order.
	const first = `WHERE o.webhook = $1 AND o.gone = 0 AND o.due <= $2 AND NOT EXISTS (SELECT 1 FROM outbox x
		WHERE x.webhook = o.webhook AND x.gateway = o.gateway AND x.alert = o.alert AND x.gone = 0 AND x.id < o.id) `
	var n int
	err := s.db().one(ctx, []any{&n}, "SELECT count(*) FROM (SELECT 1 FROM outbox o "+first+"LIMIT 1) AS q", webhook, now)
	if err == nil && n > 0 {
		err = s.update(ctx, func(t tx) error {
			list = nil
			skip := t.d.skip
			if skip != "" {
				skip = " FOR UPDATE OF o SKIP LOCKED"
			}
			if err := t.each(ctx, func(scan func(...any) error) error {
				o := Outgoing{Webhook: webhook}
				var stored int64
				err := scan(&o.ID, &o.Gateway.Site, &o.Gateway.ID, &o.Alert, &o.Event, &stored, &o.Attempts)
				o.Stored = fromMicros(stored)
				list = append(list, o)
				return err
			}, "SELECT o.id, g.site, g.id, o.alert, o.event, o.stored, o.attempts FROM outbox o JOIN gateway g ON g.key = o.gateway "+
				first+"ORDER BY o.id LIMIT $3"+skip, webhook, now, limit); err != nil {
				return err
			}
			for _, o := range list {
				if _, err := t.exec(ctx, "UPDATE outbox SET due = $2 WHERE id = $1", o.ID, now+lease.Microseconds()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("claim for webhook %s: %w", webhook, err)
	}
	return list, nil
}

// Done removes what was delivered.
func (s *Store) Done(ctx context.Context, ids ...int64) error {
	if len(ids) == 0 {
		return nil
	}
	ids = slices.Sorted(slices.Values(ids))
	// The next one of the same alert may go now.
	err := s.update(ctx, func(t tx) error {
		for _, id := range ids {
			if _, err := t.exec(ctx, "DELETE FROM outbox WHERE id = $1", id); err != nil {
				return err
			}
		}
		return nil
	}, OutboxChanged)
	if err != nil {
		return fmt.Errorf("webhook events are done: %w", err)
	}
	return nil
}

// Failed notes an attempt that failed and when to try again. A zero again
// gives the event up: it stays in the database, is counted and never claimed.
func (s *Store) Failed(ctx context.Context, id int64, reason string, again time.Time) error {
	err := s.update(ctx, func(t tx) error {
		_, err := t.exec(ctx, "UPDATE outbox SET attempts = attempts + 1, reason = $2, due = $3, gone = $4 WHERE id = $1", id, plain(reason, maxReason), micros(again), bit(again.IsZero()))
		return err
	})
	if err != nil {
		return fmt.Errorf("webhook event %d failed: %w", id, err)
	}
	return nil
}
