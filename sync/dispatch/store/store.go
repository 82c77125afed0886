package store

import (
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
	// AccessChanged: a credential was given, changed or withdrawn.
	AccessChanged
	topics
)

func (t Topic) String() string {
	switch t {
	case AlertsChanged:
		return "alerts"
	case GatewaysChanged:
		return "gateways"
	case CommandsChanged:
		return "commands"
	case OutboxChanged:
		return "outbox"
	case AccessChanged:
		return "access"
	case topics:
	}
	return "unknown"
}

// Changed returns a channel that is closed at the next change of the topic, by
// this process at once and by others while Run runs. Ask for the channel
// first, then read, then wait.
func (s *Store) Changed(t Topic) <-chan struct{} { return s.bell.wait(t) }
