package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestQuickRunMeasuresEveryFigure asserts no time: it shows that every figure
// comes out as a number and that nothing was lost, doubled or out of order on
// the way. Under -short the figures about other processes, in which the race
// detector sees nothing, are left to the run without it.
func TestQuickRunMeasuresEveryFigure(t *testing.T) {
	dir := t.TempDir()
	binary, report := filepath.Join(dir, "nabat"), filepath.Join(dir, "figures.md")
	args := []string{"-quick", "-dir", dir, "-nabat", binary, "-dispatch", filepath.Join(dir, "nabat-dispatch"), "-o", report}
	want := map[string]int{"commit": 1, "live": 1, "paint": 1, "crowd": 1, "voice": 1, "packets": 1, "zones": 1, "lamp": 1, "drain": 2, "http": 2, "append": 1, "start": 4, "overtake": 2, "ingest": 1, "storm": 1}
	if testing.Short() {
		for _, others := range []string{"paint", "lamp", "start"} {
			delete(want, others)
		}
		args = append(args, "-only", strings.Join(slices.Sorted(maps.Keys(want)), ","))
	} else if out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir, "../nabat", "../nabat-dispatch").CombinedOutput(); err != nil {
		t.Fatalf("build the programs: %v: %s", err, out)
	}
	var table, notes bytes.Buffer
	if err := command(t.Context(), args, &table, &notes); err != nil {
		t.Fatalf("%v\n%s", err, notes.String())
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, n := range want {
		lines += n
	}
	rows := 0
	for l := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(l, "|")
		if len(cells) != 8 || !slices.Contains([]string{"yes", "no", "reported"}, strings.TrimSpace(cells[6])) {
			continue
		}
		rows++
		if measured := strings.TrimSpace(cells[4]); !strings.ContainsAny(measured, "0123456789") {
			t.Errorf("no number in %q", l)
		}
	}
	if rows != lines {
		t.Errorf("%d rows in the table, want %d:\n%s", rows, lines, text)
	}
	for _, word := range []string{"NaN", "Inf", dir} {
		if bytes.Contains(text, []byte(word)) {
			t.Errorf("the report contains %q:\n%s", word, text)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "bench-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("data was left behind: %v %v", left, err)
	}
}

func TestWrongUsageIsRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"an unknown flag":   {"-fast"},
		"an unknown figure": {"-only", "commit,speed", "-dir", t.TempDir()},
	} {
		var out, note bytes.Buffer
		if err := command(t.Context(), args, &out, &note); !errors.Is(err, errUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMissingProgramNamesItsPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := need("mosquitto", "mosquitto")
	if !errors.Is(err, errMissing) || !strings.Contains(err.Error(), "apt-get install --no-install-recommends mosquitto") {
		t.Errorf("%v", err)
	}
}

func TestEventsHaveTheSizeThatTheReportSays(t *testing.T) {
	b := &bench{dir: t.TempDir(), size: small(), note: &bytes.Buffer{}}
	dir, err := b.emptyQueue(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	st, err := openStore(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := st.Cursor(consumer, 1).Read(t.Context(), 10)
	if err != nil || len(rows) != 3 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	for _, r := range rows {
		if len(r.Data) != eventBytes {
			t.Errorf("%d bytes: %s", len(r.Data), r.Data)
		}
	}
	if err := st.stop(); err != nil {
		t.Fatal(err)
	}
}

// message is an event as a subscriber gets it.
type message struct {
	topic   string
	payload []byte
}

func (m message) Duplicate() bool   { return false }
func (m message) Qos() byte         { return 1 }
func (m message) Retained() bool    { return false }
func (m message) Topic() string     { return m.topic }
func (m message) MessageID() uint16 { return 1 }
func (m message) Payload() []byte   { return m.payload }
func (m message) Ack()              {}

// TestSubscriberSeesWhatIsWrong is the check of the checks: without it a
// figure could say "nothing lost" whatever happens.
func TestSubscriberSeesWhatIsWrong(t *testing.T) {
	m := &maker{now: func() alert.Stamp { return alert.Stamp{Wall: time.Now()} }}
	alarm, routine := m.alarm(), m.routine()
	a := func(seq uint64) message {
		return message{"nabat/1/s/g/event/" + alarm.Type.Short(), wire(alarm, nil, seq)}
	}
	r := func(seq uint64) message {
		return message{"nabat/1/s/g/event/" + routine.Type.Short(), wire(routine, nil, seq)}
	}
	for name, c := range map[string]struct {
		come []message
		good bool
	}{
		"all in order":               {[]message{a(1), r(2), r(3)}, true},
		"an alarm that overtakes":    {[]message{a(3), r(1), r(2)}, true},
		"one lost":                   {[]message{a(1), r(2)}, false},
		"one doubled":                {[]message{a(1), r(2), r(3), r(2)}, false},
		"one in place of another":    {[]message{a(1), r(2), r(2)}, false},
		"routine out of order":       {[]message{r(2), r(1), a(3)}, false},
		"alarms out of order":        {[]message{a(2), a(1), r(3)}, false},
		"one that cannot be read":    {[]message{a(1), r(2), r(3), {"t/e", []byte("{}")}}, false},
		"one more than there should": {[]message{a(1), r(2), r(3), r(4)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := newArrivals()
			for _, m := range c.come {
				got.take(nil, m)
			}
			if err := got.check(3); (err == nil) != c.good {
				t.Errorf("check says %v", err)
			}
		})
	}
}

func TestQuantiles(t *testing.T) {
	var s, floor samples
	for turn := range 2 {
		s.begin(true)
		floor.begin(true)
		for i := range 50 {
			d := time.Duration(turn*50+i+1) * time.Millisecond
			floor.add(d)
			s.add(2 * d)
		}
	}
	if p50, p99 := floor.at(0.5), floor.at(0.99); p50 != 50*time.Millisecond || p99 != 99*time.Millisecond {
		t.Errorf("p50 %v, p99 %v of 1 … 100 ms", p50, p99)
	}
	if l := atMost("f", 2, 0.99, &s, &floor); l.verdict != reachedIt || l.ratio != "2.00 × (turns 2.00 – 2.00, median 2.00)" {
		t.Errorf("%+v", l)
	}
	if l := atMost("f", 1.9, 0.99, &s, &floor); l.verdict != missedIt {
		t.Errorf("%+v", l)
	}
	if quantile(nil, 0.5) != 0 || quantile([]time.Duration{7}, 0.99) != 7 {
		t.Error("quantiles of nothing and of one")
	}
}

func TestMachineIsDescribed(t *testing.T) {
	m := thisMachine(t.TempDir())
	for name, v := range map[string]string{"processor": m.cpu, "memory": m.memory, "kernel": m.kernel, "disk": m.disk, "load": m.loadAtStart} {
		if v == "" || v == "unknown" {
			t.Errorf("%s is %q", name, v)
		}
	}
}

func TestCancelledRunEndsAndCleansUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	var out, note bytes.Buffer
	if err := command(ctx, []string{"-quick", "-only", "commit", "-dir", dir}, &out, &note); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "bench-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
