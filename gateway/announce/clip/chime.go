package clip

import (
	"math"

	"nabat/gateway/alert"
	"nabat/hw/audio"
)

// Chime returns the sound of a chime, at the loudness of speech: the same at
// every call and on every machine. It is nil for ChimeNone and for a chime that
// is not known. Making one takes some tens of milliseconds of a fast machine.
func Chime(c alert.Chime) []int16 {
	var x []float32
	switch c {
	case alert.ChimeBell:
		x = bell()
	case alert.ChimeGong:
		x = gong()
	case alert.ChimeEmergency:
		x = twoTones()
	case alert.ChimeEvacuate:
		x = sweep()
	case alert.ChimeAllClear:
		x = chord()
	case alert.ChimeNone:
		return nil
	default:
		return nil
	}
	samples, err := Level(x)
	if err != nil { // they are far from silent
		return nil
	}
	return samples
}

// partial is one tone of a struck body: its pitch as a multiple of the lowest,
// its strength, and how long it sounds as a part of the longest.
type partial struct{ pitch, strength, lasting float64 }

func seconds(s float64) []float32 { return make([]float32, int(s*audio.Rate)) }

// strike adds a struck body to x: a short swell of its tones, then each dies away.
func strike(x []float32, at, hz, lasting, strength float64, partials []partial) {
	start := int(at * audio.Rate)
	for _, p := range partials {
		for i := start; i < len(x); i++ {
			t := float64(i-start) / audio.Rate
			swell := 1 - math.Exp(-t/0.003)
			x[i] += float32(strength * p.strength * swell * math.Exp(-t/(lasting*p.lasting)) * math.Sin(2*math.Pi*hz*p.pitch*t))
		}
	}
}

// bell is a small bright bell, struck quickly four times and once more.
func bell() []float32 {
	x := seconds(2.2)
	metal := []partial{{1, 1, 1}, {1.19, 0.5, 0.8}, {1.5, 0.4, 0.6}, {2.0, 0.7, 0.5}, {2.67, 0.3, 0.3}}
	for i := range 5 {
		strike(x, 0.16*float64(i), 1050, 0.35, 1, metal)
	}
	fadeOut(x, 0.3)
	return x
}

// gong is two deep, soft strokes, the second lower.
func gong() []float32 {
	x := seconds(2.4)
	bar := []partial{{1, 1, 1}, {2, 0.3, 0.7}, {2.76, 0.2, 0.35}, {4, 0.08, 0.2}}
	strike(x, 0, 440, 0.7, 1, bar)
	strike(x, 0.7, 349.23, 0.9, 1, bar)
	fadeOut(x, 0.3)
	return x
}

// twoTones changes between two pitches every half second, without a pause.
func twoTones() []float32 {
	x := seconds(3)
	phase := 0.0
	for i := range x {
		t := float64(i) / audio.Rate
		hz := 960.0
		if int(t/0.5)%2 == 1 {
			hz = 720
		}
		phase += 2 * math.Pi * hz / audio.Rate
		x[i] = float32(reed(phase))
	}
	return x
}

// sweep rises three times for half a second, with half a second between: the
// rhythm of three that evacuation signals have, after ISO 8201.
func sweep() []float32 {
	x := seconds(3)
	phase := 0.0
	for i := range x {
		t := math.Mod(float64(i)/audio.Rate, 1)
		if t >= 0.5 {
			phase = 0
			continue
		}
		phase += 2 * math.Pi * 500 * math.Pow(2.6, t/0.5) / audio.Rate
		edge := min(1, t/0.01, (0.5-t)/0.01)
		x[i] = float32(reed(phase) * edge)
	}
	return x
}

// chord is three notes of one chord, falling, that sound on together.
func chord() []float32 {
	x := seconds(2.6)
	soft := []partial{{1, 1, 1}, {2, 0.25, 0.8}, {3, 0.08, 0.5}}
	for i, hz := range []float64{783.99, 659.26, 523.25} {
		strike(x, 0.4*float64(i), hz, 1.1, 0.8, soft)
	}
	fadeOut(x, 0.5)
	return x
}

// reed is a tone that cuts through noise: its first overtones are strong.
func reed(phase float64) float64 {
	return math.Sin(phase) + 0.4*math.Sin(2*phase) + 0.3*math.Sin(3*phase)
}

// fadeOut lets the last seconds of x die away.
func fadeOut(x []float32, s float64) {
	n := min(len(x), int(s*audio.Rate))
	for i := range n {
		x[len(x)-1-i] *= float32(i) / float32(n)
	}
}
