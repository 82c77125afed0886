package speech

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/announce/clip"
	"nabat/gateway/health"
	"nabat/hw/audio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline is generous: the synthesiser is the last to get a processor, and on one
// that compiles at the same time it gets a hundredth. Nothing waits for it that
// goes well.
const deadline = 3 * time.Minute

// started is a library that runs until the test ends.
type started struct {
	*Library
	t      *testing.T
	health *health.Registry
	log    *lines
	stop   func()
}

// lines is a log that a test reads.
type lines struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, o Options) *started {
	t.Helper()
	s := &started{t: t, health: &health.Registry{}, log: &lines{}}
	o.Health = s.health
	o.Log = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Library = library(o, func(alert.Chime) []int16 { return []int16{1} }) // making the chimes takes longer than the test
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// until waits for something that a change of the library, or of a condition, brings.
func (s *started) until(what string, holds func() bool) {
	s.t.Helper()
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	for {
		changed, told := s.Changed(), s.health.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-told:
		case <-timer.C:
			s.t.Fatalf("not seen: %s; conditions %+v; %+v\n%s", what, s.health.List(), s.Stats(), s.log)
		}
	}
}

// eventually waits for something that nothing announces, such as a file.
func (s *started) eventually(what string, holds func() bool) {
	s.t.Helper()
	end := time.Now().Add(deadline)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(end) {
			s.t.Fatalf("not seen: %s; conditions %v\n%s", what, s.conditions(), s.log)
		}
		<-tick.C
	}
}

func (s *started) conditions() []string {
	var names []string
	for _, c := range s.health.List() {
		names = append(names, c.Name)
	}
	return names
}

func (s *started) detail(name string) string {
	for _, c := range s.health.List() {
		if c.Name == name {
			return c.Detail
		}
	}
	return ""
}

func (s *started) told(name string) func() bool {
	return func() bool { return slices.Contains(s.conditions(), name) }
}

func (s *started) calm() bool { return len(s.conditions()) == 0 }

func (s *started) ready(segments ...Segment) func() bool {
	return func() bool {
		for _, g := range segments {
			if _, ok := s.Clip(g.Language, keyOf(g).text); !ok {
				return false
			}
		}
		return true
	}
}

func (s *started) clip(g Segment) []int16 {
	s.t.Helper()
	s.until("a clip", s.ready(g))
	samples, _ := s.Clip(g.Language, keyOf(g).text)
	return samples
}

func say(l alert.Language, text string) Segment {
	return Segment{Language: l, Text: text, ID: "id-" + string(l), Priority: alert.PriorityEmergency}
}

