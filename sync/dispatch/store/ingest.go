package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"nabat/gateway/alert"
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
	// Passing says that the event may be taken another time: nobody may give it
	// up for good.
	Passing bool
}

// Result is what one Ingest came to.
type Result struct {
	// Receipts has one entry for each (gateway, epoch) of the arrivals.
	Receipts []Receipt
	// New counts the events that were not there before.
	New      int
	Refusals []Refusal
}

// Bounds of names that become keys of the database, in bytes. They are wider
// than anything that a gateway's configuration allows.
const (
	maxName   = 512
	maxKey    = 256
	maxReason = 1024
	// maxAlarm bounds an event about an alert: it has a place, a kind and a time.
	// What is larger is kept, but is in no alert.
	maxAlarm  = 64 << 10
	maxNumber = 1<<63 - 1
)

// Ingest stores arrivals in one transaction, with everything that follows from
// them: marks, alerts, clocks, answers to commands, outbox. It returns after
// the commit; after an error nothing counts as stored, although it may be, and
// the arrivals are to be ingested again. An error that wraps ErrInvalid says
// that the database refuses something among them for good. It may be called from any number of
// goroutines and processes; conflicts between them are retried inside.
func (s *Store) Ingest(ctx context.Context, list []Arrival) (Result, error) {
	b := &book{now: s.now(), hooks: s.opt.Webhooks, items: make([]item, 0, len(list))}
	var early []Refusal
	for _, a := range list {
		key, err := s.key(ctx, a.Gateway)
		switch {
		case errors.Is(err, ErrNotFound):
			early = append(early, Refusal{Gateway: a.Gateway, ID: a.Event.ID(), Reason: "the gateway is not registered", Passing: true})
			continue
		case err != nil:
			return Result{}, fmt.Errorf("ingest: %w", err)
		}
		if n := a.Event.Ref.Seq; n == 0 || n > maxNumber-1 {
			early = append(early, Refusal{Gateway: a.Gateway, ID: a.Event.ID(), Reason: "the sequence is out of bounds"})
			continue
		}
		b.items = append(b.items, item{Arrival: a, gateway: key, seq: a.Event.Ref.Seq})
	}
	understandAll(b.items)
	if len(b.items) > 0 {
		if err := s.eng.store(ctx, b, b.decide); err != nil {
			if badData(err) {
				err = fmt.Errorf("%w: %w", err, ErrInvalid)
			}
			return Result{}, fmt.Errorf("ingest %d events: %w", len(b.items), err)
		}
		for t := range topics {
			if b.topics[t] {
				s.bell.ring(t)
			}
		}
	}
	b.result.Refusals = append(early, b.result.Refusals...)
	return b.result, nil
}

// understandAll reads the data of all items, on all processors where there are
// many: it is most of what a large transaction computes.
func understandAll(items []item) {
	var wg sync.WaitGroup
	for part := range slices.Chunk(items, max(256, (len(items)-1)/runtime.GOMAXPROCS(0)+1)) {
		wg.Go(func() {
			for i := range part {
				part[i].event, part[i].reason = understand(part[i].Event, len(part[i].Raw))
			}
		})
	}
	wg.Wait()
}

// understand reads the data of an event of size bytes, and says why it cannot
// be used.
func understand(e event.Event, size int) (alert.Event, string) {
	a, err := e.Alert()
	if err != nil {
		return alert.Event{}, plain(err.Error(), maxReason)
	}
	if size > maxAlarm && strings.HasPrefix(string(e.Type), alarmPrefix) {
		return alert.Event{}, "an alarm of this size is none"
	}
	bad := func(s string) bool { return len(s) > maxKey || strings.ContainsRune(s, 0) }
	switch {
	case a.Number > maxNumber || a.Counter > maxNumber:
		return alert.Event{}, "a number is out of bounds"
	case bad(a.Numbering) || bad(string(a.Kind)) || bad(a.Command) || a.Place != nil && bad(a.Place.ID) || strings.ContainsRune(e.Subject, 0):
		return alert.Event{}, "a name is too long, or has a character that is not allowed"
	}
	return a, ""
}

// ReceiptOf returns what is stored of one epoch of a gateway. Of an unknown
// epoch nothing is stored.
func (s *Store) ReceiptOf(ctx context.Context, g Gateway, epoch string) (event.Receipt, error) {
	key, err := s.key(ctx, g)
	if err != nil {
		return event.Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	return receiptFrom(ctx, s.db(), key, epoch)
}

func receiptFrom(ctx context.Context, t tx, gateway int64, epoch string) (event.Receipt, error) {
	var text string
	err := t.one(ctx, []any{&text}, "SELECT have FROM stream WHERE gateway = $1 AND epoch = $2", gateway, epoch)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return event.Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	have, err := parseSet(text)
	if err != nil {
		return event.Receipt{}, fmt.Errorf("receipt of epoch %s: %w", epoch, err)
	}
	return receipt(epoch, have, nil), nil
}
