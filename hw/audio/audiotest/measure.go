package audiotest

import (
	"math"
	"math/rand/v2"
	"time"

	"nabat/hw/audio"
)

// Count is the number of samples of a duration.
func Count(d time.Duration) int { return int(d * audio.Rate / time.Second) }

// Sine is a tone of half the full scale, from its first sample to its last.
func Sine(hertz float64, length time.Duration) []int16 {
	samples := make([]int16, Count(length))
	for i := range samples {
		samples[i] = int16(16000 * math.Cos(2*math.Pi*hertz*float64(i)/audio.Rate))
	}
	return samples
}

// Rustle is a sound like no other part of itself, so that where it lies in a
// recording is certain; below 1 kHz, so that half a sample more or less does not
// matter. The same seed is the same sound.
func Rustle(seed uint64, length time.Duration) []int16 {
	random := rand.New(rand.NewPCG(seed, seed))
	samples := make([]int16, Count(length))
	var a, b, c float64
	for i := range samples {
		const keep = 0.85
		a = keep*a + (1-keep)*random.NormFloat64()
		b = keep*b + (1-keep)*a
		c = keep*c + (1-keep)*b
		samples[i] = int16(max(-32000, min(32000, 80000*c)))
	}
	return samples
}

// Tone is the frequency of a steady tone, from its zero crossings; 0 when there
// are none.
func Tone(samples []int16) float64 {
	first, last, count := -1.0, 0.0, 0
	for i := 1; i < len(samples); i++ {
		p, q := float64(samples[i-1]), float64(samples[i])
		if p < 0 && q >= 0 {
			at := float64(i-1) + p/(p-q)
			if first < 0 {
				first = at
			}
			last = at
			count++
		}
	}
	if count < 2 {
		return 0
	}
	return float64(count-1) * audio.Rate / (last - first)
}

// FirstSound is the place of the first sample above Silence; -1 when there is none.
func FirstSound(samples []int16) int {
	for i, s := range samples {
		if s > Silence || s < -Silence {
			return i
		}
	}
	return -1
}

// LastSound is the place of the last sample above Silence; -1 when there is none.
func LastSound(samples []int16) int {
	for i := len(samples) - 1; i >= 0; i-- {
		if samples[i] > Silence || samples[i] < -Silence {
			return i
		}
	}
	return -1
}

// Alike is how much a recording resembles a sound that began at an offset: 1 is
// the same at any loudness, 0 another. Parts beyond the recording count as silence.
func Alike(recorded, sound []int16, offset int) float64 {
	var xy, xx, yy float64
	for i, s := range sound {
		x, y := float64(s), 0.0
		if at := offset + i; at >= 0 && at < len(recorded) {
			y = float64(recorded[at])
		}
		xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

// Find is where a sound of Rustle lies in a recording, by its first 50 ms, and how
// much all of it is alike there.
func Find(recorded, sound []int16) (offset int, alike float64) {
	probe := sound[:min(len(sound), Count(50*time.Millisecond))]
	first, last := FirstSound(recorded), LastSound(recorded)
	if first < 0 {
		return 0, 0
	}
	best := -1.0
	search := func(from, to, step int) {
		for at := from; at <= to; at += step {
			if a := Alike(recorded, probe, at); a > best {
				best, offset = a, at
			}
		}
	}
	// In wide steps, which what Rustle makes allows, and then closely.
	const wide = 4
	search(first-len(probe), last, wide)
	search(offset-wide, offset+wide, 1)
	return offset, Alike(recorded, sound, offset)
}
