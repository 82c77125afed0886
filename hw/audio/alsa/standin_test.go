package alsa

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nabat/hw/audio/audiotest"
)

// standIn is a program in place of aplay, for what no real device does on demand:
// to hang, or to be busy. It runs in a folder that is returned.
func standIn(t *testing.T, script string) (program, dir string) {
	t.Helper()
	dir = t.TempDir()
	program = filepath.Join(dir, "aplay")
	if err := os.WriteFile(program, fmt.Appendf(nil, "#!/bin/sh\ncd %q\n%s\n", dir, script), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, dir
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ctx := within(t)
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it does not become so: %s", what)
		}
	}
}

// number reads what a stand-in wrote to a file, when it has; at the end of the
// test that process is killed, if it lives.
func number(t *testing.T, file string) int {
	t.Helper()
	pid := 0
	eventually(t, "there is a process in "+file, func() bool {
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(text), "\n") {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	process, err := os.FindProcess(pid) // by a descriptor: its number may have passed on
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Kill()
		_ = process.Release()
	})
	return pid
}

// dead waits for the end of a process. One that nobody has collected yet is dead.
func dead(t *testing.T, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("process %d is dead", pid), func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

// Plugins of ALSA start programs, which hold what aplay held.
func TestWhatAplayStartedEndsWithIt(t *testing.T) {
	program, dir := standIn(t, "sleep 1000 &\necho $! >child\necho 'Playing raw data' >&2\nwait")
	d := New(Options{Device: "null", Program: program})
	for name, end := range map[string]func(*stream) error{"Close": (*stream).Close, "Flush": (*stream).Flush} {
		s := open(t, d)
		child := number(t, filepath.Join(dir, "child"))
		if err := end(s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		dead(t, child)
		if err := os.Remove(filepath.Join(dir, "child")); err != nil {
			t.Fatal(err)
		}
	}
}

// opening has a stream whose player is started anew by a Write and does not open
// its device before somebody writes to the pipe "go". It returns that player and
// what Write will return.
func opening(t *testing.T) (s *stream, dir string, player int, wrote <-chan error) {
	t.Helper()
	program, dir := standIn(t, "if [ -e hang ]; then echo $$ >player; read line <go; fi\necho 'Playing raw data' >&2\nexec sleep 1000")
	if err := unix.Mkfifo(filepath.Join(dir, "go"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, New(Options{Device: "null", Program: program}))
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hang"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, joined, ended := within(t), make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(joined)
		ended <- s.Write(ctx, audiotest.Sine(440, 20*time.Millisecond))
	}()
	t.Cleanup(func() { <-joined })
	return s, dir, number(t, filepath.Join(dir, "player")), ended
}

func TestCloseEndsAnOpeningThatHangs(t *testing.T) {
	s, _, player, wrote := opening(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write ended by its own bound only: %v", err)
	}
	dead(t, player)
}

// Close comes when the device has just been opened, and nobody listens to it any
// more: the player is not left to itself.
func TestCloseAtTheEndOfAnOpeningLeavesNoPlayer(t *testing.T) {
	s, dir, player, wrote := opening(t)
	s.mu.Lock()
	s.over = true // as Close does first
	s.mu.Unlock()
	var pipe *os.File
	eventually(t, "the player waits", func() (open bool) {
		var err error
		pipe, err = os.OpenFile(filepath.Join(dir, "go"), os.O_WRONLY|unix.O_NONBLOCK, 0)
		return err == nil
	})
	defer pipe.Close()
	if _, err := pipe.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; !errors.Is(err, errClosed) {
		t.Errorf("Write: %v", err)
	}
	dead(t, player)
}

// Another program that plays at this moment is no fault of the device: it is
// there, and what is to be said waits for it.
func TestADeviceThatIsBusyIsThere(t *testing.T) {
	program, _ := standIn(t, "echo 'aplay: main:831: audio open error: Device or resource busy' >&2\nexit 1")
	d := New(Options{Device: "gym", Program: program})
	if err := d.Check(within(t)); err != nil {
		t.Errorf("Check: %v", err)
	}
	_, err := d.Open(within(t))
	says(t, err, "another program holds", "gym")
	broken, _ := standIn(t, "echo 'aplay: main:831: audio open error: Input/output error' >&2\nexit 1")
	says(t, New(Options{Device: "gym", Program: broken}).Check(within(t)), "Input/output")
}
