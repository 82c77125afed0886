package clip

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"nabat/hw/audio"
)

// judge is what somebody else's meter, ffmpeg's ebur128, says about a sound.
type judge struct{ loudness, peak float64 }

var summary = regexp.MustCompile(`(?s)Summary:.*I:\s+(-?[\d.]+|-inf|nan) LUFS.*Peak:\s+(-?[\d.]+|-inf) dBFS`)

// ask has ffmpeg measure a clip, which has to last 0.4 s at least.
func ask(t *testing.T, samples []int16) judge {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteWAV(f, samples); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ffmpeg", "-nostats", "-nostdin", "-hide_banner", "-i", path,
		"-filter_complex", "ebur128=peak=true", "-f", "null", "-").CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	m := summary.FindSubmatch(out)
	if m == nil {
		t.Fatalf("ffmpeg's summary is not understood:\n%s", out)
	}
	number := func(b []byte) float64 {
		v, err := strconv.ParseFloat(string(b), 64)
		if err != nil {
			return math.Inf(-1)
		}
		return v
	}
	return judge{number(m[1]), number(m[2])}
}

// fits fails unless the clip has the one loudness, and no peak that is too high.
func fits(t *testing.T, name string, samples []int16) {
	t.Helper()
	j := ask(t, samples)
	t.Logf("%s: %v, %.1f LUFS, peak %.1f dBFS", name, Duration(samples), j.loudness, j.peak)
	if math.Abs(j.loudness-Loud) > 0.5 {
		t.Errorf("%s: ffmpeg measures %.1f LUFS, want %.1f", name, j.loudness, Loud)
	}
	below(t, name, samples, j)
}

func below(t *testing.T, name string, samples []int16, j judge) {
	t.Helper()
	if j.peak > Ceiling {
		t.Errorf("%s: ffmpeg measures a peak of %.1f dBFS, want at most %.1f", name, j.peak, Ceiling)
	}
	top := ratio(Ceiling) * math.MaxInt16
	for i, s := range samples {
		if math.Abs(float64(s)) > top {
			t.Fatalf("%s: sample %d is %d", name, i, s)
		}
	}
}

// speak has espeak-ng say something.
func speak(t *testing.T, voice, text string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "espeak-ng", "-v", voice, "-b", "1", "--stdin", "--stdout")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = in.Write([]byte(text))
		_ = in.Close()
	}()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("espeak-ng: %v", err)
	}
	return out
}

// tone returns a sine of a frequency and an amplitude.
func tone(hz, amplitude, s float64) []float32 {
	x := seconds(s)
	for i := range x {
		x[i] = float32(amplitude * math.Sin(2*math.Pi*hz*float64(i)/audio.Rate))
	}
	return x
}
