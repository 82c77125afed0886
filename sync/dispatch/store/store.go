package store

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"nabat/sync/event"
)

// Errors that callers tell apart.
var (
	// ErrNotFound is wrapped where the thing asked for does not exist.
	ErrNotFound = errors.New("not found")
	// ErrExists is wrapped where a name is already taken.
	ErrExists = errors.New("exists already")
	// ErrDenied is wrapped where a credential is wrong, unknown or revoked.
	ErrDenied = errors.New("denied")
	// ErrInvalid is wrapped where a value cannot be stored as it is.
	ErrInvalid = errors.New("invalid")
	// ErrNewerSchema is wrapped by Open where a newer program has already
	// changed the database; nothing was touched.
	ErrNewerSchema = errors.New("the database was made by a newer nabat-dispatch; use that one")
)

// Gateway names one gateway.
type Gateway struct {
	Site string `json:"site"`
	ID   string `json:"gateway"`
}

// String returns "site/gateway", as commands and certificates name it.
func (g Gateway) String() string { return g.Site + "/" + g.ID }

// Check reports why the name cannot be used; the error wraps event.ErrID.
func (g Gateway) Check() error {
	_, err := event.NewTopics(g.Site, g.ID)
	return err
}

// Options say what to open.
type Options struct {
	// URL is "sqlite:PATH" or "postgres://…".
	URL string
	// Webhooks names the receivers of outgoing webhooks. Every change of an
	// alert writes one outbox row for each, in its own transaction. Processes
	// that share a database must have the same list.
	Webhooks []string
	// Conns bounds the connections to PostgreSQL; zero means 8.
	Conns int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log may be nil.
	Log *slog.Logger
}

// Topic is something that pages and links wait for.
type Topic int

// Topics of Changed.
const (
	// AlertsChanged: an alert, a team on its way, an outcome.
	AlertsChanged Topic = iota
	// GatewaysChanged: a gateway went on or off line, or its conditions changed.
	GatewaysChanged
	// CommandsChanged: a command was issued, reissued, published or answered.
	CommandsChanged
	// OutboxChanged: a webhook waits.
	OutboxChanged
	topics
)

// Changed returns a channel that is closed at the next change of the topic, by
// this process at once and by others while Run runs. Ask for the channel
// first, then read, then wait.
func (s *Store) Changed(t Topic) <-chan struct{} { return s.bell.wait(t) }

// Run hears what other processes change, until ctx is done, and then returns
// nil. It mends its own connection. Everything works without it, except that
// Changed tells of this process's own changes only.
func (s *Store) Run(ctx context.Context) error { return s.run(ctx) }
