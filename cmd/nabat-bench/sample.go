package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// samples are times of one thing, turn by turn.
type samples struct {
	turns [][]time.Duration
}

// begin starts a turn if it is the first time in it.
func (s *samples) begin(first bool) {
	if first {
		s.turns = append(s.turns, nil)
	}
}

// add notes one time of the present turn.
func (s *samples) add(d time.Duration) {
	if len(s.turns) == 0 {
		s.begin(true)
	}
	last := &s.turns[len(s.turns)-1]
	*last = append(*last, d)
}

func (s *samples) all() []time.Duration { return slices.Concat(s.turns...) }

func (s *samples) count() int { return len(s.all()) }

// at returns the quantile q (0.5, 0.99) over all turns.
func (s *samples) at(q float64) time.Duration { return quantile(s.all(), q) }

// quantile returns the smallest time that a share q of all does not exceed.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	i := int(math.Ceil(q*float64(len(d)))) - 1
	return d[min(max(i, 0), len(d)-1)]
}

// against compares the same quantile of two things that took turns: over all
// turns, and as the range and the median of the single turns.
func (s *samples) against(floor *samples, q float64) (ratio float64, spread string) {
	ratio = float64(s.at(q)) / float64(floor.at(q))
	var single []float64
	for i := range min(len(s.turns), len(floor.turns)) {
		single = append(single, float64(quantile(s.turns[i], q))/float64(quantile(floor.turns[i], q)))
	}
	if len(single) < 2 {
		return ratio, fmt.Sprintf("%.2f ×", ratio)
	}
	return ratio, fmt.Sprintf("%.2f × (turns %.2f – %.2f, median %.2f)", ratio, slices.Min(single), slices.Max(single), median(single))
}

// atMost is the line of a figure whose quantile may be at most limit times
// that of the floor.
func atMost(figure string, limit float64, q float64, s, floor *samples) line {
	ratio, spread := s.against(floor, q)
	p := fmt.Sprintf("p%g ", q*100)
	return line{
		figure: figure, target: fmt.Sprintf("≤ %g ×", limit),
		floor: p + nice(floor.at(q)), measured: p + nice(s.at(q)),
		ratio: spread, verdict: verdictOf(ratio <= limit),
	}
}

// nice writes a time with three digits, in milliseconds from a tenth of one on.
func nice(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d >= 100*time.Microsecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	default:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	}
}