// program writes a synthesiser of our own: a shell script.
func program(t *testing.T, path, script string) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "synthesiser")
	}
	// Renamed into its place, because a file that is being written does not start.
	if err := os.WriteFile(path+".new", []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// recording writes a WAV file of a tone.
func recording(t *testing.T, path string, hz float64) string {
	t.Helper()
	samples := make([]int16, audio.Rate)
	for i := range samples {
		samples[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/audio.Rate))
	}
	var b bytes.Buffer
	if err := clip.WriteWAV(&b, samples); err != nil {
		t.Fatal(err)
	}
	if path == "" {
		path = filepath.Join(t.TempDir(), "recorded.wav")
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pitch returns how often a clip crosses zero, as a frequency.
func pitch(samples []int16) float64 {
	n := 0
	for i := 1; i < len(samples); i++ {
		if (samples[i-1] < 0) != (samples[i] < 0) {
			n++
		}
	}
	return float64(n) / 2 / clip.Duration(samples).Seconds()
}

func different(a, b []int16) bool { return !slices.Equal(a, b) }

func TestLanguagesAreSpoken(t *testing.T) {
	s := start(t, Options{})
	list := []Segment{
		say(alert.Russian, "Внимание! Пожар. Кабинет 204."), say(alert.Kazakh, "Назар аударыңыз! Өрт. 204 кабинет."),
		say(alert.English, "Attention! Fire. Room 204."),
	}
	s.Want(list)
	for _, g := range list {
		samples := s.clip(g)
		if d := clip.Duration(samples); d < time.Second || d > 10*time.Second {
			t.Errorf("%s lasts %v", g.Language, d)
		}
		// Speech changes: its loud and its quiet tenths of a second are far apart,
		// and so are its hissing and its sounding ones.
		var quiet, loud, low, high float64 = 1e9, 0, 1e9, 0
		for i := 0; i+audio.Rate/10 <= len(samples); i += audio.Rate / 10 {
			part := samples[i : i+audio.Rate/10]
			sum := 0.0
			for _, v := range part {
				sum += float64(v) * float64(v)
			}
			quiet, loud = min(quiet, sum), max(loud, sum)
			low, high = min(low, pitch(part)), max(high, pitch(part))
		}
		if loud < 10*quiet || high < 2*low {
			t.Errorf("%s: energies %.1e to %.1e, crossings %.0f to %.0f Hz", g.Language, quiet, loud, low, high)
		}
	}
	if !s.calm() {
		t.Error(s.conditions())
	}
}

// Letters that only Kazakh has, numbers of rooms, and letters after numbers are
// spoken: without them, or with others, it is another sound.
func TestNothingIsDropped(t *testing.T) {
	s := start(t, Options{})
	for language, pairs := range map[alert.Language][][2]string{
		alert.Kazakh: {
			{"ә", "а"}, {"і", "и"}, {"ң", "н"}, {"ғ", "г"}, {"ү", "у"}, {"ұ", "у"}, {"қ", "к"}, {"ө", "о"},
			{"сыныпта әке", "сыныпта ке"}, {"Кабинет 204", "Кабинет"}, {"Кабинет 204", "Кабинет 205"}, {"5а сыныбы", "5 сыныбы"},
		},
		alert.Russian: {{"Кабинет 204", "Кабинет"}, {"Кабинет 204", "Кабинет 205"}, {"5а класс", "5 класс"}, {"ёлка", "елка"}},
		alert.English: {{"Room 204", "Room"}, {"Room 204", "Room 205"}, {"Room 204b", "Room 204"}},
	} {
		for _, p := range pairs {
			s.Request(Segment{Language: language, Text: p[0]}, Segment{Language: language, Text: p[1]})
			if a, b := s.clip(Segment{Language: language, Text: p[0]}), s.clip(Segment{Language: language, Text: p[1]}); !different(a, b) {
				t.Errorf("%s: %q and %q sound the same", language, p[0], p[1])
			}
		}
	}
	for _, p := range [][2]string{{"Кабинет 204", "Кабинет"}, {"Қазақстан Республикасы", "Республикасы"}} {
		long, short := Segment{Language: alert.Kazakh, Text: p[0]}, Segment{Language: alert.Kazakh, Text: p[1]}
		s.Request(long, short)
		a, b := s.clip(long), s.clip(short)
		if len(a) < len(b)+audio.Rate/4 {
			t.Errorf("%q lasts %v, %q %v", p[0], clip.Duration(a), p[1], clip.Duration(b))
		}
	}
}

// Text is text: no option, no notation of sounds, no end at a zero byte.
func TestTextIsNeverACommand(t *testing.T) {
	s := start(t, Options{})
	one, two := Segment{Language: alert.English, Text: "--help"}, Segment{Language: alert.English, Text: "-w /dev/null"}
	zero, all := Segment{Language: alert.English, Text: "one\x00two three four"}, Segment{Language: alert.English, Text: "one two three four"}
	sounds, letters := Segment{Language: alert.English, Text: "[[h@l'oU]]"}, Segment{Language: alert.English, Text: "h@l'oU"}
	s.Request(one, two, zero, all, sounds, letters)
	for _, g := range []Segment{one, two} {
		s.clip(g)
	}
	if different(s.clip(zero), s.clip(all)) {
		t.Error("a zero byte changes what is said")
	}
	if a, b := s.clip(sounds), s.clip(letters); clip.Duration(a) < clip.Duration(b)/2 {
		t.Errorf("brackets are read as a notation of sounds: %v against %v", clip.Duration(a), clip.Duration(b))
	}
}

func TestChimesAreThereSoonAfterTheStart(t *testing.T) {
	l := New(Options{Program: "/nonexistent"})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	defer func() { cancel(); <-done }()
	for _, c := range alert.Chimes() {
		for c != alert.ChimeNone {
			changed := l.Changed()
			if len(l.Chime(c)) > 0 {
				break
			}
			select {
			case <-changed:
			case <-time.After(time.Minute):
				t.Fatalf("%s has no sound", c)
			}
		}
	}
	if l.Chime(alert.ChimeNone) != nil || l.Chime("whistle") != nil {
		t.Error("a chime that nobody knows sounds")
	}
}

// Neither a text nor a part of it is in the log, in a condition, or on the disk.
func TestTextsAreNotTold(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Options{Program: program(t, "", `case "$*" in *version*) echo v1;; *) read -r text; case "$text" in 1) echo 1 | espeak-ng "$@";; *) echo "$text" >&2; exit 3;; esac;; esac`),
		Cache: clip.NewCache(dir, 1<<20)})
	s.Want([]Segment{{Language: alert.Russian, Text: "Айгерим Серикова", ID: "message-7"}})
	s.until("a condition", s.told("clip-missing:message-7"))
	for _, told := range []string{s.log.String(), s.detail("clip-missing:message-7")} {
		if strings.Contains(told, "Айгерим") || strings.Contains(told, `\x`) {
			t.Errorf("a name is told: %s", told)
		}
	}
	s.stop()

	spoken := start(t, Options{Cache: clip.NewCache(dir, 1<<20)})
	free, listed := Segment{Language: alert.Russian, Text: "Айгерим, зайдите"}, say(alert.Russian, "Пожар")
	spoken.Request(free)
	spoken.Want([]Segment{listed})
	spoken.clip(free)
	spoken.eventually("the listed text on the disk", func() bool { return files(t, dir) == 1 })
	spoken.stop()
	if n := files(t, dir); n != 1 {
		t.Errorf("%d files", n)
	}
	if strings.Contains(spoken.log.String(), "Айгерим") {
		t.Errorf("a name is told:\n%s", spoken.log)
	}
}

func files(t *testing.T, dir string) int {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*.clip"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// slow is a synthesiser that speaks when a file is there, and writes down in
// which order it was asked.
func slow(t *testing.T, gate, order string) string {
	return program(t, "", fmt.Sprintf(`case "$*" in *version*) echo v1; exit;; esac
text=$(cat)
echo "$text" >>%s
[ "$text" = 1 ] || while [ ! -e %s ]; do sleep 0.01; done
printf %%s "$text" | exec espeak-ng "$@"`, order, gate))
}

func TestUrgentRequestsPassThoseThatWait(t *testing.T) {
	dir := t.TempDir()
	gate, order := filepath.Join(dir, "gate"), filepath.Join(dir, "order")
	s := start(t, Options{Program: slow(t, gate, order), Timeout: deadline})
	routine := say(alert.English, "routine")
	routine.Priority = alert.PriorityRoutine
	s.Want([]Segment{routine, say(alert.English, "first"), say(alert.English, "second")})
	lines := func() []string {
		b, err := os.ReadFile(order)
		if err != nil {
			return nil
		}
		return strings.Fields(string(b))
	}
	s.eventually("the first text begun", func() bool { return slices.Contains(lines(), "first") })
	s.Request(say(alert.English, "urgent"))
	if got := s.Stats(); got.Wanted != 4 || got.Pending != 4 {
		t.Errorf("four are on their way, not %+v", got)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.until("all", func() bool { st := s.Stats(); return st.Ready == 4 && st.Pending == 0 })
	if got, want := lines(), []string{"1", "first", "urgent", "second", "routine"}; !slices.Equal(got, want) {
		t.Errorf("spoken in the order %v, want %v", got, want)
	}
}
