package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/pin"
)

// opens reports whether a line that `nabat config pin` printed holds the PIN.
func opens(t *testing.T, said, with string) bool {
	t.Helper()
	hash, ok := strings.CutPrefix(strings.TrimSpace(said), `pin = "`)
	if !ok {
		t.Fatalf("%q is no line for the configuration", said)
	}
	v, err := pin.Parse(strings.TrimSuffix(hash, `"`))
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(with)
}

func TestPINFromAPipe(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "config", "pin")
	cmd.Stdin = strings.NewReader("493817\r\n")
	out, err := cmd.Output()
	if err != nil || !opens(t, string(out), "493817") {
		t.Errorf("%v: %s", err, out)
	}
	cmd = exec.Command(bin, "config", "pin")
	cmd.Stdin = strings.NewReader("4938\n")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "6 to 64") {
		t.Errorf("a short PIN: %v: %s", err, out)
	}
}

// terminal is a pseudo-terminal: the side of the keyboard, and the program's.
func terminal(t *testing.T) (keyboard, program *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	raw, err := keyboard.SyscallConn() // Fd would make reads block for ever
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if outer := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); outer != nil || err != nil {
		t.Fatal(outer, err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	if err := keyboard.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return keyboard, program
}

func echoes(t *testing.T, tty *os.File) bool {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return s.Lflag&unix.ECHO != 0
}

func TestPINAtATerminalIsNotShown(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		typed  []string
		status int
	}{
		{"the same twice", []string{"493817\n", "493817\n"}, exitDone},
		{"not the same", []string{"493817\n", "493818\n"}, exitFailed},
		{"given up", []string{"4938\x03"}, exitFailed}, // Ctrl-C
	} {
		t.Run(c.name, func(t *testing.T) {
			keyboard, program := terminal(t)
			var out strings.Builder
			cmd := exec.Command(bin, "config", "pin")
			cmd.Stdin, cmd.Stderr, cmd.Stdout = program, program, &out
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			screen := bufio.NewReader(keyboard)
			var shown strings.Builder
			for _, answer := range c.typed {
				question, err := screen.ReadString(':')
				if err != nil {
					t.Errorf("no question: %v: %q", err, question)
					break
				}
				shown.WriteString(question)
				if echoes(t, program) {
					t.Error("the terminal shows what is typed")
				}
				if _, err := keyboard.WriteString(answer); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait() // its status is looked at below
			if status := cmd.ProcessState.ExitCode(); status != c.status {
				t.Errorf("status %d, want %d: %s", status, c.status, shown.String())
			}
			if strings.Contains(shown.String(), "4938") {
				t.Errorf("shown: %q", shown.String())
			}
			if !echoes(t, program) {
				t.Error("the terminal stays dumb")
			}
			if c.status == exitDone && !opens(t, out.String(), "493817") {
				t.Errorf("printed: %s", out.String())
			}
		})
	}
}

func TestCheckWarnsOfASimulatedBoard(t *testing.T) {
	_, text, _ := call(t, "config", "init")
	path := filepath.Join(t.TempDir(), "nabat.toml")
	for board, want := range map[string]bool{"sim": true, "gpio": false} {
		if err := os.WriteFile(path, []byte(strings.Replace(text, `board = "sim"`, "board = \""+board+"\"", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		status, _, told := call(t, "config", "check", path)
		if status != exitDone || strings.Contains(told, "no real button") != want {
			t.Errorf("board %s: status %d: %q", board, status, told)
		}
	}
}
