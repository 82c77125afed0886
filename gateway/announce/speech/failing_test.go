package speech

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
	"nabat/gateway/announce/clip"
)

func TestProgramThatIsInstalledLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "synthesiser")
	s := start(t, Options{Program: path})
	fire := say(alert.Russian, "Пожар")
	s.Want([]Segment{fire})
	s.until("the condition", s.told("voice-missing"))
	if d := s.detail("voice-missing"); !strings.Contains(d, "apt install espeak-ng") {
		t.Error(d)
	}
	s.eventually("nothing is on its way that nobody can speak", func() bool { return s.Stats().Pending == 0 })
	program(t, path, `exec espeak-ng "$@"`)
	s.Retry()
	s.clip(fire)
	s.until("no condition", s.calm)

	// It goes away again, and is missed before anybody needs it.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.Retry()
	s.until("the condition", s.told("voice-missing"))
	s.clip(fire)
}

// Without being asked it looks again by itself.
func TestRetryComesByItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "synthesiser")
	s := start(t, Options{Program: path, Retry: 20 * time.Millisecond})
	s.Want([]Segment{say(alert.Russian, "Пожар")})
	s.until("the condition", s.told("voice-missing"))
	program(t, path, `exec espeak-ng "$@"`)
	s.clip(say(alert.Russian, "Пожар"))
}

func TestVoiceThatIsMissing(t *testing.T) {
	s := start(t, Options{Voices: map[alert.Language]string{alert.Kazakh: "xyzzy", alert.English: "../../etc/passwd"}})
	ru, kk, en := say(alert.Russian, "Пожар"), say(alert.Kazakh, "Өрт"), say(alert.English, "Fire")
	s.Want([]Segment{kk, en, ru})
	s.clip(ru)
	s.until("the conditions", func() bool { return s.told("voice-missing:kk")() && s.told("voice-missing:en")() })
	if s.told("voice-missing")() {
		t.Error("one voice is missing, not all", s.conditions())
	}
	s.eventually("nothing is on its way that nobody can speak", func() bool { return s.Stats().Pending == 0 })
	s.Want([]Segment{ru})
	s.until("no condition", s.calm)
}

func TestProgramsThatGoWrong(t *testing.T) {
	for name, script := range map[string]string{
		"fails":          `echo no >&2; exit 1`,
		"says nothing":   `exit 0`,
		"writes garbage": `head -c 5000 /dev/urandom`,
		"cuts short":     `espeak-ng "$@" | head -c 20`,
		"is silent":      `cat >/dev/null; sox -n -r 22050 -b 16 -c 1 -t wav - trim 0 1`,
		"never ends":     `espeak-ng "$@"; cat /dev/zero`,
		"hangs":          `sleep 1000 & wait`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spoilt := filepath.Join(t.TempDir(), "spoilt")
			if err := os.WriteFile(spoilt, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			s := start(t, Options{Timeout: 5 * time.Second, Program: program(t, "", `case "$*" in
*version*) echo v1;;
*) if [ -e `+spoilt+` ]; then `+script+`; else exec espeak-ng "$@"; fi;;
esac`)})
			fire := say(alert.Russian, "Пожар")
			s.Want([]Segment{fire})
			s.until("the condition", s.told("voice-missing:ru"))
			if _, ok := s.Clip(alert.Russian, "Пожар"); ok {
				t.Error("there is a clip")
			}
			if err := os.Remove(spoilt); err != nil {
				t.Fatal(err)
			}
			s.Retry()
			s.until("the clip", func() bool {
				if s.told("voice-missing:ru")() || s.told("clip-missing:id-ru")() {
					s.Retry() // a machine that is very slow may miss the bound in time
				}
				return s.ready(fire)()
			})
			s.until("no condition", s.calm)
		})
	}
}

// What a run has started ends with it.
func TestNothingIsLeftOfAHangingRun(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	s := start(t, Options{Timeout: time.Second, Program: program(t, "", `sleep 1000 & echo $! >`+pid+`; wait`)})
	s.Want([]Segment{say(alert.Russian, "Пожар")})
	s.until("the condition", s.told("voice-missing"))
	var b []byte
	s.eventually("what a run has started", func() bool {
		if b, _ = os.ReadFile(pid); bytes.HasSuffix(b, []byte("\n")) {
			return true
		}
		s.Retry() // a machine that is very slow may miss the bound in time
		return false
	})
	stat := filepath.Join("/proc", strings.TrimSpace(string(b)), "stat")
	s.eventually("the end of what it started", func() bool {
		b, err := os.ReadFile(stat)
		return err != nil || strings.Contains(string(b), ") Z ")
	})
}

