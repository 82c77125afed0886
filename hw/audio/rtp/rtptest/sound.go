package rtptest

import "math"

// Tone returns a sine of half the full scale, at audio.Rate.
func Tone(hz float64, samples int) []int16 {
	out := make([]int16, samples)
	for i := range out {
		out[i] = int16(16000 * math.Sin(2*math.Pi*hz*float64(i)/24000))
	}
	return out
}

// Sweep returns a sound that is nowhere like itself, at audio.Rate: a tone that
// rises from 300 to 3000 Hz.
func Sweep(samples int) []int16 {
	out, phase := make([]int16, samples), 0.0
	for i := range out {
		phase += 2 * math.Pi * (300 + 2700*float64(i)/float64(samples)) / 24000
		out[i] = int16(16000 * math.Sin(phase))
	}
	return out
}

// Thirds returns every third sample: what is left of 24 kHz at 8 kHz.
func Thirds(samples []int16) []int16 {
	out := make([]int16, 0, len(samples)/3)
	for i := 0; i < len(samples); i += 3 {
		out = append(out, samples[i])
	}
	return out
}

// Dominant returns the strongest frequency of samples at 8 kHz, to 10 Hz.
func Dominant(samples []int16) float64 {
	best, strongest := 0.0, 0.0
	for hz := 100.0; hz < 4000; hz += 10 {
		c := 2 * math.Cos(2*math.Pi*hz/8000)
		var a, b float64
		for _, s := range samples {
			a, b = float64(s)+c*a-b, a
		}
		if power := a*a + b*b - c*a*b; power > strongest {
			best, strongest = hz, power
		}
	}
	return best
}

// Correlation returns how alike want and some part of got are, 1 for the same,
// and where in got that part begins.
func Correlation(got, want []int16) (best float64, at int) {
	var energy float64
	for _, w := range want {
		energy += float64(w) * float64(w)
	}
	for lag := 0; lag+len(want) <= len(got); lag++ {
		var sum, power float64
		for i, w := range want {
			g := float64(got[lag+i])
			sum += g * float64(w)
			power += g * g
		}
		if power > 0 && energy > 0 && sum/math.Sqrt(power*energy) > best {
			best, at = sum/math.Sqrt(power*energy), lag
		}
	}
	return best, at
}
