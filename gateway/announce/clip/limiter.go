package clip

import (
	"math"

	"nabat/hw/audio"
)

const (
	// between is at how many points the signal is looked at from one sample to
	// the next: a converter makes a curve of samples, and the curve is higher.
	between = 4
	// reach is how many samples on each side tell what the curve is there.
	reach = 12
	// ahead is how long before a peak the limiter begins to turn down, and after
	// it goes on.
	ahead = audio.Rate * 4 / 1000
	// release is the time constant of turning up again.
	release = 0.06 * audio.Rate
)

// peaks returns, for each sample, how high the signal rises around it, between
// samples too.
func peaks(x []float32) []float32 {
	var taps [between - 1][2 * reach]float32
	for p := range taps {
		at := float64(p+1) / between
		for k := range taps[p] {
			d := at - float64(k-reach+1)
			taps[p][k] = float32(sinc(d) * kaiser(math.Abs(d)/(reach+1)))
		}
	}
	padded := make([]float32, len(x)+2*reach)
	copy(padded[reach:], x)
	out := make([]float32, len(x))
	for i, s := range x {
		out[i] = max(out[i], s, -s)
		window := padded[i+1 : i+1+2*reach]
		for p := range taps {
			var y float32
			for k, w := range window {
				y += w * taps[p][k]
			}
			y = max(y, -y)
			out[i] = max(out[i], y)
			if i+1 < len(out) {
				out[i+1] = max(out[i+1], y)
			}
		}
	}
	return out
}

// Peak returns the highest point of the signal, between samples too, where 1 is
// full scale.
func Peak(x []float32) float64 {
	var top float32
	for _, p := range peaks(x) {
		top = max(top, p)
	}
	return float64(top)
}

// limit turns the signal down around whatever would pass the ceiling, gently
// and only there. p are the peaks of x; the result is new.
func limit(x, p []float32, gain, ceiling float64) []float32 {
	need := make([]float32, len(x))
	for i := range need {
		need[i] = float32(min(1, ceiling/max(gain*float64(p[i]), 1e-9)))
	}
	need = lowest(need, ahead)
	// Turning up is slow, so that speech is not roughened; the gain only gets
	// lower by that.
	rise, now := float32(1-math.Exp(-1/release)), float32(1)
	for i, n := range need {
		now = min(n, now+(1-now)*rise)
		need[i] = now
	}
	// Both means together look no further than lowest did, so that the gain at a
	// sample is a mean of values none of which is too high for it.
	need = mean(mean(need, ahead/2), ahead-ahead/2)
	out := make([]float32, len(x))
	for i, s := range x {
		out[i] = s * need[i] * float32(gain)
	}
	return out
}

// lowest returns for each sample the lowest value within n on each side.
func lowest(x []float32, n int) []float32 {
	out := make([]float32, len(x))
	var queue []int // indices of growing values
	for i := range len(x) + n {
		if i < len(x) {
			for len(queue) > 0 && x[queue[len(queue)-1]] >= x[i] {
				queue = queue[:len(queue)-1]
			}
			queue = append(queue, i)
		}
		if at := i - n; at >= 0 {
			for queue[0] < at-n {
				queue = queue[1:]
			}
			out[at] = x[queue[0]]
		}
	}
	return out
}

// mean returns for each sample the mean of those within n on each side, where
// the first and the last value go on for ever.
func mean(x []float32, n int) []float32 {
	out := make([]float32, len(x))
	if len(x) == 0 {
		return out
	}
	at := func(i int) float64 { return float64(x[max(0, min(len(x)-1, i))]) }
	sum := 0.0
	for i := -n; i <= n; i++ {
		sum += at(i)
	}
	for i := range out {
		out[i] = float32(sum / float64(2*n+1))
		sum += at(i+n+1) - at(i-n)
	}
	return out
}
