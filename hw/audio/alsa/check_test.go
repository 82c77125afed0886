package alsa

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestTheCardIsReadFromTheName(t *testing.T) {
	for name, want := range map[string]struct {
		card   string
		device int
	}{
		"hw:0":                        {"0", -1},
		"plughw:1,3":                  {"1", 3},
		"plughw:CARD=Headphones":      {"Headphones", -1},
		"hw:CARD=vc4hdmi,DEV=0":       {"vc4hdmi", 0},
		"sysdefault:CARD=PCH":         {"PCH", -1},
		"dmix:PCH,0":                  {"PCH", -1},
		"hdmi:CARD=vc4hdmi,DEV=1":     {"vc4hdmi", -1},
		"front:CARD=PCH,DEV=0":        {"PCH", -1},
		"surround51:CARD=PCH,DEV=0":   {"PCH", -1},
		"default:CARD=PCH":            {"PCH", -1},
		"default":                     {},
		"tape":                        {},
		"tee:plughw:0,/tmp/x,raw":     {},
		"plughw:../../etc":            {},
		"plughw:":                     {},
		"plughw:CARD=,DEV=0":          {},
		"plug:'dmix:PCH'":             {},
		"plughw:SLAVE=hw,CARD=x/../y": {},
	} {
		card, device, ok := cardOf(name)
		if ok != (want.card != "") || ok && (card != want.card || device != want.device) {
			t.Errorf("%s: got %q, %d, %v; want %q, %d", name, card, device, ok, want.card, want.device)
		}
	}
}

func FuzzDeviceName(f *testing.F) {
	f.Add("plughw:CARD=Headphones,DEV=0")
	f.Add("hw:1,2,3,4,5")
	f.Fuzz(func(t *testing.T, name string) {
		if card, _, ok := cardOf(name); ok && (card == "" || strings.ContainsAny(card, "/.*?[\x00")) {
			t.Fatalf("%q leads to the card %q", name, card)
		}
	})
}

// TestACardThatGoesIsNoticedWithoutOpeningIt has files in place of the kernel's:
// this machine need have no sound card. The guest kernel has one.
func TestACardThatGoesIsNoticedWithoutOpeningIt(t *testing.T) {
	k := kernel{proc: t.TempDir(), dev: t.TempDir()}
	d := New(Options{Device: "plughw:CARD=Headphones"})
	d.kernel = k
	absent(t, d.Check(within(t)), "plug it in", "plughw:CARD=Headphones", "aplay -L")
	insert := func() {
		t.Helper()
		for _, err := range []error{
			os.Mkdir(filepath.Join(k.proc, "card2"), 0o755),
			os.Symlink("card2", filepath.Join(k.proc, "Headphones")),
			os.WriteFile(filepath.Join(k.dev, "pcmC2D0p"), nil, 0o600),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	insert()
	for _, name := range []string{"plughw:CARD=Headphones", "hw:2,0", "sysdefault:2"} {
		d := New(Options{Device: name})
		d.kernel = k
		if err := d.Check(within(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := New(Options{Device: "plughw:2,1"})
	other.kernel = k
	absent(t, other.Check(within(t)), "aplay -l")
	for _, path := range []string{filepath.Join(k.proc, "Headphones"), filepath.Join(k.proc, "card2"), filepath.Join(k.dev, "pcmC2D0p")} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	absent(t, d.Check(within(t)), "plug it in")
	insert()
	if err := d.Check(within(t)); err != nil {
		t.Error(err)
	}
}

// startOrphan starts this test's program as the one that dies, kills it when its
// aplay runs, and returns the number of aplay.
func startOrphan(t *testing.T) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(within(t), self)
	cmd.Env = append(os.Environ(), "NABAT_TEST_ORPHAN=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the program said %q: %v", line, readErr)
	}
	return pid
}
