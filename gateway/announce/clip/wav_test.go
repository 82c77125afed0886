package clip

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nabat/hw/audio"
)

// chunk returns a chunk with its pad byte.
func chunk(id string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	b = append(b, body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

func riff(chunks ...[]byte) []byte {
	all := bytes.Join(chunks, nil)
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(all)))
	return append(append(b, "WAVE"...), all...)
}

func format16(kind, channels, rate, bits int) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(kind))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*bits/8))
	return binary.LittleEndian.AppendUint16(b, uint16(bits))
}

// Every form that sox writes comes out as the same tone: its pitch, its strength,
// its length, and next to nothing else.
func TestToneOfEveryFormAndRate(t *testing.T) {
	for _, c := range []struct {
		rate, bits, channels int
		encoding             string
	}{
		{8000, 16, 1, "signed"}, {11025, 8, 1, "unsigned"}, {16000, 16, 2, "signed"}, {22050, 16, 1, "signed"}, {24000, 16, 1, "signed"},
		{32000, 24, 1, "signed"}, {44100, 16, 2, "signed"}, {44100, 32, 1, "float"}, {48000, 24, 2, "signed"}, {48000, 32, 2, "signed"},
		{96000, 32, 2, "float"}, {12345, 16, 1, "signed"}, {96000, 24, 1, "signed"},
	} {
		name := strconv.Itoa(c.rate) + "/" + strconv.Itoa(c.bits) + "/" + strconv.Itoa(c.channels)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		out, err := exec.CommandContext(ctx, "sox", "-D", "-n", "-r", strconv.Itoa(c.rate), "-b", strconv.Itoa(c.bits), "-c", strconv.Itoa(c.channels),
			"-e", c.encoding, "-t", "wav", "-", "synth", "1", "sine", "1000", "vol", "0.5").Output()
		cancel()
		if err != nil {
			t.Fatalf("sox: %v", err)
		}
		x, err := ReadWAV(bytes.NewReader(out))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// A stream of an odd length ends with a pad byte, which nobody can tell from sound.
		if len(x) < audio.Rate || len(x) > audio.Rate+3 {
			t.Errorf("%s: %d samples, want %d", name, len(x), audio.Rate)
		}
		x = x[1200 : len(x)-1200]
		rest := residue(x, 1000, 0.5)
		want := -80.0
		if c.bits == 8 {
			want = -45
		}
		if rest > want {
			t.Errorf("%s: %.0f dB beside the tone, want %.0f", name, rest, want)
		}
	}
}

// residue returns what is left of x without a tone of a frequency and an
// amplitude, in dB below full scale.
func residue(x []float32, hz, amplitude float64) float64 {
	var re, im float64
	for i, s := range x {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / audio.Rate)
		re += 2 * cos * float64(s) / float64(len(x))
		im += 2 * sin * float64(s) / float64(len(x))
	}
	scale := amplitude / math.Hypot(re, im)
	sum := 0.0
	for i, s := range x {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / audio.Rate)
		d := float64(s) - scale*(re*cos+im*sin)
		sum += d * d
	}
	return 10 * math.Log10(sum/float64(len(x)))
}

// What the lower rate cannot hold is gone, rather than heard as another tone.
func TestResamplerLeavesNoAliases(t *testing.T) {
	for _, c := range []struct {
		from int
		hz   float64
	}{{48000, 13000}, {44100, 15000}, {96000, 30000}, {48000, 23000}} {
		r := newResampler(c.from, audio.Rate)
		x := make([]float32, c.from)
		for i := range x {
			x[i] = float32(math.Sin(2 * math.Pi * c.hz * float64(i) / float64(c.from)))
		}
		r.push(x)
		sum := 0.0
		out := r.end()
		out = out[1200 : len(out)-1200]
		for _, s := range out {
			sum += float64(s) * float64(s)
		}
		if db := 10 * math.Log10(sum/float64(len(out))); db > -75 {
			t.Errorf("%.0f Hz at %d: %.0f dB are left", c.hz, c.from, db)
		}
	}
}

