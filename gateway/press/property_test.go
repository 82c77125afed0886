package press

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"nabat/hw/point"
)

func TestEveryPressIsOneTapWhateverTheContactBounces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edges, presses, end := hands(t)
		phase := time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "phase"))
		gs := gestures(t, readWall(edges, end, phase, pausesUpTo(t, end)))

		taps, releases := only(gs, Tap), only(gs, Released)
		if len(taps) != len(presses) || len(releases) != len(presses) {
			t.Fatalf("%d presses gave %d taps and %d releases", len(presses), len(taps), len(releases))
		}
		for i, h := range presses {
			if at := taps[i].At; at < h.down || at >= h.up || taps[i].Initial {
				t.Fatalf("press %+v gave %+v", h, taps[i])
			}
			if at := releases[i].At; at < h.up || at >= h.up+10*ms {
				t.Fatalf("press %+v was released at %v", h, at)
			}
		}
		if f := only(gs, Faulted); len(f) != 0 {
			t.Fatalf("hands gave faults: %+v", f)
		}
	})
}

func TestAHoldIsExactlyAPressOfThreeSeconds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edges, presses, end := hands(t)
		gs := gestures(t, readWall(edges, end, 0, pausesUpTo(t, end)))
		holds := only(gs, Hold)
		for _, h := range presses {
			length := h.up - h.down
			if len(holds) > 0 && holds[0].At >= h.down && holds[0].At < h.up {
				if length <= HoldAfter-10*ms { // the bounces of the release may add 10 ms
					t.Fatalf("press %+v became a hold: %+v", h, holds[0])
				}
				holds = holds[1:]
				continue
			}
			if length >= HoldAfter+40*ms { // bounces and an early spike may take that away
				t.Fatalf("press %+v is no hold: %+v", h, holds)
			}
		}
		if len(holds) != 0 {
			t.Fatalf("holds without a long press: %+v", holds)
		}
	})
}

// A machine that stands still for seconds must come to the same result.
func TestDelayAndBatchesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edges, _, end := hands(t)
		prompt := only(gestures(t, readWall(edges, end, 0, nil)), Tap, Hold, Released)
		late := only(gestures(t, readWall(edges, end, 0, pausesUpTo(t, end))), Tap, Hold, Released)
		if len(prompt) != len(late) {
			t.Fatalf("prompt %+v\nlate %+v", prompt, late)
		}
		for i := range prompt {
			prompt[i].Held, late[i].Held = 0, 0 // of a Hold: when it became known
			if prompt[i] != late[i] {
				t.Fatalf("prompt %+v\nlate %+v", prompt[i], late[i])
			}
		}
	})
}

func TestSpikesAreNeverPresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var edges []edge
		now := time.Second
		for range rapid.IntRange(0, 60).Draw(t, "spikes") {
			b := blip(t, now, false)
			edges = append(edges, b...)
			now = b[1].at + time.Duration(rapid.Int64Range(1, int64(40*ms)).Draw(t, "rest"))
		}
		gs := gestures(t, readWall(edges, now+3*time.Second, 0, pausesUpTo(t, now)))
		if taps := only(gs, Tap, Hold, Released); len(taps) != 0 {
			t.Fatalf("spikes gave %+v", taps)
		}
	})
}

// signalsFrom draws any signals at all, also such as no source should send.
func signalsFrom(t *rapid.T) []point.Signal {
	now := time.Duration(0)
	return rapid.SliceOf(rapid.Custom(func(t *rapid.T) point.Signal {
		now += time.Duration(rapid.SampledFrom([]int64{-1000, 0, 1, 5, 9, 10, 30, 500, 1000, 3000, 60000}).Draw(t, "ms")) * ms
		return point.Signal{
			Point:   "b",
			Change:  point.Change(rapid.IntRange(0, 5).Draw(t, "change")),
			At:      now,
			Settled: rapid.Bool().Draw(t, "settled"),
			Initial: rapid.Bool().Draw(t, "initial"),
			Fault:   rapid.SampledFrom([]point.Fault{point.FaultLost, point.FaultTamper, point.FaultStuck}).Draw(t, "fault"),
		}
	})).Draw(t, "signals")
}

func TestAnySignalsKeepTheGrammar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gestures(t, signalsFrom(t))
	})
}

func TestABrokenPointIsSilentUntilItIsReadAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Machine
		m.Next(point.Signal{Point: "b", Change: point.Inactive, Initial: true})
		m.Next(point.Signal{Point: "b", Change: point.Active, At: ms})
		m.Next(point.Signal{Point: "b", Change: point.Faulted, At: 20 * ms, Fault: point.FaultLost})
		for _, s := range signalsFrom(t) {
			if s.Initial || s.Change == point.Restored {
				continue
			}
			if taps := only(m.Next(s), Tap, Hold, Released, Proven); len(taps) != 0 {
				t.Fatalf("a broken point gave %+v", taps)
			}
		}
	})
}
