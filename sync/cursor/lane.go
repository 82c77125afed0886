package cursor

import (
	"context"
	"fmt"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
)

// Source is the position of one consumer in one lane; the journal's cursor is
// one. Only the runner uses it while Run lasts.
type Source interface {
	// Read returns up to n rows after the last one that was read; none means
	// that there are none now.
	Read(ctx context.Context, n int) ([]journal.Row, error)
	// Rewind makes the next Read begin after the last row passed.
	Rewind()
	// Advance notes that row and all before it were delivered.
	Advance(row journal.Row)
	// Park sets row aside for good, durably, and passes it. All before it have
	// been advanced over or parked already.
	Park(ctx context.Context, row journal.Row, reason string) error
}

// Lane is one lane of a consumer.
type Lane struct {
	Source Source
	// Appended returns a channel that is closed at the next commit in the lane.
	Appended func() <-chan struct{}
	// Again returns a channel that is closed when rows that were advanced over
	// are wanted once more: the runner then rewinds this lane, as soon as nothing
	// of it is on its way. Rewind must renew the channel. nil means never.
	Again func() <-chan struct{}
}

// batch is how many rows are read at once: enough to make the query cheap, few
// enough that an alarm does not wait for it.
const batch = 128

// flight is a row that was handed to the session and has no verdict yet.
type flight struct {
	row      journal.Row
	delivery Delivery
}

// queue is the runner's view of one lane. Its goroutine owns it.
type queue struct {
	Lane
	wake    <-chan struct{} // taken before the last Read: closed when there is more
	more    bool            // the last Read did not reach the end
	buf     []journal.Row   // read, not handed over
	flights []flight        // handed over, in order
	moved   time.Time       // when the head of flights became the head
	again   <-chan struct{} // taken after the last Rewind
}

// rewind forgets all that was read and not passed.
func (q *queue) rewind() {
	clear(q.flights)
	q.buf, q.flights, q.more = nil, q.flights[:0], true
	q.Source.Rewind()
	if q.Again != nil {
		q.again = q.Again()
	}
}

// wanted returns the channel that tells of the wish to rewind, until it came.
func (q *queue) wanted() <-chan struct{} {
	if q.asked() {
		return nil
	}
	return q.again
}

func (q *queue) asked() bool {
	select {
	case <-q.again:
		return true
	default:
		return false
	}
}

// fill reads more rows when none are at hand and there may be some.
func (q *queue) fill(ctx context.Context) error {
	if len(q.buf) > 0 {
		return nil
	}
	if !q.more {
		select {
		case <-q.wake:
		default:
			return nil
		}
	}
	// The channel comes first: a commit between the two is then seen twice
	// rather than not at all.
	wake := q.Appended()
	rows, err := q.Source.Read(ctx, batch)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	q.wake, q.buf, q.more = wake, rows, len(rows) > 0
	return nil
}

// head returns the Done channel of the oldest flight, or nil.
func (q *queue) head() <-chan struct{} {
	if len(q.flights) == 0 {
		return nil
	}
	return q.flights[0].delivery.Done()
}

// send hands the next row over to the session.
func (q *queue) send(s Session) {
	if len(q.flights) == 0 {
		q.moved = time.Now()
	}
	row := q.buf[0]
	q.buf = q.buf[1:]
	q.flights = append(q.flights, flight{row, s.Deliver(row)})
}

// drop removes the n oldest flights.
func (q *queue) drop(n int) {
	if n == 0 {
		return
	}
	left := copy(q.flights, q.flights[n:])
	clear(q.flights[left:])
	q.flights = q.flights[:left]
	q.moved = time.Now()
}

// stalled reports whether the oldest flight has waited for longer than d.
func (q *queue) stalled(d time.Duration) bool {
	return len(q.flights) > 0 && time.Since(q.moved) >= d
}

// news returns the channel that tells of new rows, if rows are wanted.
func (q *queue) news(window int) <-chan struct{} {
	if len(q.flights) >= window {
		return nil
	}
	return q.wake
}

// collect passes the rows at the head that have a verdict, and returns how
// many of them were delivered. sent is told each of these.
func (q *queue) collect(ctx context.Context, sent func(alert.Ref)) (n int, err error) {
	var last journal.Row // the newest one that was delivered
	passed := true
	advance := func() {
		if !passed {
			q.Source.Advance(last)
			passed = true
		}
	}
	defer advance()
	// All at once: with a large window one by one would move it over and over.
	gone := 0
	defer func() { q.drop(gone) }()
	for gone < len(q.flights) {
		f := q.flights[gone]
		select {
		case <-f.delivery.Done():
		default:
			return n, nil
		}
		verdict, why := f.delivery.Verdict()
		row := f.row
		switch verdict {
		case Done:
			last, passed = row, false
			n++
			gone++
			if sent != nil {
				sent(row.Ref)
			}
		case Never:
			advance()
			if err := q.Source.Park(ctx, row, reason(why)); err != nil {
				return n, fmt.Errorf("%w: park row %s-%d: %w", ErrJournal, row.Ref.Epoch, row.Ref.Seq, err)
			}
			gone++
		case Later:
			return n, cause(why)
		default:
			return n, fmt.Errorf("verdict %d on row %s-%d is none of the three", verdict, row.Ref.Epoch, row.Ref.Seq)
		}
	}
	return n, nil
}

func reason(err error) string {
	if err == nil {
		return "refused by the far end"
	}
	return err.Error()
}

func cause(err error) error {
	if err == nil {
		return errNoAnswer
	}
	return err
}
