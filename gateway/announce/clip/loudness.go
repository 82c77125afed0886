package clip

import (
	"math"

	"nabat/hw/audio"
)

// biquad is a filter of the second order, with its state.
type biquad struct {
	b0, b1, b2, a1, a2 float64
	z1, z2             float64
}

func (f *biquad) pass(x float64) float64 {
	y := f.b0*x + f.z1
	f.z1 = f.b1*x - f.a1*y + f.z2
	f.z2 = f.b2*x - f.a2*y
	return y
}

// highPass returns a filter that takes away what is below hz.
func highPass(hz, q float64) biquad {
	k := math.Tan(math.Pi * hz / audio.Rate)
	n := 1 / (1 + k/q + k*k)
	return biquad{b0: n, b1: -2 * n, b2: n, a1: 2 * (k*k - 1) * n, a2: (1 - k/q + k*k) * n}
}

// highShelf returns a filter that raises what is above hz by db.
func highShelf(hz, q, db float64) biquad {
	k := math.Tan(math.Pi * hz / audio.Rate)
	high := math.Pow(10, db/20)
	// The exponent fits the standard's table for 48 kHz.
	mid := math.Pow(high, 0.4996667741545416)
	n := 1 / (1 + k/q + k*k)
	return biquad{
		b0: (high + mid*k/q + k*k) * n, b1: 2 * (k*k - high) * n, b2: (high - mid*k/q + k*k) * n,
		a1: 2 * (k*k - 1) * n, a2: (1 - k/q + k*k) * n,
	}
}

// silence is the loudness of nothing.
const silence = -120.0

// Loudness returns the integrated loudness of one channel at audio.Rate in LUFS
// after ITU-R BS.1770: K-weighted, gated at -70 LUFS and at 10 LU below the mean.
// What is shorter than one gating block of 400 ms is measured as one block of
// its own length, which the standard leaves open.
func Loudness(x []float32) float64 {
	if len(x) == 0 {
		return silence
	}
	// The standard gives its filters as coefficients for 48 kHz; these are the
	// same two filters by frequency, slope and gain.
	shelf, high := highShelf(1681.974450955533, 0.7071752369554196, 3.999843853973347), highPass(38.13547087602444, 0.5003270373238773)
	// The standard's second filter has no gain of its own correction: b is 1, -2, 1.
	high.b0, high.b1, high.b2 = 1, -2, 1
	const step = audio.Rate / 10
	var steps []float64
	sum := 0.0
	for i, s := range x {
		y := high.pass(shelf.pass(float64(s)))
		sum += y * y
		if (i+1)%step == 0 {
			steps = append(steps, sum)
			sum = 0
		}
	}
	var blocks []float64
	for i := 3; i < len(steps); i++ {
		blocks = append(blocks, (steps[i]+steps[i-1]+steps[i-2]+steps[i-3])/(4*step))
	}
	if blocks == nil {
		for _, s := range steps {
			sum += s
		}
		blocks = []float64{sum / float64(len(x))}
	}
	gate := power(-70)
	if mean, ok := above(blocks, gate); ok {
		mean, _ = above(blocks, max(gate, mean/10))
		return lufs(mean)
	}
	return silence
}

// above returns the mean of the blocks that are louder than the gate.
func above(blocks []float64, gate float64) (float64, bool) {
	sum, n := 0.0, 0
	for _, b := range blocks {
		if b > gate {
			sum += b
			n++
		}
	}
	return sum / float64(max(n, 1)), n > 0
}

func lufs(meanSquare float64) float64 { return -0.691 + 10*math.Log10(meanSquare) }
func power(lufs float64) float64      { return math.Pow(10, (lufs+0.691)/10) }

func decibels(ratio float64) float64 { return 20 * math.Log10(ratio) }
func ratio(decibels float64) float64 { return math.Pow(10, decibels/20) }
