package engine

import (
	"context"
	"errors"
	"fmt"

	"nabat/gateway/alert"
)

// Errors about decisions. Pages show what each means.
var (
	// ErrNoAlert: there is no such alert, or it was closed already.
	ErrNoAlert = errors.New("no such open alert")
	// ErrNoPress: the decision is about a press that never happened.
	ErrNoPress = errors.New("there was no such press")
	// ErrNotRecorded: the journal could not take the decision at all. An alert
	// that was to be cleared is still open.
	ErrNotRecorded = errors.New("the journal did not take it: try again")
	// ErrNotYet: the decision is queued for the journal, which has not answered
	// in time. An acknowledgement holds already; a clear takes effect as soon as
	// it is recorded.
	ErrNotYet = errors.New("not recorded yet: the disk does not answer; it will be as soon as it does")
)

// Acknowledge notes that a person takes the alert. It acts at once, and
// answers when it is recorded.
func (e *Engine) Acknowledge(ctx context.Context, d alert.Decision) error {
	return e.decide(ctx, d, e.atOnce(alert.Acknowledged, d))
}

// Respond notes that a team (d.Who) is on the way and expects to arrive at
// d.ETA; a zero ETA means that nobody knows. It acts at once, and answers when
// it is recorded. Said again about the same press, the last word holds. A team
// on its way means that a person has taken the alert.
func (e *Engine) Respond(ctx context.Context, d alert.Decision) error {
	return e.decide(ctx, d, e.atOnce(alert.Responding, d))
}

// Arrive notes that the team (d.Who) is there. It acts at once, and answers
// when it is recorded. It means that a person has taken the alert.
func (e *Engine) Arrive(ctx context.Context, d alert.Decision) error {
	return e.decide(ctx, d, e.atOnce(alert.Arrived, d))
}

// atOnce returns what a decision does that acts before it is recorded.
func (e *Engine) atOnce(typ alert.Type, d alert.Decision) func(alert.Alert, func(error)) {
	return func(a alert.Alert, answer func(error)) {
		ev := e.decision(typ, a, d)
		if typ == alert.Responding {
			ev.ETA = d.ETA.UTC()
			if a.Responding.Number == d.Number {
				ev.Revision = a.Responding.Revision + 1
			}
		}
		e.actThen(ev, answer)
	}
}

// Clear closes the alert for the presses up to d.Number. It is recorded first
// and acts then; a press that came after d.Number keeps the alert open.
func (e *Engine) Clear(ctx context.Context, d alert.Decision) error {
	if !d.Outcome.Valid() {
		return fmt.Errorf("outcome %q: want one of %v: %w", d.Outcome, alert.Outcomes(), alert.ErrUnknownWord)
	}
	return e.decide(ctx, d, func(a alert.Alert, answer func(error)) {
		ev := e.decision(alert.Cleared, a, d)
		ev.Outcome = d.Outcome
		e.append(ev, func(ref alert.Ref, err error) {
			if ref.Seq != 0 { // an event that is kept nowhere must not act either
				e.clear(ev)
			}
			answer(verdict(ref, err))
		})
	})
}

// verdict says in a decision's words what the journal's answer means.
func verdict(ref alert.Ref, err error) error {
	switch {
	case err == nil:
		return nil
	case ref.Seq == 0:
		return fmt.Errorf("%w: %w", ErrNotRecorded, err)
	default:
		return fmt.Errorf("%w (%w)", alert.ErrNotDurable, err)
	}
}

// decide runs f in the engine for the open alert that d names and waits for
// its answer or for ctx.
func (e *Engine) decide(ctx context.Context, d alert.Decision, f func(a alert.Alert, answer func(error))) error {
	return e.ask(ctx, fmt.Sprintf("alert %q", d.Alert), func(answer func(error)) {
		a, found := e.state.Find(d.Alert)
		if !found || !a.Open() {
			answer(fmt.Errorf("alert %q: %w", d.Alert, ErrNoAlert))
			return
		}
		if d.Number == 0 || d.Number > a.Last.Number {
			answer(fmt.Errorf("alert %q: press %d, the last was %d: %w", d.Alert, d.Number, a.Last.Number, ErrNoPress))
			return
		}
		f(a, answer)
	})
}

// ask runs f in the engine and waits until it has called answer, once and from
// any goroutine, or until ctx ends. what names the object in errors.
func (e *Engine) ask(ctx context.Context, what string, f func(answer func(error))) error {
	answer := make(chan error, 1)
	ok := e.do(func() { f(func(err error) { answer <- err }) })
	if !ok {
		return ErrStopped
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w (%w)", what, ErrNotYet, ctx.Err())
	case <-e.stopped:
		return ErrStopped
	}
}

func (e *Engine) decision(typ alert.Type, a alert.Alert, d alert.Decision) alert.Event {
	place := a.Place
	return alert.Event{
		Type: typ, Subject: a.ID, At: e.clock.Now(),
		Numbering: a.Numbering, Number: d.Number,
		Kind: a.Kind, Level: a.Level(), Status: a.Status(), Place: &place,
		Origin: d.Origin, Who: d.Who, Why: d.Why, Command: d.Command,
	}
}
