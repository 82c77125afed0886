package board_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"nabat/hw/board"
)

// push is one press of a hand: the time before it, its bounces, how long it
// lasts, and whether the housing is opened or closed in the time before.
type push struct {
	Rest, Held       time.Duration
	Closing, Opening []time.Duration
	Housing          bool
}

func drawPush(t *rapid.T) push {
	between := func(from, to int, unit time.Duration, label string) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, label)) * unit
	}
	bounces := func(label string) []time.Duration {
		list := make([]time.Duration, 2*rapid.IntRange(0, 3).Draw(t, label))
		for i := range list {
			list[i] = between(100, 2000, time.Microsecond, label)
		}
		return list
	}
	return push{
		Rest: between(200, 1500, time.Millisecond, "rest"), Held: between(30, 1500, time.Millisecond, "held"),
		Closing: bounces("closing"), Opening: bounces("opening"), Housing: rapid.Bool().Draw(t, "housing"),
	}
}

// TestEveryPressIsATap runs a wall, a board and the gestures together: whatever
// the bounces, and whether the housing opens in between, n presses are n taps.
func TestEveryPressIsATap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pushes := rapid.SliceOfN(rapid.Custom(drawPush), 1, 6).Draw(rt, "pushes")
		got := 0
		bubble(t, func(t *testing.T, w *simWall) {
			r := run(t, w, board.Input{ID: "b", Open: w.OpenButton, Tamper: w.OpenTamper})
			synctest.Wait()
			for _, p := range pushes {
				if p.Housing {
					w.tamper.Toggle(1)
				}
				pass(p.Rest)
				if err := w.button.Bounce(t.Context(), p.Closing...); err != nil {
					t.Fatal(err)
				}
				pass(p.Held)
				if err := w.button.Bounce(t.Context(), p.Opening...); err != nil {
					t.Fatal(err)
				}
			}
			pass(2 * time.Second)
			got = taps(r.take())
		})
		if got != len(pushes) {
			rt.Fatalf("%d presses made %d taps", len(pushes), got)
		}
	})
}
