package store

import (
	"context"
	"time"

	"nabat/sync/event"
)

// Arrival is one event as it came in.
type Arrival struct {
	Gateway Gateway
	Event   event.Event
	// Raw are the bytes that Event was decoded from. They are stored.
	Raw []byte
	// Link says how it came: "mqtt", "http".
	Link string
	// At is when it came, by our own clock.
	At time.Time
}

// Receipt is what is stored of one gateway's epoch. Above holds at least the
// sequences of the arrivals that led to it and are above the mark, and of the
// others as many of the lowest as a receipt may carry.
type Receipt struct {
	Gateway Gateway
	event.Receipt
}

// Refusal is an arrival that was not taken as an event.
type Refusal struct {
	Gateway Gateway
	ID      string
	Reason  string
	// Kept says that its bytes are stored for a person to see and that receipts
	// cover it, so that it is not sent again. Otherwise nothing of it is stored,
	// and no receipt covers it.
	Kept bool
}

// Result is what one Ingest came to.
type Result struct {
	// Receipts has one entry for each (gateway, epoch) of the arrivals.
	Receipts []Receipt
	// New counts the events that were not there before.
	New      int
	Refusals []Refusal
}

// Ingest stores arrivals in one transaction, with everything that follows from
// them: marks, alerts, clocks, answers to commands, outbox. It returns after
// the commit; after an error nothing counts as stored, although it may be, and
// the arrivals are to be ingested again. It may be called from any number of
// goroutines and processes; conflicts between them are retried inside.
func (s *Store) Ingest(ctx context.Context, list []Arrival) (Result, error) {
	return s.ingest(ctx, list)
}

// ReceiptOf returns what is stored of one epoch of a gateway. Of an unknown
// epoch nothing is stored.
func (s *Store) ReceiptOf(ctx context.Context, g Gateway, epoch string) (event.Receipt, error) {
	return s.receiptOf(ctx, g, epoch)
}
