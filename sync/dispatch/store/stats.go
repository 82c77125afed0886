package store

import (
	"context"
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

// Stats reads the figures. It scans nothing large.
func (s *Store) Stats(ctx context.Context) (Stats, error) { return s.stats(ctx) }

// Ping reports whether the database answers and can be written.
func (s *Store) Ping(ctx context.Context) error { return s.ping(ctx) }

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

// Refused returns the latest refused events, the newest first.
func (s *Store) Refused(ctx context.Context, limit int) ([]RefusedEvent, error) {
	return s.refused(ctx, limit)
}

// Prune deletes events that were stored before the given times: those of
// alerts, and all others. Marks stay, so that a repetition is still known as
// one; alerts stay. It works in small transactions and returns how many
// events it deleted, also with an error.
func (s *Store) Prune(ctx context.Context, alerts, others time.Time) (int, error) {
	return s.prune(ctx, alerts, others)
}