// In what portions the sound comes makes no difference.
func TestResamplerTakesAnyPortions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(8000, 96000).Draw(t, "rate")
		x := make([]float32, rapid.IntRange(0, 3000).Draw(t, "samples"))
		for i := range x {
			x[i] = float32(math.Sin(float64(i*i) / 1000))
		}
		whole, parts := newResampler(from, audio.Rate), newResampler(from, audio.Rate)
		whole.push(x)
		for rest := x; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "portion")
			parts.push(rest[:n])
			rest = rest[n:]
		}
		a, b := whole.end(), parts.end()
		if !slices.Equal(a, b) {
			t.Fatalf("%d samples at once, %d in portions, and they differ", len(a), len(b))
		}
		if want := (len(x)*audio.Rate + from - 1) / from; len(a) != want {
			t.Fatalf("%d samples, want %d", len(a), want)
		}
	})
}

func TestOddFilesAreRead(t *testing.T) {
	pcm := []byte{0, 0, 0, 64, 0, 192, 0, 0}
	extensible := append(format16(formatExtensible, 1, 24000, 16), 22, 0, 16, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71)
	plain := chunk("fmt ", format16(formatPCM, 1, 24000, 16))
	stream := riff(plain, chunk("data", pcm))
	binary.LittleEndian.PutUint32(stream[40:], 0xffffffff)
	for name, b := range map[string][]byte{
		"plain":               riff(plain, chunk("data", pcm)),
		"extensible":          riff(chunk("fmt ", extensible), chunk("data", pcm)),
		"longer format":       riff(chunk("fmt ", append(format16(formatPCM, 1, 24000, 16), 0, 0)), chunk("data", pcm)),
		"odd chunks":          riff(chunk("LIST", []byte("abc")), plain, chunk("junk", []byte{1}), chunk("data", pcm), chunk("id3 ", []byte("x"))),
		"odd format":          riff(chunk("fmt ", append(format16(formatPCM, 1, 24000, 16), 0)), chunk("data", pcm)),
		"streamed":            stream,
		"half a frame beyond": riff(plain, chunk("data", append(slices.Clone(pcm), 7))),
	} {
		x, err := ReadWAV(bytes.NewReader(b))
		if err != nil || !slices.Equal(x, []float32{0, 0.5, -0.5, 0}) {
			t.Errorf("%s: %v, %v", name, x, err)
		}
	}
}

func TestStereoIsMixed(t *testing.T) {
	pcm := []byte{0, 64, 0, 32}
	x, err := ReadWAV(bytes.NewReader(riff(chunk("fmt ", format16(formatPCM, 2, 24000, 16)), chunk("data", pcm))))
	if err != nil || !slices.Equal(x, []float32{0.375}) {
		t.Errorf("%v, %v", x, err)
	}
}

