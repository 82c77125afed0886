package clip

import (
	"math"
	"slices"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/hw/audio"
)

func TestChimes(t *testing.T) {
	all, again := chimes(), chimes()
	for _, c := range alert.Chimes() {
		samples := all[c]
		if c == alert.ChimeNone {
			if samples != nil {
				t.Errorf("%s sounds", c)
			}
			continue
		}
		fits(t, string(c), samples)
		if !slices.Equal(samples, again[c]) {
			t.Errorf("%s differs from one call to the next", c)
		}
		if d := Duration(samples); d < time.Second || d > 4*time.Second {
			t.Errorf("%s lasts %v", c, d)
		}
		if samples[0] != 0 || samples[len(samples)-1] != 0 {
			t.Errorf("%s begins with %d and ends with %d", c, samples[0], samples[len(samples)-1])
		}
		smooth(t, c, samples)
	}
}

// smooth fails when a chime clicks: a click is a short burst above the highest
// tone of any chime, 4.2 kHz.
func smooth(t *testing.T, c alert.Chime, samples []int16) {
	t.Helper()
	a, b := highPass(6000, 0.541), highPass(6000, 1.307)
	const part = audio.Rate / 100
	burst, sum := 0.0, 0.0
	for i, s := range samples {
		y := b.pass(a.pass(float64(s) / math.MaxInt16))
		sum += y * y
		if (i+1)%part == 0 {
			burst = max(burst, sum/part)
			sum = 0
		}
	}
	if db := 10 * math.Log10(burst); db > -45 {
		t.Errorf("%s clicks: 10 ms of it have %.0f dBFS above 6 kHz", c, db)
	}
}

// Chimes differ in what is heard: which pitches, when. The likeness of two is the
// correlation of their spectrograms, moved against each other.
func TestChimesAreTold(t *testing.T) {
	all := chimes()
	names := slices.DeleteFunc(alert.Chimes(), func(c alert.Chime) bool { return c == alert.ChimeNone })
	for i, a := range names {
		if l := likeness(all[a], all[a]); l < 0.999 {
			t.Errorf("%s is like itself by %.2f only", a, l)
		}
		for _, b := range names[i+1:] {
			l := likeness(all[a], all[b])
			t.Logf("%s and %s: %.2f", a, b, l)
			if l > 0.6 {
				t.Errorf("%s and %s are alike: %.2f", a, b, l)
			}
		}
	}
}

// The sweep sounds and rests by turns of half a second.
func TestEvacuateHasTheRhythmOfThree(t *testing.T) {
	x := Chime(alert.ChimeEvacuate)
	for i := range 6 {
		from := i*audio.Rate/2 + audio.Rate/10
		loud := 0.0
		for _, s := range x[from : from+audio.Rate*3/10] {
			loud = max(loud, math.Abs(float64(s)))
		}
		if sounds := loud > 3000; sounds != (i%2 == 0) {
			t.Errorf("half second %d: loudest sample %.0f", i, loud)
		}
	}
	if up, down := pitch(x[1200:3600]), pitch(x[8400:10800]); down < 1.5*up {
		t.Errorf("it goes from %.0f Hz to %.0f Hz", up, down)
	}
}

// The chord falls.
func TestAllClearFalls(t *testing.T) {
	x := Chime(alert.ChimeAllClear)
	at := func(s, hz float64) float64 {
		from := int(s * audio.Rate)
		return strength(x[from:from+audio.Rate/5], hz)
	}
	if first, second, third := at(0.1, 783.99), at(0.1, 659.26), at(0.1, 523.25); first < 5*second || first < 5*third {
		t.Errorf("at the beginning: %.0f %.0f %.0f", first, second, third)
	}
	if first, third := at(1.4, 783.99), at(1.4, 523.25); third < 1.5*first {
		t.Errorf("at the end: %.0f %.0f", first, third)
	}
}

// strength returns how much of one frequency a sound has.
func strength(x []int16, hz float64) float64 {
	var re, im float64
	for i, s := range x {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / audio.Rate)
		window := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(x)))
		re += window * cos * float64(s)
		im += window * sin * float64(s)
	}
	return math.Hypot(re, im) / float64(len(x))
}

func pitch(x []int16) (hz float64) {
	best := 0.0
	for f := 300.0; f < 2000; f += 10 {
		if s := strength(x, f); s > best {
			best, hz = s, f
		}
	}
	return hz
}

const bands, step = 24, audio.Rate / 10

// spectrogram returns the strength of bands of a sixth of an octave, each tenth of a second.
func spectrogram(x []int16) [][bands]float64 {
	rows := make([][bands]float64, 32)
	for r := range rows {
		if (r+1)*step > len(x) {
			break
		}
		for b := range bands {
			rows[r][b] = strength(x[r*step:(r+1)*step], 330*math.Pow(2, float64(b)/7))
		}
	}
	return rows
}

func likeness(a, b []int16) float64 {
	p, q := spectrogram(a), spectrogram(b)
	best := 0.0
	for shift := -10; shift <= 10; shift++ {
		var pq, pp, qq float64
		for r := range p {
			for k := range bands {
				pp += p[r][k] * p[r][k]
				qq += q[r][k] * q[r][k]
				if s := r + shift; s >= 0 && s < len(q) {
					pq += p[r][k] * q[s][k]
				}
			}
		}
		best = max(best, pq/math.Sqrt(pp*qq))
	}
	return best
}

func chimes() map[alert.Chime][]int16 {
	all := make(map[alert.Chime][]int16)
	for _, c := range alert.Chimes() {
		if c != alert.ChimeNone {
			all[c] = Chime(c)
		}
	}
	return all
}
