package powercut

import (
	"errors"
	"strings"
	"testing"
)

func say(p *Promises, lines ...string) {
	for _, l := range lines {
		p.Line(l)
	}
}

func TestPromiseIsBrokenByAMissingRecordAHoleOrDamage(t *testing.T) {
	for name, tc := range map[string]struct {
		lines  string
		faults int
	}{
		"kept":      {"ACK a 1\nACK a 2\nFOUND a 2\nVERIFIED", 0},
		"more":      {"ACK a 1\nFOUND a 2\nVERIFIED", 0},
		"lost":      {"ACK a 1\nACK a 2\nFOUND a 1\nVERIFIED", 1},
		"all lost":  {"ACK a 1\nVERIFIED", 1},
		"damage":    {"ACK a 1\nDAMAGED file is not a database", 1},
		"two runs":  {"ACK a 1\nACK b 1\nFOUND a 1\nVERIFIED", 1},
		"no answer": {"ACK a 1\nACK a garbled", 0},
	} {
		p := NewPromises()
		say(p, strings.Split(tc.lines, "\n")...)
		if len(p.Faults) != tc.faults {
			t.Errorf("%s: got %v, want %d faults", name, p.Faults, tc.faults)
		}
		for _, f := range p.Faults {
			if !errors.Is(f, ErrBroken) {
				t.Errorf("%s: %v does not wrap ErrBroken", name, f)
			}
		}
	}
}

func FuzzPromiseLine(f *testing.F) {
	f.Add("ACK a 1\nFOUND a 1\nVERIFIED\nDAMAGED x")
	f.Fuzz(func(t *testing.T, text string) {
		p := NewPromises()
		say(p, strings.Split(text, "\n")...)
		if p.Verified > strings.Count(text, "VERIFIED") {
			t.Fatal("a verification was counted that nobody reported")
		}
	})
}
