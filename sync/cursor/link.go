package cursor

import (
	"context"
	"errors"

	"nabat/gateway/journal"
)

// Verdict is what became of one row.
type Verdict uint8

const (
	// Done says that the far end has the row. The cursor may pass it.
	Done Verdict = iota + 1
	// Later says that the row may or may not have arrived: it is sent again,
	// with all after it.
	Later
	// Never says that the far end refuses this row for good. It is parked.
	Never
)

// ErrRefused is wrapped by errors of Open, and by causes of a lost session,
// that trying again soon will not mend: a wrong password, a stolen identity.
var ErrRefused = errors.New("refused by the far end")

// ErrJournal is wrapped by causes of the end of a session that are on our own
// side: the journal does not read or park. They say nothing about the far end.
var ErrJournal = errors.New("the journal fails")

// Link opens sessions with a far end.
type Link interface {
	// Open blocks until a session is ready, until the link knows why not, or
	// until ctx ends. The runner never has two sessions at once.
	Open(ctx context.Context) (Session, error)
}

// Session is the unit in which a link keeps order: what is delivered through
// one session arrives in the order of the calls, with at most an end missing.
type Session interface {
	// Deliver hands a row over and returns without waiting for the answer. It
	// may block for a bounded time. Once it has answered Later, or the session
	// is lost, it answers Later to everything. Only the runner calls it.
	Deliver(row journal.Row) Delivery
	// Lost is closed when the session is over by itself; Err then says why.
	Lost() <-chan struct{}
	// Err is nil while the session lives.
	Err() error
	// Close ends the session. cause is why, nil when the runner stops; one that
	// wraps ErrJournal must not be taken for trouble of the link. When it
	// returns, nothing that was handed over can reach the far end any more,
	// except what is there already. It returns the cause to back off by, which
	// the link may know better than the runner.
	Close(cause error) error
}

// Delivery is one row on its way.
type Delivery interface {
	// Done is closed when the verdict is known.
	Done() <-chan struct{}
	// Verdict may be called once Done is closed. The error says why a row
	// comes Later or Never.
	Verdict() (Verdict, error)
}

// Answered returns a delivery whose verdict is known already.
func Answered(v Verdict, err error) Delivery { return answered{v, err} }

type answered struct {
	verdict Verdict
	err     error
}

// Done implements Delivery.
func (a answered) Done() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Verdict implements Delivery.
func (a answered) Verdict() (Verdict, error) { return a.verdict, a.err }
