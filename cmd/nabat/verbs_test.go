package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nabat/gateway/control"
)

// call runs one command line.
func call(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	status = Main(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"--help"}, exitDone},
		{[]string{"run", "--help"}, exitDone},
		{[]string{"version"}, exitDone},
		{nil, exitUsage},
		{[]string{"dance"}, exitUsage},
		{[]string{"press"}, exitUsage},
		{[]string{"status", "--data", t.TempDir()}, exitFailed},
		{[]string{"run", "--config", filepath.Join(t.TempDir(), "none.toml")}, exitFailed},
	} {
		if status, _, _ := call(t, c.args...); status != c.want {
			t.Errorf("nabat %v: status %d, want %d", c.args, status, c.want)
		}
	}
}

func TestHelpNamesEveryVerb(t *testing.T) {
	_, help, _ := call(t, "--help")
	for _, verb := range []string{"run", "demo", "config init", "config check", "press", "status", "journal tail", "journal export", "journal verify", "journal cursors"} {
		if !strings.Contains(help, verb) {
			t.Errorf("no %q in the help:\n%s", verb, help)
		}
	}
}

func TestWhatInitPrintsIsGood(t *testing.T) {
	status, text, told := call(t, "config", "init")
	if status != exitDone || !strings.Contains(told, "PIN") {
		t.Fatalf("status %d: %s", status, told)
	}
	path := filepath.Join(t.TempDir(), "nabat.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, said, errs := call(t, "config", "check", path); status != exitDone || !strings.Contains(said, "is good: 1 buttons") {
		t.Errorf("status %d: %s%s", status, said, errs)
	}
}

func TestCheckNamesEveryMistakeWithItsLine(t *testing.T) {
	_, text, _ := call(t, "config", "init")
	text = strings.Replace(text, `board = "sim"`, `bord = "sim"`, 1)
	text = strings.Replace(text, `kind = "intruder"`, `kind = "intruderr"`, 1)
	path := filepath.Join(t.TempDir(), "nabat.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, errs := call(t, "config", "check", path)
	if status != exitFailed || strings.Count(errs, path+":") < 2 || !strings.Contains(errs, `"board"`) || !strings.Contains(errs, "intruder") {
		t.Errorf("status %d:\n%s", status, errs)
	}
}

func TestPressIsRefusedOnARealBoard(t *testing.T) {
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	real := strings.Replace(string(text), `board = "sim"`, "board = \"gpio\"\nchip = \"no-such-chip\"", 1)
	real = strings.Replace(real, `tap = "emergency"`, "tap = \"emergency\"\nline = 1", 1)
	real = strings.Replace(real, "[[lamp]]", "[[lamp]]\nline = 2", 1)
	if err := os.WriteFile(path, []byte(real), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startUnready(t, path, dir)
	s := p.waitFor(t, "the lost chip as a named fault", func(s control.Status) bool { return len(s.Points) == 2 && s.Points[0].Fault == "lost" })
	if s.Points[0].Armed || len(s.Alerts) != 0 {
		t.Errorf("a missing chip is no press and no armed button: %+v", s)
	}
	if status, _, errs := call(t, "press", "a", "--data", dir); status != exitFailed || !strings.Contains(errs, "real") {
		t.Errorf("status %d: %s", status, errs)
	}
}

func TestLocalCommands(t *testing.T) {
	t.Setenv("LC_ALL", "C.UTF-8")
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, "")
	p := start(t, path, dir)
	if status, _, errs := call(t, "press", "nobody", "--data", dir); status != exitFailed || !strings.Contains(errs, "nobody") {
		t.Errorf("status %d: %s", status, errs)
	}
	if said := pressByCommand(t, "a", dir); !strings.Contains(said, "saved") {
		t.Fatalf("a press that is saved is told as %q", said)
	}
	status, said, errs := call(t, "status", "--data", dir, "--json")
	var s control.Status
	if err := json.Unmarshal([]byte(said), &s); status != exitDone || err != nil || len(s.Alerts) != 1 {
		t.Errorf("status %d: %v %s%s", status, err, said, errs)
	}
	if status, said, _ := call(t, "status", "--config", path); status != exitDone || !strings.Contains(said, "Intruder") {
		t.Errorf("status %d: %s", status, said)
	}
	for _, running := range []bool{true, false} {
		if !running {
			p.stop(t)
		}
		for verb, want := range map[string]string{"tail": "alert.raised", "export": `"nabat.alert.raised"`, "verify": "0 damaged, 0 gaps", "cursors": "WAITING"} {
			if status, said, errs := call(t, "journal", verb, "--data", dir); status != exitDone || !strings.Contains(said, want) {
				t.Errorf("journal %s, gateway running %v: status %d: %s%s", verb, running, status, said, errs)
			}
		}
	}
}

func TestVerifySaysThatAFileIsDamaged(t *testing.T) {
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, "")
	p := start(t, path, dir)
	for range 3 {
		p.press(t, "a")
	}
	p.stop(t)
	file := filepath.Join(dir, journalFile)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.ReplaceAll(b, []byte(`"kind":"intruder"`), []byte(`"kind":"intrudeR"`)) // one bit of each row
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	status, said, errs := call(t, "journal", "verify", "--data", dir)
	if status != exitFailed || !strings.Contains(said, "damaged") || strings.Contains(said, "0 damaged") {
		t.Errorf("status %d: %s%s", status, said, errs)
	}
}
