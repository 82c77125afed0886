package g711_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os/exec"
	"testing"

	"pgregory.net/rapid"

	"nabat/hw/audio/g711"
)

// sox is another implementation of both laws: every sample must become the
// byte that it makes of it.
func TestEverySampleIsCodedAsByOthers(t *testing.T) {
	var all bytes.Buffer
	for v := math.MinInt16; v <= math.MaxInt16; v++ {
		if err := binary.Write(&all, binary.LittleEndian, int16(v)); err != nil {
			t.Fatal(err)
		}
	}
	for law, name := range map[g711.Law]string{g711.MuLaw: "mu-law", g711.ALaw: "a-law"} {
		sox := exec.Command("sox", "-D", "-t", "raw", "-r", "8000", "-c", "1", "-e", "signed", "-b", "16", "-", "-t", "raw", "-e", name, "-")
		sox.Stdin = bytes.NewReader(all.Bytes())
		want, err := sox.Output()
		if err != nil || len(want) != 65536 {
			t.Fatalf("sox: %v, %d bytes", err, len(want))
		}
		for i, w := range want {
			v := i + math.MinInt16
			near := func(d int) byte { return law.Encode(int16(max(math.MinInt16, min(math.MaxInt16, v+d)))) }
			// sox rounds the two or three bits that the laws do not have; we drop
			// them. At the edge of a step it is then the neighbour.
			if near(0) != w && near(-4) != w && near(4) != w {
				t.Fatalf("%s: %d is %#x, sox makes %#x of it", name, v, near(0), w)
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }

func TestDecodedIsNearEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		law := rapid.SampledFrom([]g711.Law{g711.MuLaw, g711.ALaw}).Draw(t, "law")
		v := rapid.Int16().Draw(t, "sample")
		got := law.Decode(law.Encode(v))
		// Half a step of the coarsest kind within the segment, and the clipping.
		if limit := abs(int(v))/16 + 40; abs(int(got)-int(v)) > limit {
			t.Fatalf("%d became %d", v, got)
		}
		if b := law.Encode(v); law.Encode(law.Decode(b)) != b {
			t.Fatalf("byte %#x does not stay", b)
		}
	})
}

// tone is a sine of half the full scale.
func tone(hz float64, samples int) []int16 {
	out := make([]int16, samples)
	for i := range out {
		out[i] = int16(16000 * math.Sin(2*math.Pi*hz*float64(i)/24000))
	}
	return out
}

// level is the strength of what came out, against what went in, in decibels.
func level(law g711.Law, coded []byte) float64 {
	var sum float64
	for _, b := range coded {
		v := float64(law.Decode(b))
		sum += v * v
	}
	return 10 * math.Log10(sum/float64(len(coded))/(16000*16000/2)+1e-9)
}

func TestFilterKeepsSpeechAndDropsWhatWouldFoldBack(t *testing.T) {
	for _, law := range []g711.Law{g711.MuLaw, g711.ALaw} {
		for _, hz := range []float64{300, 1000, 2000, 3000, 3300} {
			coded := g711.NewEncoder(law).Encode(nil, tone(hz, 24000))[100:]
			if db := level(law, coded); math.Abs(db) > 0.3 {
				t.Errorf("law %d: %v Hz came out at %.2f dB", law, hz, db)
			}
		}
		for _, hz := range []float64{4500, 5000, 7000, 9000, 11500} {
			coded := g711.NewEncoder(law).Encode(nil, tone(hz, 24000))[100:]
			if db := level(law, coded); db > -50 {
				t.Errorf("law %d: %v Hz came out at %.2f dB", law, hz, db)
			}
		}
	}
}

func TestSeamsAreNotHeard(t *testing.T) {
	whole := tone(1000, 24000)
	want := g711.NewEncoder(g711.MuLaw).Encode(nil, whole)
	rapid.Check(t, func(t *rapid.T) {
		e, rest := g711.NewEncoder(g711.MuLaw), whole
		var got []byte
		for len(rest) > 0 {
			n := rapid.IntRange(1, 2000).Draw(t, "write")
			n = min(n, len(rest))
			got, rest = e.Encode(got, rest[:n]), rest[n:]
		}
		if !bytes.Equal(got, want) {
			t.Fatal("what was written in pieces is not what was written at once")
		}
	})
}

func TestFinishGivesTheEndAndOnlyOnce(t *testing.T) {
	e := g711.NewEncoder(g711.MuLaw)
	if b := e.Finish(nil); len(b) != 0 {
		t.Errorf("%d bytes of nothing", len(b))
	}
	click := make([]int16, 240)
	click[239] = 20000 // the last sample of all
	b := e.Encode(nil, click)
	before := len(b)
	b = e.Finish(b)
	if len(b) <= before || level(g711.MuLaw, b[before:]) < -40 {
		t.Error("the last sample does not come out")
	}
	if n := len(e.Finish(nil)); n != 0 {
		t.Errorf("%d bytes after the end", n)
	}
	if b := e.Encode(nil, make([]int16, 240)); level(g711.MuLaw, b) > -60 {
		t.Error("something of the sound before is left")
	}
}
