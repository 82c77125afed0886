package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/event"
	"nabat/sync/mqtt"
)

// measureLamp measures how long a press takes until the lamp may say "received
// by dispatch": there and back, against how long it takes to the disk here.
func measureLamp(ctx context.Context, b *bench) (s section, err error) {
	const gateway = "lamp"
	br, err := startBroker(ctx, b)
	if err != nil {
		return s, err
	}
	defer br.stop()
	d, err := b.startDispatch(ctx, br, gateway)
	if err != nil {
		return s, err
	}
	running := true
	defer func() {
		if running {
			err = errors.Join(err, d.stop())
		}
	}()
	c, err := b.newChain(ctx, gateway, alert.LevelHelp)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	p := newProofs(c)
	l, err := openLink(ctx, c.store, br, gateway, p.sent, nil, func(o *mqtt.Options) {
		o.Receipts, o.Trust, o.Received = true, p.trust, p.received
	})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, l.stop()) }()

	// The first press finds the link on its way up, and does not count.
	if err := p.follow(ctx, 0, new(trip)); err != nil {
		return s, err
	}
	var t trip
	n := 1
	nothing := func(context.Context, bool) error { return nil }
	err = turns(ctx, b.size.rounds, b.size.swaps, nothing, func(ctx context.Context, first bool) error {
		for _, s := range []*samples{&t.committed, &t.taken, &t.answered, &t.shown, &t.whole} {
			s.begin(first)
		}
		for range b.size.presses {
			if err := pause(ctx, b.size.rest); err != nil {
				return err
			}
			if err := p.follow(ctx, n, &t); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	running = false
	if err := d.stop(); err != nil {
		return s, err
	}
	if err := holds(ctx, d.database(), gateway, c.Epoch(), c.Stats().LastSeq); err != nil {
		return s, err
	}
	return section{
		title: "Press → received by dispatch",
		lines: []line{atMost("press → \"received by dispatch\" on the lamp over a local link, against press → committed", 10, 0.99, &t.whole, &t.committed)},
		how: []string{
			fmt.Sprintf("%d presses one after the other through gestures, engine, journal (committed first) and link in one process; through Debian's mosquitto on loopback to nabat-dispatch, the real binary over SQLite, "+
				"which commits each before it gives its receipt; and back, until the view from which lamps are lit says \"received\". The floor is the way of the same presses to the journal's answer. "+
				"Before each, %s of rest, after everything of the one before has been stored and receipted.", t.whole.count(), b.size.rest),
		},
		also: []string{
			fmt.Sprintf("p50 %s against %s.", nice(t.whole.at(0.5)), nice(t.committed.at(0.5))),
			"p50 of the parts: " + t.parts(0.5),
			"p99 of the parts: " + t.parts(0.99),
			"dispatch's database held every event once when it was stopped.",
		},
		hidden: []string{"a network, and TLS; a lamp's driver, which is told at the same moment as this measurement; machines of their own for gateway, broker and dispatch: here they share processors and disk."},
	}, nil
}

// trip is how long the parts of a press's way took.
type trip struct{ committed, taken, answered, shown, whole samples }

func (t *trip) parts(q float64) string {
	return fmt.Sprintf("until committed %s; from there until the broker's acknowledgement is back %s; from there until dispatch's receipt is back %s; from there until the view shows it %s.",
		nice(t.committed.at(q)), nice(t.taken.at(q)), nice(t.answered.at(q)), nice(t.shown.at(q)))
}

// proofs notes when the link brought which proof, and hands it to the engine.
type proofs struct {
	c *chain

	mu      sync.Mutex // guards the fields below
	takenAt map[uint64]time.Time
	said    []saying

	highest map[alert.Key]uint64 // press numbers seen; follow's alone
}

// saying is one receipt.
type saying struct {
	at time.Time
	event.Receipt
}

func newProofs(c *chain) *proofs {
	return &proofs{c: c, takenAt: make(map[uint64]time.Time), highest: make(map[alert.Key]uint64)}
}

func (p *proofs) sent(ref alert.Ref) {
	now := time.Now()
	p.c.engine.Sent(ref)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takenAt[ref.Seq] = now
}

// trust refuses receipts for what was never written, as the gateway does.
func (p *proofs) trust(r event.Receipt) bool {
	last := p.c.Stats().LastSeq
	return r.Epoch == p.c.Epoch() && r.Through <= last && !slices.ContainsFunc(r.Above, func(n uint64) bool { return n > last })
}

func (p *proofs) received(epoch string, through uint64, above []uint64) {
	one := saying{time.Now(), event.Receipt{Epoch: epoch, Through: through, Above: above}}
	p.mu.Lock()
	p.said = append(p.said, one)
	p.mu.Unlock()
	p.c.engine.Received(epoch, through, above)
}

// follow presses button i, waits until the view says that dispatch has the
// press, adds the times to t, and lets go. Then it waits until nothing is on
// its way any more.
func (p *proofs) follow(ctx context.Context, i int, t *trip) error {
	begun, answer, err := p.c.press(ctx, i)
	if err != nil {
		return err
	}
	if err := p.await(ctx, i); err != nil {
		return err
	}
	shown := time.Now()
	var taken, answered time.Time
	// The news of the two proofs may cross on their last steps.
	err = untilTrue(ctx, answerWithin, "both proofs are noted", func() (ok bool) {
		taken, answered, ok = p.times(answer.ref.Seq)
		return ok
	})
	if err != nil {
		return err
	}
	p.forget()
	if shown.Before(answered) {
		return fmt.Errorf("the lamp said \"received\" of event %d before dispatch did: %w", answer.ref.Seq, errWrong)
	}
	t.whole.add(shown.Sub(begun))
	t.committed.add(answer.at.Sub(begun))
	t.taken.add(taken.Sub(answer.at))
	t.answered.add(max(answered.Sub(taken), 0)) // the acknowledgement may be noted late
	t.shown.add(shown.Sub(answered))
	if err := p.c.release(ctx, i); err != nil {
		return err
	}
	// That dispatch has it is an event too, and goes the same way.
	select {
	case a := <-p.c.answers:
		if a.err != nil {
			return fmt.Errorf("record the receipt: %w", a.err)
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	return untilTrue(ctx, silence, "dispatch has everything", func() bool { return p.c.depth() == 0 })
}

// await waits until the view says "received" about the press that was just made
// with button i.
func (p *proofs) await(ctx context.Context, i int) error {
	patience := time.NewTimer(silence)
	defer patience.Stop()
	for {
		changed := p.c.engine.Changed()
		v := p.c.engine.View()
		for _, a := range v.Open {
			if a.Key.Place == roomID(i) && a.Last.Number > p.highest[a.Key] && v.Truth(a) == alert.TruthReceived {
				p.highest[a.Key] = a.Last.Number
				return nil
			}
		}
		select {
		case <-changed:
		case <-patience.C:
			return fmt.Errorf("for %s dispatch has not received press %d: %w", silence, i+1, errWrong)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// times returns when the broker had taken an event, and when the first receipt
// came that covers it; ok says that both have been noted.
func (p *proofs) times(seq uint64) (taken, answered time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken, ok = p.takenAt[seq]
	i := slices.IndexFunc(p.said, func(s saying) bool { return seq <= s.Through || slices.Contains(s.Above, seq) })
	if i < 0 || !ok {
		return taken, answered, false
	}
	return taken, p.said[i].at, true
}

// forget drops what was noted about earlier presses.
func (p *proofs) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.takenAt)
	p.said = p.said[:0]
}
