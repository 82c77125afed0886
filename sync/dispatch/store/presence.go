package store

import (
	"context"
	"time"

	"nabat/sync/event"
)

// SilentAfter is how long after its last word a gateway counts as silent:
// three heartbeats and a little.
const SilentAfter = 65 * time.Second

// Word is a status document as it came in.
type Word struct {
	Gateway Gateway
	Status  event.Status
	// Link says how it came: "mqtt", "http".
	Link string
	// At is when it came, by our own clock.
	At time.Time
	// Stale marks a retained document: it says what was last said, not that
	// the gateway lives now.
	Stale bool
}

// Heard is what a link owes the gateway after a word.
type Heard struct {
	// NewSession says that the word began a session that was not known.
	NewSession bool
	// Receipt is what is stored of the status document's epoch; its Epoch is
	// empty where the document has none.
	Receipt event.Receipt
	// Due says that the receipt should be sent (again): the session is new, or
	// the gateway's last event has been beyond the mark for more than 10 s.
	Due bool
	// Pending counts the commands that have neither an answer nor expired.
	// After a new session, reissue them.
	Pending int
}

// Heard notes a status document. A gateway that is not registered gets
// ErrDenied. Heartbeats that change nothing are not flushed to disk at once.
func (s *Store) Heard(ctx context.Context, w Word) (Heard, error) { return s.heard(ctx, w) }
