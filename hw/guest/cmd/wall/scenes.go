package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// certain is longer than any bounce and shorter than a hold.
	certain = 60 * time.Millisecond
	// bounce is the shortest time that a contact must be closed for a press.
	bounce = 10 * time.Millisecond
	// hold is when a press becomes an emergency.
	hold = 3 * time.Second
)

var errScene = errors.New("the gateway got it wrong")

// proof presses each button once and waits for the raise of that very press;
// then all that came before it has been heard too.
func (h *hall) proof(ctx context.Context, points ...string) error {
	for _, point := range points {
		rest(now() + certain) // or it would be one press with what came before
		s, err := h.buttons[point].press(certain)
		if err != nil {
			return err
		}
		if err := h.desk.awaitPress(ctx, point, s.down); err != nil {
			return err
		}
		// Apart from what follows, also for the limit of presses a second.
		rest(now() + 200*time.Millisecond)
	}
	return nil
}

func heldAtStart(ctx context.Context, h *hall) error {
	b := h.buttons["held"]
	if _, err := b.move(true); err != nil {
		return err
	}
	if err := h.startGateway(ctx); err != nil {
		return err
	}
	if err := h.desk.await(ctx, raised, b.point, 1); err != nil {
		return err
	}
	rest(now() + hold + 1500*time.Millisecond)
	if _, err := b.move(false); err != nil {
		return err
	}
	if err := h.proof(ctx, b.point); err != nil {
		return err
	}
	if n := len(h.desk.all(raised, b.point)); n != 2 {
		return fmt.Errorf("%d raises, want one for the held button and one for the proof: %w", n, errScene)
	}
	if n := len(h.desk.all(escalated, b.point)); n != 0 {
		return fmt.Errorf("a button that was found pressed became an emergency: %w", errScene)
	}
	return nil
}

// lampLights watches the line that drives the lamp from the side of the lamp.
func lampLights(ctx context.Context, h *hall) error {
	for until := now() + time.Second; now() < until; rest(now() + 20*time.Millisecond) {
		lit, err := h.a.Value(lampLine)
		if err != nil {
			return err
		}
		if lit {
			return fmt.Errorf("the lamp is lit without a press: %w", errScene)
		}
	}
	pressed, err := h.buttons["to-supply"].press(certain)
	if err != nil {
		return err
	}
	for until := now() + 10*time.Second; now() < until; rest(now() + 5*time.Millisecond) {
		lit, err := h.a.Value(lampLine)
		if err != nil {
			return err
		}
		if lit {
			fmt.Fprintf(h.out, "the lamp was lit %v after the contact closed (emulated; not a promise)\n", (now() - pressed.down.to).Round(time.Millisecond))
			return h.proof(ctx, "to-supply")
		}
	}
	return fmt.Errorf("the lamp stayed dark for 10 s: %w", errScene)
}

func randomPresses(ctx context.Context, h *hall) error {
	points := contacts()
	first, firstHold := make(map[string]int), make(map[string]int)
	for _, p := range points {
		first[p], firstHold[p] = len(h.desk.all(raised, p)), len(h.desk.all(escalated, p))
	}
	made := make(map[string][]stroke)
	for i := range h.presses {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		length := 30*time.Millisecond + time.Duration(h.rand.Int64N(int64(90*time.Millisecond)))
		switch {
		case i%170 == 100: // six in a thousand are held
			length = hold + 100*time.Millisecond + time.Duration(h.rand.Int64N(int64(800*time.Millisecond)))
		case h.rand.IntN(20) == 0:
			length = 120*time.Millisecond + time.Duration(h.rand.Int64N(int64(700*time.Millisecond)))
		}
		point := points[h.rand.IntN(len(points))]
		s, err := h.buttons[point].press(length)
		if err != nil {
			return err
		}
		made[point] = append(made[point], s)
		rest(s.up.to + 30*time.Millisecond + time.Duration(h.rand.Int64N(int64(70*time.Millisecond))))
	}
	if err := h.proof(ctx, points...); err != nil {
		return err
	}
	total := 0
	for _, p := range points {
		events := h.desk.all(raised, p)
		if len(events) != first[p]+len(made[p])+1 {
			return fmt.Errorf("%s: %d raises after %d presses and the proof: %w", p, len(events)-first[p], len(made[p]), errScene)
		}
		events = events[first[p] : len(events)-1]
		if err := match(events, made[p]); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if err := matchHolds(h.desk.all(escalated, p)[firstHold[p]:], made[p]); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		total += len(events)
	}
	fmt.Fprintf(h.out, "%d presses, %d raises with the kernel's times, %d repeated deliveries\n", h.presses, total, h.desk.repeated())
	if total != h.presses {
		return fmt.Errorf("%d raises for %d presses: %w", total, h.presses, errScene)
	}
	return nil
}

// match holds raises against presses one by one: the same order, growing
// numbers, and the kernel's time of the edge between the readings of the clock
// around it.
func match(events []heard, made []stroke) error {
	for i, e := range events {
		if at := made[i].down; e.Data.Pressed < at.from || e.Data.Pressed > at.to {
			return fmt.Errorf("press %d was made between %d and %d ns, its raise %s says %d: %w", i, at.from, at.to, e.ID, e.Data.Pressed, errScene)
		}
		if i > 0 && (e.Data.Number <= events[i-1].Data.Number || e.Sequence <= events[i-1].Sequence) {
			return fmt.Errorf("raise %s (number %d) came after %s (number %d): %w", e.ID, e.Data.Number, events[i-1].ID, events[i-1].Data.Number, errScene)
		}
	}
	return nil
}

// matchHolds wants one escalation for each press that was certainly held, and
// none for those that certainly were not.
func matchHolds(events []heard, made []stroke) error {
	holds := make(map[int]int)
	for _, e := range events {
		if e.Data.Gesture != "hold" {
			continue
		}
		found := false
		for i, s := range made {
			if e.Data.Pressed >= s.down.from && e.Data.Pressed <= s.down.to {
				holds[i]++
				found = true
			}
		}
		if !found {
			return fmt.Errorf("escalation %s belongs to no press: %w", e.ID, errScene)
		}
	}
	for i, s := range made {
		switch n := holds[i]; {
		case n > 1:
			return fmt.Errorf("press %d escalated %d times: %w", i, n, errScene)
		case n == 0 && s.atLeast() >= hold:
			return fmt.Errorf("press %d lasted %v and did not escalate: %w", i, s.atLeast(), errScene)
		case n == 1 && s.atMost() < hold:
			return fmt.Errorf("press %d lasted %v and escalated: %w", i, s.atMost(), errScene)
		}
	}
	return nil
}
