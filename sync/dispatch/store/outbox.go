package store

import (
	"context"
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
	return s.claim(ctx, webhook, lease, limit)
}

// Done removes what was delivered.
func (s *Store) Done(ctx context.Context, ids ...int64) error { return s.done(ctx, ids) }

// Failed notes an attempt that failed and when to try again. A zero again
// gives the event up: it stays in the database, is counted and never claimed.
func (s *Store) Failed(ctx context.Context, id int64, reason string, again time.Time) error {
	return s.failed(ctx, id, reason, again)
}