// A sound server that hangs does not hang the synthesiser, which calls it even
// when it only writes a file.
func TestSoundServerThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "native")
	hung, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	t.Setenv("PULSE_SERVER", "unix:"+path)
	s := start(t, Options{})
	s.clipRequested(say(alert.Russian, "Пожар"))
}

// A run gets the processor last, and what it may take is bounded.
func TestRunsAreRestrained(t *testing.T) {
	s := start(t, Options{Timeout: 30 * time.Second, Program: program(t, "", `while [ "$(nice)" != 19 ] || ! grep -q 'cpu time  *31 ' /proc/self/limits ||
	! grep -q 'address space  *268435456 ' /proc/self/limits; do sleep 0.01; done
exec espeak-ng "$@"`)})
	s.clipRequested(say(alert.Russian, "Пожар"))
}

func (s *started) clipRequested(g Segment) []int16 {
	s.t.Helper()
	s.Request(g)
	return s.clip(g)
}

func TestOneTextThatFails(t *testing.T) {
	s := start(t, Options{})
	dots := say(alert.Russian, "…")
	dots.ID = "dots"
	long := say(alert.Russian, strings.Repeat("о", MaxText+1))
	long.ID = "long"
	ok := say(alert.Russian, "Пожар")
	s.Want([]Segment{dots, long, ok, {Language: alert.Russian}, {Text: "no language"}})
	s.clip(ok)
	s.until("both conditions", func() bool { return s.told("clip-missing:dots")() && s.told("clip-missing:long")() })
	if s.told("voice-missing:ru")() {
		t.Error("the voice is there")
	}
	if n := s.Stats().Wanted; n != 3 {
		t.Errorf("%d segments are wanted", n)
	}
}

func TestRecordings(t *testing.T) {
	path := recording(t, "", 440)
	s := start(t, Options{Cache: clip.NewCache(t.TempDir(), 1<<20)})
	fire := Segment{Language: alert.Russian, Text: "Пожар", Recorded: path, ID: "fire"}
	wordless := Segment{Language: alert.Russian, Recorded: path, ID: "bell"}
	s.Want([]Segment{fire, wordless})
	for _, g := range []Segment{fire, wordless} {
		if hz := pitch(s.clip(g)); hz < 430 || hz > 450 {
			t.Errorf("%s: %.0f Hz", g.ID, hz)
		}
	}
	// Another recording in its place is noticed.
	recording(t, path+".new", 880)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	s.Retry()
	s.until("the new recording", func() bool {
		samples, ok := s.Clip(alert.Russian, "Пожар")
		return ok && pitch(samples) > 860
	})
}

func TestRecordingsThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	text, pipe := filepath.Join(dir, "text.wav"), filepath.Join(dir, "pipe.wav")
	if err := os.WriteFile(text, []byte("not a recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"missing": filepath.Join(dir, "missing.wav"), "text": text, "pipe": pipe, "directory": dir} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{})
			plain := say(alert.Russian, "Пожар")
			g := Segment{Language: alert.Russian, Text: "Пожар", Recorded: path, ID: name}
			only := Segment{Language: alert.Russian, Recorded: path, ID: name + "-only"}
			s.Want([]Segment{g, only})
			spoken := s.clip(g)
			s.until("the conditions", func() bool { return s.told("clip-missing:"+name)() && s.told("clip-missing:"+name+"-only")() })
			if !strings.Contains(s.detail("clip-missing:"+name), "synthesised voice") {
				t.Error(s.detail("clip-missing:" + name))
			}
			s.Want([]Segment{plain})
			s.until("no condition", s.calm)
			if different(spoken, s.clip(plain)) {
				t.Error("what was said in its place is not the text")
			}
			if name != "missing" {
				return
			}
			s.Want([]Segment{g})
			s.until("the condition", s.told("clip-missing:missing"))
			recording(t, path, 440)
			s.Retry()
			s.until("the recording", func() bool {
				samples, ok := s.Clip(alert.Russian, "Пожар")
				return ok && pitch(samples) > 430 && pitch(samples) < 450
			})
			s.until("no condition", s.calm)
		})
	}
}

