package subscriber

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/command"
	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// mailbox is a broker that a test can make refuse: a real one does not lose
// exactly one message on command.
type mailbox struct {
	mu       sync.Mutex
	fail     error
	receipts []event.Receipt
}

// Send implements Sender.
func (b *mailbox) Send(_ context.Context, topic string, payload []byte, retained bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	if r, err := event.ParseReceipt(payload); err == nil && retained && topic == "nabat/1/school-12/main/receipt" {
		b.receipts = append(b.receipts, r)
	}
	return nil
}

func (b *mailbox) refuse(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// said reports whether some receipt names the event.
func (b *mailbox) said(seq uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.receipts, func(r event.Receipt) bool { return seq <= r.Through || slices.Contains(r.Above, seq) })
}

func (b *mailbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.receipts)
}

// post runs a post without a broker.
func (r *rig) post(in Intake) *Post {
	p := NewPost(PostOptions{Intake: in, Store: r.store, Signer: r.sign})
	r.job(p.Run)
	return p
}

// hand gives the post one message and returns what its sender is told.
func (r *rig) hand(p *Post, topic string, payload []byte, retained bool) error {
	r.t.Helper()
	answer := make(chan error, 1)
	p.Take(r.t.Context(), topic, payload, retained, func(err error) { answer <- err })
	return <-answer
}

func wire(source string, seq uint64) []byte {
	return event.Append(nil, source, journal.Row{Ref: alert.Ref{Epoch: "e1", Seq: seq}, Type: alert.GatewayStarted, Data: []byte(`{}`)})
}

const started = "nabat/1/school-12/main/event/gateway.started"

// full is an intake whose database takes nothing.
type full struct{}

var errFull = errors.New("the disk is full")

// Submit implements Intake.
func (full) Submit(context.Context, []store.Arrival) ([]store.Receipt, []store.Refusal, error) {
	return nil, nil, errFull
}

func TestWhatIsNotStoredIsNotAcknowledged(t *testing.T) {
	r := newRig(t)
	if err := r.hand(r.post(full{}), started, wire(source, 1), false); !errors.Is(err, errFull) {
		t.Errorf("the broker is told %v", err)
	}
}

func TestAGatewaySpeaksForItselfOnly(t *testing.T) {
	r := newRig(t)
	p := r.post(r.intake)
	for name, one := range map[string]struct{ topic, source string }{
		"another source": {started, "/sites/school-13/gateways/main"},
		"another type":   {"nabat/1/school-12/main/event/alert.cleared", source},
	} {
		before := p.Refused()
		if err := r.hand(p, one.topic, wire(one.source, 1), false); err != nil || p.Refused() != before+1 || r.stored() != 0 {
			t.Errorf("%s: %v, %d refused, %d stored", name, err, p.Refused()-before, r.stored())
		}
	}
}

// TestAReceiptSurvivesALostConnection: what could not be sent is said when the
// broker is there again.
func TestAReceiptSurvivesALostConnection(t *testing.T) {
	r := newRig(t)
	p := r.post(r.intake)
	box := new(mailbox)
	box.refuse(errFull)
	if err := r.hand(p, started, wire(source, 3), false); err != nil {
		t.Fatal(err)
	}
	if err := p.Serve(t.Context(), box); !errors.Is(err, errFull) {
		t.Fatalf("served with a broker that takes nothing: %v", err)
	}
	box.refuse(nil)
	r.job(func(ctx context.Context) error { return p.Serve(ctx, box) })
	r.waitUntil("the receipt", func() bool { return box.said(3) })
}

func TestReceiptsThatWaitAreJoined(t *testing.T) {
	var b outbox
	b.init()
	g := store.Gateway{Site: "school-12", ID: "main"}
	b.put(g, event.Receipt{Epoch: "e1", Above: []uint64{700}})
	b.put(g, event.Receipt{Epoch: "e1", Through: 2})
	b.put(g, event.Receipt{Epoch: "e2", Through: 9})
	list := b.take()[g]
	if r := list["e1"]; len(list) != 2 || r.Through != 2 || !slices.Equal(r.Above, []uint64{700}) {
		t.Errorf("what waits is %+v", list)
	}
}

// TestAStatusBringsTheReceiptAndTheCommands: a gateway that comes back is told
// what is stored, and gets its commands anew; a retained word gets nothing.
func TestAStatusBringsTheReceiptAndTheCommands(t *testing.T) {
	r := newRig(t)
	p := r.post(r.intake)
	box := new(mailbox)
	if err := r.hand(p, started, wire(source, 1), false); err != nil {
		t.Fatal(err)
	}
	p.forget()
	c, err := r.store.Issue(t.Context(), r.main, command.Claims{Verb: command.DrillEnd, Who: "op"}, "op", r.sign)
	if err != nil {
		t.Fatal(err)
	}
	say := func(session string, retained bool) uint64 {
		t.Helper()
		doc, err := event.Status{Online: true, Session: session, Epoch: "e1", LastSeq: 1}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.hand(p, "nabat/1/school-12/main/status", doc, retained); err != nil {
			t.Fatal(err)
		}
		list, err := r.store.Commands(t.Context(), r.main, 0)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d commands, %v", len(list), err)
		}
		return list[0].Claims.Counter
	}
	if n := say("s0", true); n != c.Claims.Counter {
		t.Errorf("signed anew for a retained word: %d", n)
	}
	if n := say("s1", false); n <= c.Claims.Counter {
		t.Errorf("not signed anew for a new session: %d", n)
	}
	r.job(func(ctx context.Context) error { return p.Serve(ctx, box) })
	r.waitUntil("receipt", func() bool { return box.said(1) })
	if n := box.count(); n != 1 {
		t.Errorf("%d receipts", n)
	}
}
