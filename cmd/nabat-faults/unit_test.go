package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheTallyCountsWhatIsMissingTwiceOrLate(t *testing.T) {
	at := func(seq uint64, urgent bool) arrival {
		return arrival{id: fmt.Sprintf("e-%d", seq), epoch: "e", seq: seq, urgent: urgent}
	}
	for name, c := range map[string]struct {
		wanted                             []string
		stored                             []arrival
		lost, doubled, reordered, foreign_ []string
	}{
		"nothing wrong":            {wanted: []string{"e-1", "e-2"}, stored: []arrival{at(1, false), at(2, false)}},
		"lost":                     {wanted: []string{"e-1", "e-2"}, stored: []arrival{at(2, false)}, lost: []string{"e-1"}},
		"doubled":                  {wanted: []string{"e-1"}, stored: []arrival{at(1, false), at(1, false)}, doubled: []string{"e-1"}},
		"reordered":                {wanted: []string{"e-1", "e-2"}, stored: []arrival{at(2, true), at(1, true)}, reordered: []string{"e-1"}},
		"an alarm may overtake":    {wanted: []string{"e-1", "e-2"}, stored: []arrival{at(2, true), at(1, false)}},
		"what no journal has":      {wanted: []string{"e-1"}, stored: []arrival{at(1, false), at(7, false)}, foreign_: []string{"e-7"}},
		"a repetition is not late": {wanted: []string{"e-1", "e-2"}, stored: []arrival{at(1, true), at(2, true), at(1, true)}, doubled: []string{"e-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := count(c.wanted, c.stored)
			if !slices.Equal(got.lost, c.lost) || !slices.Equal(got.doubled, c.doubled) || !slices.Equal(got.reordered, c.reordered) || !slices.Equal(got.foreign, c.foreign_) {
				t.Errorf("got %s", got)
			}
			if want := len(c.lost)+len(c.doubled)+len(c.reordered)+len(c.foreign_) == 0; got.clean() != want {
				t.Errorf("clean: %v, want %v", got.clean(), want)
			}
		})
	}
}

func TestAChangeThatDoesNotFitIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		changes []change
		fits    bool
	}{
		"once":          {[]change{{file: "cmd/nabat-faults/tally.go", old: "// tally compares", replacement: "// it compares"}}, true},
		"gone":          {[]change{{file: "cmd/nabat-faults/tally.go", old: "no such text", replacement: "x"}}, false},
		"twice":         {[]change{{file: "cmd/nabat-faults/tally.go", old: "tally", replacement: "x"}}, false},
		"file gone":     {[]change{{file: "cmd/nabat-faults/no-such-file.go", old: "x", replacement: "y"}}, false},
		"a new file":    {[]change{{file: "cmd/nabat-faults/more.go", replacement: "package main\n"}}, true},
		"in Go itself":  {[]change{{file: "$GOROOT/src/time/time.go", old: "func Now() Time {", replacement: "func Now() Time { "}}, true},
		"one on top":    {[]change{{file: "cmd/nabat-faults/tally.go", old: "// tally compares", replacement: "// it compares"}, {file: "cmd/nabat-faults/tally.go", old: "// it compares", replacement: "// both"}}, true},
		"one undoes it": {[]change{{file: "cmd/nabat-faults/tally.go", old: "// tally compares", replacement: "// it compares"}, {file: "cmd/nabat-faults/tally.go", old: "// tally compares", replacement: "// both"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			overlay, err := layOver(t.Context(), dir, c.changes)
			if (err == nil) != c.fits {
				t.Fatalf("error %v, want one: %v", err, !c.fits)
			}
			if !c.fits {
				return
			}
			written, err := filepath.Glob(filepath.Join(dir, "*.go"))
			if err != nil || len(written) != 1 {
				t.Fatalf("%d changed files, want one (%v)", len(written), err)
			}
			b, err := os.ReadFile(written[0])
			if err != nil {
				t.Fatal(err)
			}
			if want := c.changes[len(c.changes)-1].replacement; !strings.Contains(string(b), want) {
				t.Errorf("the changed file lacks %q", want)
			}
			if _, err := os.Stat(overlay); err != nil {
				t.Error(err)
			}
		})
	}
}

// Every control has to fit the sources as they are now; whether it fails as it
// must is for make faults.
func TestEveryControlFitsTheSources(t *testing.T) {
	names := make(map[string]bool)
	for _, sc := range scenarios() {
		if names[sc.name] {
			t.Errorf("%s is there twice", sc.name)
		}
		names[sc.name] = true
		if len(sc.without) == 0 {
			t.Errorf("%s has no control", sc.name)
		}
		if _, err := layOver(t.Context(), t.TempDir(), slices.Concat(sc.with, sc.without)); err != nil {
			t.Errorf("%s: %v", sc.name, err)
		}
	}
}

func TestTheTableSaysWhatFailed(t *testing.T) {
	page := string(markdown([]result{
		{scenario: scenario{name: "power/a", bare: "bare words"}, tally: tally{events: 3}, tried: true, control: errors.New("it lost | all\nmore")},
		{scenario: scenario{name: "https/b"}, err: errors.New("it broke"), tried: true},
		{scenario: scenario{name: "https/c"}, tally: tally{events: 5, lost: []string{"e-1"}}},
	}))
	for _, want := range []string{"## Power", "## HTTPS", "0, 0, 0 of 3", "bare words", `it lost \| all |`, "**failed**: it broke", "**it did not fail**", "1, 0, 0 of 5", "not tried in this run"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "more") && strings.Contains(page, "it lost | all") {
		t.Error("a text breaks its cell")
	}
}
