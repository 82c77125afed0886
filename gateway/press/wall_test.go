package press

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"nabat/hw/point"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// edge is one change of a contact, as a kernel stamps it.
type edge struct {
	at     time.Duration
	closed bool
}

// pause is a time in which the reader of the wall gets no processor.
type pause struct{ from, to time.Duration }

// hand is one true press, for the expectation.
type hand struct{ down, up time.Duration }

func change(closed bool) point.Change {
	if closed {
		return point.Active
	}
	return point.Inactive
}

// readWall gives the signals that a reader of raw edges sends, by the contract
// of point.Signal: every edge with the kernel's time, a reading 10 ms after the
// last edge and one every second, none while an edge waits. In a pause it does
// nothing and catches up afterwards.
func readWall(edges []edge, end, phase time.Duration, pauses []pause) []point.Signal {
	const never = time.Duration(1<<63 - 1)
	signals := []point.Signal{{Point: "b", Change: point.Inactive, Initial: true}}
	tick, settle, now := phase, never, time.Duration(0)
	closed := false
	for i := 0; ; {
		t := min(tick, settle)
		if i < len(edges) {
			t = min(t, edges[i].at)
		}
		now = max(now, t)
		for _, p := range pauses {
			if now >= p.from && now < p.to {
				now = p.to
			}
		}
		if now > end && i == len(edges) && settle == never {
			return signals
		}
		switch {
		case i < len(edges) && edges[i].at <= now:
			closed = edges[i].closed
			signals = append(signals, point.Signal{Point: "b", Change: change(closed), At: edges[i].at})
			settle = now + 10*ms
			i++
		case settle <= now:
			settle = never
			signals = append(signals, point.Signal{Point: "b", Change: change(closed), At: now, Settled: true})
		default:
			tick = now + time.Second
			signals = append(signals, point.Signal{Point: "b", Change: change(closed), At: now, Settled: true})
		}
	}
}

// bounce draws edges that end at the given level within less than 10 ms.
func bounce(t *rapid.T, at time.Duration, closed bool) []edge {
	n := rapid.IntRange(0, 12).Draw(t, "bounces")
	times := []time.Duration{at}
	for range 2 * n {
		times = append(times, at+time.Duration(rapid.IntRange(1, 9999).Draw(t, "µs"))*time.Microsecond)
	}
	slices.Sort(times)
	edges := make([]edge, len(times))
	for i, when := range times {
		edges[i] = edge{at: when, closed: closed == (i%2 == 0)}
	}
	return edges
}

// blip draws a spike of less than 10 ms around a contact at rest.
func blip(t *rapid.T, at time.Duration, closed bool) []edge {
	d := time.Duration(rapid.IntRange(1, 9999).Draw(t, "spike µs")) * time.Microsecond
	return []edge{{at, !closed}, {at + d, closed}}
}

// hands draws presses of 30 ms and more, 30 ms and more apart, with bounces at
// every change and spikes while at rest.
func hands(t *rapid.T) (edges []edge, presses []hand, end time.Duration) {
	length := rapid.OneOf(
		rapid.Int64Range(30_000, 60_000),
		rapid.Int64Range(60_000, 2_980_000),
		rapid.Int64Range(3_020_000, 8_000_000),
	)
	now := time.Second
	for range rapid.IntRange(0, 8).Draw(t, "presses") {
		rest := func(closed bool) time.Duration {
			d := time.Duration(length.Draw(t, "length µs")) * time.Microsecond
			if rapid.Bool().Draw(t, "spike") {
				// The contact has to rest on both sides of the spike to count.
				edges = append(edges, blip(t, now+25*ms, closed)...)
				d += 40 * ms
			}
			return d
		}
		h := hand{down: now}
		edges = append(edges, bounce(t, now, true)...)
		now += rest(true)
		h.up = now
		presses = append(presses, h)
		edges = append(edges, bounce(t, now, false)...)
		now += rest(false)
	}
	return edges, presses, now + time.Second
}

// pausesUpTo draws times without a processor.
func pausesUpTo(t *rapid.T, end time.Duration) []pause {
	var ps []pause
	for range rapid.IntRange(0, 5).Draw(t, "pauses") {
		from := time.Duration(rapid.Int64Range(0, int64(end)).Draw(t, "pause from"))
		ps = append(ps, pause{from, from + time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "pause"))})
	}
	slices.SortFunc(ps, func(a, b pause) int { return int(a.from - b.from) })
	return ps
}

// gestures runs the signals through a new Machine, checking the grammar.
func gestures(t rapid.TB, signals []point.Signal) []Gesture {
	t.Helper()
	var m Machine
	var out []Gesture
	for _, s := range signals {
		out = append(out, m.Next(s)...)
	}
	checkGrammar(t, out)
	return out
}

// checkGrammar holds for the gestures of one point, whatever the signals were.
func checkGrammar(t rapid.TB, gs []Gesture) {
	t.Helper()
	var down, held, stuck bool
	var fault point.Fault
	for i, g := range gs {
		ok := true
		switch g.Kind {
		case Tap:
			ok = !down
			down, held = true, g.Initial
		case Hold:
			ok = down && !held && g.Held >= HoldAfter
			held = true
		case Released:
			// A stuck button that was lost and found again has no second Tap.
			ok = (down || stuck) && g.Held >= 0
			down, stuck = false, false
		case Faulted:
			ok = g.Fault != fault || down || stuck || g.Fault == point.FaultStuck
			fault = g.Fault
			down, held = fault == point.FaultStuck, true
			stuck = stuck || down
		case Restored:
			ok = fault == g.Fault
			fault = ""
		case Proven:
			ok = fault == ""
		}
		if !ok {
			t.Fatalf("gesture %d, %v at %v, cannot follow what went before: %+v", i, g.Kind, g.At, gs)
		}
	}
}

// only picks the gestures of the given kinds.
func only(gs []Gesture, kinds ...Kind) []Gesture {
	var out []Gesture
	for _, g := range gs {
		if slices.Contains(kinds, g.Kind) {
			out = append(out, g)
		}
	}
	return out
}
