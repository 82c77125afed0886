package store

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestASetIsWhatWasPutIntoIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s set
		model := make(map[uint64]bool)
		for _, n := range rapid.SliceOf(rapid.Uint64Range(1, 40)).Draw(t, "add") {
			if s.has(n) != model[n] {
				t.Fatalf("has %d: %v", n, s.has(n))
			}
			var ok bool
			if s, ok = s.add(n); !ok {
				t.Fatal("no room")
			}
			model[n] = true
		}
		mark := uint64(0)
		for model[mark+1] {
			mark++
		}
		if s.through() != mark {
			t.Fatalf("mark %d of %s, want %d", s.through(), s, mark)
		}
		var above []uint64
		for n := mark + 1; n <= 40; n++ {
			if model[n] {
				above = append(above, n)
			}
		}
		if got := s.above(100); !slices.Equal(got, above) {
			t.Fatalf("above %v, want %v", got, above)
		}
		if again, err := parseSet(s.String()); err != nil || !slices.Equal(again, s) {
			t.Fatalf("%s read back as %s, %v", s, again, err)
		}
	})
}

func TestASetIsBounded(t *testing.T) {
	var s set
	for n := range uint64(maxSpans) {
		s = append(s, span{2*n + 1, 2*n + 1})
	}
	if _, ok := s.add(3 * maxSpans); ok {
		t.Error("one hole too many was taken")
	}
	if s, ok := s.add(2); !ok || len(s) != maxSpans-1 {
		t.Error("a hole could not be closed")
	}
}

func FuzzParseSet(f *testing.F) {
	f.Add("1-5,7,9-12")
	f.Add("1,2")
	f.Add("5-1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSet(text)
		if err != nil {
			return
		}
		for i, r := range s {
			if r.from > r.to || i > 0 && r.from <= s[i-1].to+1 {
				t.Errorf("%q gives %v", text, s)
			}
		}
	})
}