// What the cache has is said although nobody can speak it any more.
func TestCacheSpeaksForAMissingProgram(t *testing.T) {
	dir := t.TempDir()
	fire := say(alert.Russian, "Пожар")
	first := start(t, Options{Cache: clip.NewCache(dir, 1<<20)})
	first.Want([]Segment{fire})
	spoken := first.clip(fire)
	first.eventually("a file", func() bool { return files(t, dir) == 1 })
	first.stop()

	second := start(t, Options{Program: "/nonexistent", Cache: clip.NewCache(dir, 1<<20)})
	second.Want([]Segment{fire})
	if different(second.clip(fire), spoken) {
		t.Error("it is another sound")
	}
	second.until("the condition", second.told("voice-missing"))
}

// A new version of the synthesiser speaks anew; meanwhile the old clip is said.
func TestNewVersionRendersAnew(t *testing.T) {
	dir := t.TempDir()
	path := program(t, "", `case "$*" in *version*) echo v1;; *) exec espeak-ng "$@";; esac`)
	fire := say(alert.Russian, "Пожар")
	s := start(t, Options{Program: path, Cache: clip.NewCache(dir, 1<<20)})
	s.Want([]Segment{fire})
	old := s.clip(fire)
	program(t, path, `case "$*" in *version*) echo v2;; *) exec espeak-ng -p 90 "$@";; esac`)
	s.Retry()
	s.until("the new sound", func() bool {
		samples, ok := s.Clip(alert.Russian, "Пожар")
		if !ok {
			t.Fatal("meanwhile there is none")
		}
		return different(samples, old)
	})
}

