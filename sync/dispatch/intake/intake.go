package intake

import (
	"context"
	"errors"
	"log/slog"

	"nabat/sync/dispatch/store"
)

// Errors that callers tell apart.
var (
	// ErrBusy is returned where more waits than Options.Queue allows: answer
	// 503 with Retry-After, or leave the message unacknowledged.
	ErrBusy = errors.New("too much waits for the database")
	// ErrClosed is returned while Run does not run any more.
	ErrClosed = errors.New("intake has ended")
)

// Store is what the intake needs of a store.
type Store interface {
	Ingest(context.Context, []store.Arrival) (store.Result, error)
}

// Options bound the intake. Zero members mean the defaults.
type Options struct {
	// Batch and Bytes bound one transaction: 4,000 arrivals, 8 MiB.
	Batch, Bytes int
	// Queue and QueueBytes bound what waits: 40,000 arrivals, 64 MiB.
	Queue, QueueBytes int
	// Log may be nil.
	Log *slog.Logger
}

// Intake commits in groups. Its methods may be called from any goroutine.
type Intake struct{}

// New returns an intake that begins to work when Run is called.
func New(s Store, opt Options) *Intake { return &Intake{} }

// Run commits what is submitted, until ctx is done; then it commits what waits
// already and returns nil.
func (in *Intake) Run(ctx context.Context) error { return errors.New("not written yet") }

// Submit hands arrivals in and waits for their commit. The receipts and
// refusals are those of these arrivals. After an error nothing may be claimed
// of them: they are to come again. A caller that stops waiting (ctx) does not
// know whether they were stored.
func (in *Intake) Submit(ctx context.Context, list []store.Arrival) ([]store.Receipt, []store.Refusal, error) {
	return nil, nil, errors.New("not written yet")
}
