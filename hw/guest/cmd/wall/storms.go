package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// contacts are the buttons that differ in nothing but their wiring.
func contacts() []string { return []string{"to-ground", "to-supply", "normally-closed"} }

// storm plays with a contact, proves that all of it was heard, and wants as
// many raises as there were presses. play returns how long its longest bounce
// was. Where this machine stalled and a bounce lasted as long as a press by the
// kernel's own clock, nothing can be said, and the storm is played again, for
// five minutes at most: so a storm is short and there are many.
func (h *hall) storm(ctx context.Context, point string, presses int, play func(b button) (time.Duration, error)) error {
	for until := now() + 5*time.Minute; now() < until && ctx.Err() == nil; {
		before := len(h.desk.all(raised, point))
		longest, err := play(h.buttons[point])
		if err != nil {
			return err
		}
		if err := h.proof(ctx, point); err != nil {
			return err
		}
		if longest >= bounce {
			h.stalls++
			continue
		}
		if got := len(h.desk.all(raised, point)) - before - 1; got != presses {
			return fmt.Errorf("%s: %d raises from %d presses, with bounces of at most %v: %w", point, got, presses, longest, errScene)
		}
		return nil
	}
	return fmt.Errorf("%s: this machine stalls too often to make a bounce: %w", point, errors.Join(ctx.Err(), errScene))
}

// bouncedPresses makes presses with bounces before and after, as worn contacts do.
func bouncedPresses(ctx context.Context, h *hall) error {
	return h.storms(ctx, 10, 1, func(b button) (time.Duration, error) {
		before, err := b.rattle(1+h.rand.IntN(6), h.pulse)
		if err != nil {
			return 0, err
		}
		if _, err := b.press(certain); err != nil {
			return 0, err
		}
		rest(now() + h.pulse())
		after, err := b.rattle(1+h.rand.IntN(6), h.pulse)
		return max(longestClosed(before), longestClosed(after)), err
	})
}

// bounceStorms rattles each contact in bursts in which it is never closed for
// as long as a press is, with fewer edges in a row than a broken contact has.
func bounceStorms(ctx context.Context, h *hall) error {
	return h.storms(ctx, 10, 0, func(b button) (time.Duration, error) {
		strokes, err := b.rattle(5+h.rand.IntN(35), h.pulse)
		return longestClosed(strokes), err
	})
}

// storms plays n storms with each contact.
func (h *hall) storms(ctx context.Context, n, presses int, play func(b button) (time.Duration, error)) error {
	h.stalls = 0
	for _, point := range contacts() {
		for range n {
			if err := h.storm(ctx, point, presses, play); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(h.out, "%d storms, and %d that were played again\n", n*len(contacts()), h.stalls)
	return nil
}

// pulse is the length of one bounce.
func (h *hall) pulse() time.Duration {
	return 200*time.Microsecond + time.Duration(h.rand.Int64N(int64(5*time.Millisecond)))
}

// chatter toggles a line each millisecond for half a second: the point is
// reported as faulty, raises nothing, and is trusted again after it calmed down.
func chatter(ctx context.Context, h *hall) error {
	const point = "to-ground"
	return h.storm(ctx, point, 0, func(b button) (time.Duration, error) {
		faults, back := len(h.desk.all(fault, point)), len(h.desk.all(restored, point))
		strokes, err := b.rattle(250, func() time.Duration { return time.Millisecond })
		if err != nil {
			return 0, err
		}
		longest := longestClosed(strokes)
		for i := 1; i < len(strokes); i++ { // a contact that rests open is none that chatters
			longest = max(longest, strokes[i].down.to-strokes[i-1].up.from)
		}
		if longest >= bounce {
			rest(now() + 1500*time.Millisecond) // it may be a fault all the same, and has to calm down
			return longest, nil
		}
		if err := h.desk.await(ctx, fault, point, faults+1); err != nil {
			return 0, err
		}
		if got := h.desk.all(fault, point)[faults].Data.Fault; got != "chatter" {
			return 0, fmt.Errorf("the fault is called %q, want chatter: %w", got, errScene)
		}
		return longest, h.desk.await(ctx, restored, point, back+1)
	})
}

func longestClosed(strokes []stroke) time.Duration {
	var longest time.Duration
	for _, s := range strokes {
		longest = max(longest, s.atMost())
	}
	return longest
}

// removedChip takes a chip away and brings it back.
func removedChip(ctx context.Context, h *hall) error {
	points := []string{"removable-1", "removable-2"}
	if err := h.proof(ctx, points...); err != nil {
		return err
	}
	if err := h.b.Remove(); err != nil {
		return err
	}
	for _, p := range points {
		if err := h.desk.await(ctx, fault, p, 1); err != nil {
			return err
		}
		if got := h.desk.all(fault, p)[0].Data.Fault; got != "lost" {
			return fmt.Errorf("the fault of %s is called %q, want lost: %w", p, got, errScene)
		}
	}
	// The others go on working meanwhile.
	if err := h.proof(ctx, "to-ground"); err != nil {
		return err
	}
	if err := h.b.Insert(); err != nil {
		return err
	}
	for _, p := range points {
		if err := h.desk.await(ctx, restored, p, 1); err != nil {
			return err
		}
	}
	if err := h.proof(ctx, points...); err != nil {
		return err
	}
	for _, p := range points {
		if n := len(h.desk.all(raised, p)); n != 2 {
			return fmt.Errorf("%s: %d raises, want those of the two proofs: %w", p, n, errScene)
		}
	}
	return nil
}

func orderlyEnd(_ context.Context, h *hall) error {
	gateway := h.gateway
	h.gateway = nil
	err := gateway.stop()
	if err != nil {
		fmt.Fprintf(h.out, "--- the last words of nabat:\n%s\n", gateway.log.Bytes())
	}
	return err
}