func TestDamagedClipsAreRenderedAnew(t *testing.T) {
	dir := t.TempDir()
	fire := say(alert.Russian, "Пожар")
	run := func() []int16 {
		s := start(t, Options{Cache: clip.NewCache(dir, 1<<20)})
		defer s.stop()
		s.Want([]Segment{fire})
		samples := s.clip(fire)
		s.eventually("a whole file", func() bool {
			_, _, err := clip.NewCache(dir, 1<<20).Get(s.textKey(fire))
			return err == nil
		})
		return samples
	}
	spoken := run()
	list, err := filepath.Glob(filepath.Join(dir, "*.clip"))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	whole, err := os.ReadFile(list[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"cut": whole[:len(whole)/2], "empty": nil, "zeroes": make([]byte, len(whole)),
		"flipped": append(append([]byte(nil), whole[:len(whole)-9]...), 1, 2, 3, 4, 5, 6, 7, 8, 9),
	} {
		if err := os.WriteFile(list[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		if different(run(), spoken) {
			t.Errorf("%s: what is said is damaged", name)
		}
	}
}

func TestCacheThatCannotKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{Cache: clip.NewCache(filepath.Join(file, "clips"), 1<<20)})
	fire := say(alert.Russian, "Пожар")
	s.Want([]Segment{fire})
	s.clip(fire)
	s.until("the condition", s.told("clips-not-kept"))
	s.mu.Lock()
	resting := s.resting
	s.mu.Unlock()
	if !resting {
		t.Error("a disk that refuses is asked without a pause")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.Retry()
	s.until("no condition", s.calm)
	if n := files(t, filepath.Join(file, "clips")); n != 1 {
		t.Errorf("%d files", n)
	}
}

func TestWhatNobodyWantsIsPruned(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Options{Cache: clip.NewCache(dir, 1<<20)})
	a, b := say(alert.Russian, "Пожар"), say(alert.Russian, "Тревога")
	s.Want([]Segment{a, b})
	s.eventually("two files", func() bool { return files(t, dir) == 2 })
	s.Want([]Segment{b})
	s.eventually("one file", func() bool { return files(t, dir) == 1 })
	if _, _, err := clip.NewCache(dir, 1<<20).Get(s.textKey(a)); !errors.Is(err, clip.ErrNotKept) {
		t.Error(err)
	}
	if _, ok := s.Clip(alert.Russian, "Пожар"); ok {
		t.Error("it is still in memory")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := start(t, Options{MemoryLimit: 150_000})
	var list []Segment
	for _, text := range []string{"один", "два", "три", "четыре", "пять", "шесть", "семь"} {
		list = append(list, Segment{Language: alert.Russian, Text: text, Priority: alert.PriorityNotice})
	}
	list = append(list, say(alert.Russian, "Пожар"))
	s.Want(list)
	s.until("what does not fit", func() bool { return s.Stats().Pending == 0 && s.told("clips-left-out")() })
	if st := s.Stats(); st.Bytes > st.Limit || st.Ready == 0 || st.Ready == len(list) {
		t.Errorf("%+v", st)
	}
	if !s.ready(say(alert.Russian, "Пожар"), list[0])() || s.ready(list[6])() {
		t.Error("the least urgent ones should have given way")
	}
	s.Want(list[:1])
	s.until("no condition", s.calm)
}

// However much is asked for, the list keeps its half of the memory.
func TestRequestsDoNotPushOutTheList(t *testing.T) {
	s := start(t, Options{MemoryLimit: 200_000})
	fire := say(alert.Russian, "Пожар")
	s.Want([]Segment{fire})
	s.clip(fire)
	for i := range MaxRequests + 10 {
		s.Request(Segment{Language: alert.Russian, Text: strconv.Itoa(i)})
	}
	s.until("all requests", func() bool { return s.Stats().Pending == 0 })
	if st := s.Stats(); st.Bytes > st.Limit || st.Wanted > MaxRequests+1 {
		t.Errorf("%+v", st)
	}
	if !s.ready(fire)() {
		t.Error("the list was pushed out")
	}
}

// What is looked up is not forgotten for what was asked for later.
func TestRequestsInUseAreNotForgotten(t *testing.T) {
	s := start(t, Options{})
	standing := Segment{Language: alert.Russian, Text: "Собрание в зале"}
	s.clipRequested(standing)
	for i := range 2 * MaxRequests {
		s.Request(Segment{Language: alert.Russian, Text: strconv.Itoa(i)})
		if !s.ready(standing)() {
			t.Fatalf("forgotten after %d others", i+1)
		}
	}
}

// A library without Run answers at once, whatever is asked of it, and stays
// within its bounds.
func TestAnyCallsKeepTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := library(Options{MemoryLimit: 1000}, nil)
		segment := rapid.Custom(func(t *rapid.T) Segment {
			return Segment{
				Language: rapid.SampledFrom(append(alert.Languages(), "")).Draw(t, "language"), Text: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "text"),
				Recorded: rapid.SampledFrom([]string{"", "", "/x", "/y"}).Draw(t, "recorded"), Priority: alert.Priority(rapid.IntRange(0, 4).Draw(t, "priority")),
			}
		})
		t.Repeat(map[string]func(*rapid.T){
			"want":    func(t *rapid.T) { l.Want(rapid.SliceOfN(segment, 0, 6).Draw(t, "list")) },
			"request": func(t *rapid.T) { l.Request(rapid.SliceOfN(segment, 0, 6).Draw(t, "list")...) },
			"retry":   func(*rapid.T) { l.Retry() },
			"made": func(t *rapid.T) {
				l.mu.Lock()
				defer l.mu.Unlock()
				for _, it := range l.items {
					l.setLocked(it, make([]int16, rapid.IntRange(1, 300).Draw(t, "samples")), "maker", clip.Key{1}, true)
					break
				}
			},
			"": func(t *rapid.T) {
				l.mu.Lock()
				defer l.mu.Unlock()
				sum := 0
				for k, it := range l.items {
					sum += 2 * len(it.samples)
					if k != keyOf(it.segment) {
						t.Fatalf("%v is found by %v", it.segment, k)
					}
					if !it.standing && it.asked == 0 {
						t.Fatalf("nobody wants %v", k)
					}
				}
				if sum != l.bytes {
					t.Fatalf("%d bytes, counted %d", sum, l.bytes)
				}
				if sum > 1000 {
					t.Fatalf("%d bytes of 1000", sum)
				}
			},
		})
	})
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"Пожар", "a\x00b", "[[[x]]]", "\xff[[", "[\x00["} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := plain(s)
		if strings.Contains(p, "[[") || strings.ContainsAny(p, "\x00\n\r\x1b") || !strings.HasPrefix(p+" ", strings.ToValidUTF8(p, "?")) {
			t.Fatalf("%q became %q", s, p)
		}
		if plain(p) != p {
			t.Fatalf("%q became %q, and that %q", s, p, plain(p))
		}
	})
}
