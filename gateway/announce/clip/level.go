package clip

import (
	"fmt"
	"io"
	"math"

	"nabat/hw/audio"
)

const (
	// Loud is the integrated loudness of every clip, in LUFS.
	Loud = -16.0
	// Ceiling is what no clip's peak passes, in dBFS.
	Ceiling = -1.0
	// LevelVersion changes when the same sound would become another clip.
	LevelVersion = "1"

	// ceiling leaves room for how differently converters draw the curve.
	ceiling = -1.5
	// push bounds by how much more is added for what the limiter takes away.
	push = 12.0
	// faint is the loudness below which nothing is there to be raised but the noise
	// of the room; so nothing is raised by more than 44 dB and push.
	faint = -60.0
	// near is how close to Loud is close enough, in LU.
	near = 0.1

	// lead and tail are what is left of the silence around a sound.
	lead = audio.Rate * 40 / 1000
	tail = audio.Rate * 40 / 1000
	// fade is how long a clip takes to begin and to end, so that nothing clicks.
	fade = audio.Rate * 3 / 1000
)

// FromWAV reads a recording or what a synthesiser wrote and makes a clip of it:
// without the silence around it, at the loudness of all others.
func FromWAV(r io.Reader) ([]int16, error) {
	x, err := ReadWAV(r)
	if err != nil {
		return nil, err
	}
	return Finish(x)
}

// Finish makes a clip of sound at audio.Rate, which it may change: what no
// loudspeaker can play is taken away, silence before and after is cut to at most
// 60 ms, and the rest is levelled.
func Finish(x []float32) ([]int16, error) {
	if len(x) > MaxSamples {
		return nil, ErrTooLong
	}
	steady(x)
	return Level(Trim(x))
}

// steady takes away a constant offset and what is too low to be heard.
func steady(x []float32) {
	sum := 0.0
	for _, s := range x {
		sum += float64(s)
	}
	offset := sum / float64(max(len(x), 1))
	f := highPass(40, math.Sqrt2/2)
	for i, s := range x {
		x[i] = float32(f.pass(float64(s) - offset))
	}
}

// Trim returns the part of x in which something is heard, with at most 60 ms of
// silence before and after it. Silent is what is 45 dB below the loudest 5 ms.
func Trim(x []float32) []float32 {
	const part = audio.Rate * 5 / 1000
	level := make([]float64, (len(x)+part-1)/part)
	loudest := 0.0
	for i := range level {
		p := x[i*part : min((i+1)*part, len(x))]
		for _, s := range p {
			level[i] += float64(s) * float64(s)
		}
		level[i] /= float64(len(p))
		loudest = max(loudest, level[i])
	}
	gate := loudest * math.Pow(10, -4.5)
	first, last := len(level), -1
	for i, l := range level {
		if l > gate {
			first, last = min(first, i), i
		}
	}
	if last < 0 {
		return nil
	}
	return x[max(0, first*part-lead):min(len(x), (last+1)*part+tail)]
}

// Level brings sound at audio.Rate to the loudness Loud with no peak above
// Ceiling. Where both cannot be had by the gain alone, peaks are limited; only
// what is almost nothing but peaks stays quieter.
func Level(x []float32) ([]int16, error) {
	before := Loudness(x)
	if before < faint {
		return nil, fmt.Errorf("its loudness is %.0f LUFS: %w", before, ErrSilent)
	}
	p := peaks(x)
	top := ratio(ceiling)
	var out []float32
	gain := Loud - before
	most := gain + push
	for range 10 {
		out = limit(x, p, ratio(gain), top)
		missing := Loud - Loudness(out)
		if math.Abs(missing) < near || gain >= most && missing > 0 {
			break
		}
		if missing > 0 {
			missing *= 1.6 // the limiter takes a part of it away again
		}
		gain = min(most, gain+missing)
	}
	soften(out)
	// A curve through limited samples can still be a little higher.
	scale := min(1, ratio((Ceiling+ceiling)/2)/max(Peak(out), 1e-9))
	samples := make([]int16, len(out))
	for i, s := range out {
		samples[i] = int16(math.Round(float64(s) * scale * math.MaxInt16))
	}
	return samples, nil
}

// soften lets x begin and end without a step.
func soften(x []float32) {
	n := min(fade, len(x)/2)
	for i := range n {
		g := float32(i) / float32(n)
		x[i] *= g
		x[len(x)-1-i] *= g
	}
}
