package clip

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nabat/hw/audio"
)

func TestEspeakHasTheOneLoudness(t *testing.T) {
	for voice, text := range map[string]string{
		"ru": "Внимание! Пожар. Покиньте здание через ближайший выход. Кабинет 204.",
		"kk": "Назар аударыңыз! Өрт. Ғимараттан ең жақын есік арқылы шығыңыз.",
		"en": "Attention! Lock the door, keep away from the windows and stay where you are.",
	} {
		samples, err := FromWAV(bytes.NewReader(speak(t, voice, text)))
		if err != nil {
			t.Fatal(err)
		}
		fits(t, voice, samples)
		before, after := quietEnds(samples)
		if before > 60*time.Millisecond || after > 60*time.Millisecond {
			t.Errorf("%s: %v of silence before and %v after", voice, before, after)
		}
		if d := Duration(samples); d < 2*time.Second || d > 15*time.Second {
			t.Errorf("%s: it lasts %v", voice, d)
		}
	}
}

// quietEnds returns how long a clip is quieter than a hundredth of full scale at its ends.
func quietEnds(samples []int16) (before, after time.Duration) {
	first, last := len(samples), -1
	for i, s := range samples {
		if s > 330 || s < -330 {
			first, last = min(first, i), i
		}
	}
	return Duration(samples[:first]), Duration(samples[last+1:])
}

func TestNastySoundsAreLevelled(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	words := func(t *testing.T) []float32 {
		x, err := ReadWAV(bytes.NewReader(speak(t, "ru", "Проверка связи, раз, два, три.")))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for name, make := range map[string]func(t *testing.T) []float32{
		"a whisper": func(t *testing.T) []float32 { return scaled(words(t), 0.03) },
		"clipped hard": func(t *testing.T) []float32 {
			x := scaled(words(t), 40)
			for i := range x {
				x[i] = max(-1, min(1, x[i]))
			}
			return x
		},
		"beyond full scale": func(t *testing.T) []float32 { return scaled(words(t), 12) },
		"a square": func(t *testing.T) []float32 {
			x := tone(400, 1, 2)
			for i := range x {
				x[i] = float32(math.Copysign(1, float64(x[i])))
			}
			return x
		},
		"a tone": func(*testing.T) []float32 { return tone(1000, 0.1, 2) },
		// Between its samples it is 3 dB higher than in any of them.
		"a quarter of the rate": func(*testing.T) []float32 {
			x := seconds(2)
			for i := range x {
				x[i] = float32(math.Sin(math.Pi/2*float64(i) + math.Pi/4))
			}
			return x
		},
		"noise": func(*testing.T) []float32 {
			x := seconds(2)
			for i := range x {
				x[i] = float32(noise.NormFloat64() * 0.1)
			}
			return x
		},
		"words on an offset": func(t *testing.T) []float32 {
			x := words(t)
			for i := range x {
				x[i] = x[i]*0.4 + 0.5
			}
			return x
		},
		"words and a click": func(t *testing.T) []float32 {
			x := scaled(words(t), 0.05)
			x[len(x)/2] = 1
			return x
		},
	} {
		t.Run(name, func(t *testing.T) {
			samples, err := Finish(make(t))
			if err != nil {
				t.Fatal(err)
			}
			fits(t, name, samples)
		})
	}
}

func TestOneImpulseIsNotBlownUp(t *testing.T) {
	x := seconds(2)
	x[audio.Rate] = 1
	samples, err := Level(x)
	if err != nil && !errors.Is(err, ErrSilent) {
		t.Fatal(err)
	}
	if err == nil {
		below(t, "impulse", samples, ask(t, samples))
	}
}

func TestWhatIsSilentIsSaid(t *testing.T) {
	offset := seconds(1)
	for i := range offset {
		offset[i] = 0.7
	}
	for name, x := range map[string][]float32{
		"nothing": nil, "silence": seconds(1), "an offset": offset, "too faint": tone(1000, 0.0003, 1),
	} {
		if _, err := Finish(x); !errors.Is(err, ErrSilent) {
			t.Errorf("%s: %v, want %v", name, err, ErrSilent)
		}
	}
}

func TestSilenceAroundWordsIsCut(t *testing.T) {
	x := append(append(seconds(1.3), tone(500, 0.5, 1)...), seconds(2)...)
	samples, err := Finish(x)
	if err != nil {
		t.Fatal(err)
	}
	before, after := quietEnds(samples)
	if before > 60*time.Millisecond || after > 60*time.Millisecond {
		t.Errorf("%v of silence before and %v after", before, after)
	}
	if d := Duration(samples); d < time.Second || d > 1120*time.Millisecond {
		t.Errorf("it lasts %v, the tone lasted 1s", d)
	}
}

// What ffmpeg says about a sound, Loudness and Peak say too.
func TestMeterAgreesWithAnother(t *testing.T) {
	for name, x := range map[string][]float32{
		"1 kHz":    tone(1000, 0.25, 3),
		"100 Hz":   tone(100, 0.5, 3),
		"4 kHz":    tone(4000, 0.1, 3),
		"with gap": append(append(tone(700, 0.3, 2), seconds(3)...), tone(300, 0.05, 2)...),
	} {
		soften(x)
		samples := make([]int16, len(x))
		for i, s := range x {
			samples[i] = int16(s * math.MaxInt16)
		}
		j := ask(t, samples)
		if l := Loudness(x); math.Abs(l-j.loudness) > 0.3 {
			t.Errorf("%s: %.2f LUFS, ffmpeg says %.1f", name, l, j.loudness)
		}
		if p := decibels(Peak(x)); math.Abs(p-j.peak) > 0.3 {
			t.Errorf("%s: peak %.2f dBFS, ffmpeg says %.1f", name, p, j.peak)
		}
	}
}

// Whatever comes in, no peak passes the ceiling and nothing is louder than the
// one loudness.
func TestLevelHoldsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8000).Draw(t, "samples")
		gain := rapid.Float64Range(-80, 30).Draw(t, "gain")
		sparse := rapid.IntRange(1, 2000).Draw(t, "sparse")
		noise := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		x := make([]float32, n)
		for i := 0; i < n; i += sparse {
			x[i] = float32(noise.NormFloat64() * ratio(gain))
		}
		samples, err := Level(x)
		if err != nil {
			if !errors.Is(err, ErrSilent) {
				t.Fatal(err)
			}
			return
		}
		if len(samples) != n {
			t.Fatalf("%d samples became %d", n, len(samples))
		}
		back := make([]float32, n)
		for i, s := range samples {
			back[i] = float32(s) / math.MaxInt16
		}
		if p := decibels(Peak(back)); p > Ceiling {
			t.Fatalf("peak %.2f dBFS", p)
		}
		if l := Loudness(back); l > Loud+0.5 {
			t.Fatalf("%.2f LUFS", l)
		}
	})
}

func scaled(x []float32, by float32) []float32 {
	for i := range x {
		x[i] *= by
	}
	return x
}
