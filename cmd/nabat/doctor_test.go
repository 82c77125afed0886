package main

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nabat/gateway/control"
)

// linesOf returns the lines of a report that begin with a verdict and a word.
func linesOf(report string, v verdict, what string) (list []string) {
	for l := range strings.Lines(report) {
		if rest, ok := strings.CutPrefix(l, string(v)); ok && strings.HasPrefix(strings.TrimSpace(rest), what) {
			list = append(list, strings.TrimSpace(l))
		}
	}
	return list
}

func TestDoctorOfAMachineThatIsWell(t *testing.T) {
	ears, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ears.Close()
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, "[announcements]\nlanguages = [\"en\"]\n"+
		"[[speaker]]\nid = \"yard\"\ntype = \"rtp\"\nrtp = { group = \""+ears.LocalAddr().String()+"\" }\n")
	status, report, errs := call(t, "doctor", "--config", path)
	for range 5 {
		if !strings.Contains(report, "the synthesiser did not answer") {
			break
		}
		// It is the last to get a processor, and on a machine that compiles that may take long.
		status, report, errs = call(t, "doctor", "--config", path)
	}
	if status != exitDone {
		t.Errorf("status %d: %s", status, errs)
	}
	for _, what := range []string{"configuration", "disk", "speaker yard", "voices"} {
		if len(linesOf(report, well, what)) == 0 {
			t.Errorf("nothing good about %s in\n%s", what, report)
		}
	}
	for _, what := range []string{"gateway", "board", "pages"} {
		if len(linesOf(report, doubt, what)) != 1 {
			t.Errorf("no doubt about %s in\n%s", what, report)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".doctor-*")); err != nil || len(left) > 0 {
		t.Errorf("the doctor left %v (%v)", left, err)
	}
}

func TestDoctorNamesWhatIsBrokenAndGoesOn(t *testing.T) {
	closed := freeAddress(t)
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, `
[mqtt]
url = "mqtt://`+closed+`"
username = "gateway"
password_file = "`+filepath.Join(dir, "secret")+`"
[[speaker]]
id = "hall"
type = "rtp"
rtp = { group = "224.0.2.60:50001", interface = "nothing0" }
[announcements]
synthesiser = "/nonexistent/voice"
`)
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("hush-hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), `data_dir = "`+dir+`"`, `data_dir = "`+filepath.Join(dir, "away")+`"`, 1)
	if err := os.WriteFile(path, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	status, report, _ := call(t, "doctor", "--config", path)
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	for what, word := range map[string]string{"disk": "cannot be written", "speaker hall": "nothing0", "voice-missing": "", "broker": closed} {
		if l := linesOf(report, broken, what); len(l) != 1 || !strings.Contains(l[0], word) {
			t.Errorf("about %s: %q in\n%s", what, l, report)
		}
	}
	if strings.Contains(report, "hush") {
		t.Error("a secret is in the report")
	}
}

func TestDoctorAsksTheRunningGateway(t *testing.T) {
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, "[[screen]]\nid = \"lobby\"\n")
	p := start(t, path, dir)
	p.waitFor(t, "the condition of a simulated board", func(s control.Status) bool { return len(s.Conditions) > 0 })
	status, report, _ := call(t, "doctor", "--config", path)
	if status != exitFailed || len(linesOf(report, broken, "board-simulated")) != 1 || len(linesOf(report, well, "gateway")) != 1 {
		t.Errorf("status %d\n%s", status, report)
	}
	if len(linesOf(report, doubt, "screen lobby")) != 1 {
		t.Errorf("nothing about a screen that nobody has opened:\n%s", report)
	}
	p.stop(t)
}

func TestDoctorOfAConfigurationWithMistakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nabat.toml")
	if err := os.WriteFile(path, []byte("site = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, report, errs := call(t, "doctor", "--config", path)
	if status != exitFailed || len(linesOf(report, broken, "configuration")) != 1 || errs != "" {
		t.Errorf("status %d, %s%s", status, report, errs)
	}
}

func TestACertificateThatEndsSoonIsTold(t *testing.T) {
	for days, want := range map[int]verdict{400: well, 3: doubt, -1: broken} {
		c := &x509.Certificate{NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(0, 0, days)}
		if got := expiry("pages", "it", c)[0]; got.verdict != want {
			t.Errorf("%d days: %+v, want %s", days, got, want)
		}
	}
}