func TestWhatIsNoWAVIsRefused(t *testing.T) {
	plain := chunk("fmt ", format16(formatPCM, 1, 24000, 16))
	cut := riff(plain, chunk("data", make([]byte, 100)))
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"empty", nil, ErrCut},
		{"a picture", append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 40)...), ErrWAV},
		{"another RIFF", append([]byte("RIFF\x24\x00\x00\x00AVI "), make([]byte, 40)...), ErrWAV},
		{"no sound", riff(plain), ErrCut},
		{"sound first", riff(chunk("data", make([]byte, 4)), plain), ErrWAV},
		{"two formats", riff(plain, plain, chunk("data", make([]byte, 4))), ErrWAV},
		{"short format", riff(chunk("fmt ", make([]byte, 10))), ErrWAV},
		{"MP3 inside", riff(chunk("fmt ", format16(0x55, 1, 24000, 16)), chunk("data", nil)), ErrWAV},
		{"12 bits", riff(chunk("fmt ", format16(formatPCM, 1, 24000, 12)), chunk("data", nil)), ErrWAV},
		{"no channel", riff(chunk("fmt ", format16(formatPCM, 0, 24000, 16)), chunk("data", nil)), ErrWAV},
		{"no rate", riff(chunk("fmt ", format16(formatPCM, 1, 0, 16)), chunk("data", nil)), ErrWAV},
		{"huge rate", riff(chunk("fmt ", format16(formatPCM, 1, 1<<31, 16)), chunk("data", nil)), ErrWAV},
		{"cut", cut[:len(cut)-1], ErrCut},
		{"huge chunk", riff(plain, append([]byte("JUNK"), 0xff, 0xff, 0xff, 0x7f)), ErrWAV},
		{"too long", append(riff(plain, append([]byte("data"), 0xff, 0xff, 0xff, 0xff)), make([]byte, 2*MaxSamples+2)...), ErrTooLong},
	} {
		if _, err := ReadWAV(bytes.NewReader(c.b)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// A stream that never ends is left after what is allowed.
func TestEndlessSoundIsLeft(t *testing.T) {
	head := riff(chunk("fmt ", format16(formatPCM, 8, 8000, 16)), append([]byte("data"), 0xff, 0xff, 0xff, 0xff))
	_, err := ReadWAV(io.MultiReader(bytes.NewReader(head), zeroes{}))
	if !errors.Is(err, ErrTooLong) {
		t.Fatal(err)
	}
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { return len(b), nil }

func TestFloatsThatAreNoNumbers(t *testing.T) {
	var pcm []byte
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e30, 0.25} {
		pcm = binary.LittleEndian.AppendUint32(pcm, math.Float32bits(float32(v)))
	}
	x, err := ReadWAV(bytes.NewReader(riff(chunk("fmt ", format16(formatFloat, 1, 24000, 32)), chunk("data", pcm))))
	if err != nil || !slices.Equal(x, []float32{0, maxPeak, -maxPeak, maxPeak, 0.25}) {
		t.Errorf("%v, %v", x, err)
	}
}

// What is written is read back bit by bit.
func TestWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOf(rapid.Int16()).Draw(t, "samples")
		var b bytes.Buffer
		if err := WriteWAV(&b, samples); err != nil {
			t.Fatal(err)
		}
		x, err := ReadWAV(&b)
		if err != nil || len(x) != len(samples) {
			t.Fatalf("%d of %d samples: %v", len(x), len(samples), err)
		}
		for i, s := range samples {
			if x[i]*(1<<15) != float32(s) {
				t.Fatalf("sample %d: %d became %v", i, s, x[i]*(1<<15))
			}
		}
	})
}

func FuzzReadWAV(f *testing.F) {
	plain := chunk("fmt ", format16(formatPCM, 1, 24000, 16))
	f.Add(riff(plain, chunk("data", make([]byte, 64))))
	f.Add(riff(chunk("fmt ", format16(formatFloat, 2, 96000, 32)), chunk("data", make([]byte, 64))))
	f.Add(riff(chunk("LIST", []byte("abc")), chunk("fmt ", append(format16(formatExtensible, 1, 8000, 8), make([]byte, 24)...)), chunk("data", []byte{1, 2, 3})))
	f.Add(riff(plain, append([]byte("data"), 0xff, 0xff, 0xff, 0xff, 1, 2, 3)))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ReadWAV(bytes.NewReader(b))
		if err != nil {
			return
		}
		if len(x) > MaxSamples {
			t.Fatalf("%d samples", len(x))
		}
		for i, s := range x {
			if s != s || s > 8*maxPeak || s < -8*maxPeak {
				t.Fatalf("sample %d is %v", i, s)
			}
		}
		samples, err := Finish(x)
		if err == nil && len(samples) > MaxSamples {
			t.Fatalf("%d samples", len(samples))
		}
	})
}
