package alsa

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/hw/audio"
	"nabat/hw/audio/audiotest"
)

func TestMain(m *testing.M) {
	if os.Getenv("NABAT_TEST_ORPHAN") != "" {
		if err := orphan(); err != nil {
			fmt.Println(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), audiotest.Patience)
	t.Cleanup(cancel)
	return ctx
}

// soon is a bound that a device which hangs is to reach.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// tape makes ALSA know the device "tape", which writes what it plays to the
// file that is returned, as fast as it comes.
func tape(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	file, config := filepath.Join(dir, "tape.raw"), filepath.Join(dir, "asound.conf")
	text := fmt.Sprintf("pcm.tape { type file\n slave.pcm { type null }\n file %q\n format raw }\n", file)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ALSA_CONFIG_PATH", config)
	return file
}

func open(t *testing.T, d *Driver) *stream {
	t.Helper()
	s, err := d.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*stream)
}

func say(t *testing.T, s audio.Stream, sound []int16) {
	t.Helper()
	for len(sound) > 0 {
		n := min(len(sound), audio.FrameSamples)
		if err := s.Write(within(t), sound[:n]); err != nil {
			t.Fatal(err)
		}
		sound = sound[n:]
	}
}

// onTape fails unless the tape holds the sound and nothing else but the silence
// that fills the last period.
func onTape(t *testing.T, file string, sound []int16) {
	t.Helper()
	var want bytes.Buffer
	if err := binary.Write(&want, binary.LittleEndian, sound); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(got, want.Bytes()) {
		t.Fatalf("the tape has %d bytes that are not the %d of the sound", len(got), want.Len())
	}
	if rest := bytes.Trim(got[want.Len():], "\x00"); len(rest) > 0 {
		t.Errorf("%d bytes follow the sound on the tape", len(rest))
	}
}

func freeze(t *testing.T, s *stream) {
	t.Helper()
	if err := syscall.Kill(s.player.cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there was no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error %q does not say %q", err, word)
		}
	}
}

func absent(t *testing.T, err error, words ...string) {
	t.Helper()
	if !errors.Is(err, audio.ErrAbsent) {
		t.Fatalf("got %v; want an error that the output is absent", err)
	}
	says(t, err, words...)
}

func TestEverySampleArrivesOnce(t *testing.T) {
	file := tape(t)
	s := open(t, New(Options{Device: "tape"}))
	first, second := audiotest.Rustle(1, 700*time.Millisecond), audiotest.Rustle(2, 333*time.Millisecond)
	say(t, s, first)
	if err := s.Drain(within(t)); err != nil {
		t.Fatal(err)
	}
	onTape(t, file, first)
	say(t, s, second) // a Drain is no end; the tape begins anew
	if err := s.Drain(within(t)); err != nil {
		t.Fatal(err)
	}
	onTape(t, file, second)
}

func TestFlushDropsWhatWaits(t *testing.T) {
	file := tape(t)
	s := open(t, New(Options{Device: "tape"}))
	freeze(t, s)
	if err := s.Write(within(t), audiotest.Rustle(1, audio.Frame)); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	urgent := audiotest.Rustle(2, 100*time.Millisecond)
	say(t, s, urgent)
	if err := s.Drain(within(t)); err != nil {
		t.Fatal(err)
	}
	onTape(t, file, urgent)
}

func TestAHungDeviceTakesLittleAndHoldsNobody(t *testing.T) {
	tape(t)
	d := New(Options{Device: "tape"})
	late := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v; want an error that the time is over", what, err)
			return
		}
		says(t, err, "hangs")
	}
	s := open(t, d)
	freeze(t, s)
	frame := audiotest.Sine(440, audio.Frame)
	taken := 0
	for {
		if err := s.Write(soon(t), frame); err != nil {
			late("Write", err)
			break
		}
		taken += 2 * len(frame)
	}
	if taken > pipeBytes {
		t.Errorf("a device that plays nothing took %d bytes, %d ms of sound; want %d at most", taken, taken/48, pipeBytes)
	}
	late("Drain", s.Drain(soon(t)))
	pid := s.player.cmd.Process.Pid
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("aplay lives on after Close: %v", err)
	}
	say(t, open(t, d), frame) // it comes back
}

func TestCloseEndsAWriteThatWaits(t *testing.T) {
	tape(t)
	s := open(t, New(Options{Device: "tape"}))
	freeze(t, s)
	ctx := within(t)
	ended := make(chan error, 1)
	go func() {
		frame := audiotest.Sine(440, audio.Frame)
		for {
			if err := s.Write(ctx, frame); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write ended by its own bound only: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAplayThatDiesIsAnErrorAndIsStartedAnew(t *testing.T) {
	file := tape(t)
	d := New(Options{Device: "tape"})
	s := open(t, d)
	say(t, s, audiotest.Sine(440, 100*time.Millisecond))
	if err := syscall.Kill(s.player.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	frame := audiotest.Sine(440, audio.Frame)
	var err error
	for err == nil {
		err = s.Write(within(t), frame)
	}
	says(t, err, "tape")
	if err := s.Drain(within(t)); err == nil {
		t.Error("what was lost is said to have sounded")
	}
	s.Close()
	again := open(t, d)
	sound := audiotest.Rustle(3, 100*time.Millisecond)
	say(t, again, sound)
	if err := again.Drain(within(t)); err != nil {
		t.Fatal(err)
	}
	onTape(t, file, sound)
}

func TestWhatIsAbsentIsSaidToBe(t *testing.T) {
	nobody := New(Options{Program: filepath.Join(t.TempDir(), "aplay")})
	absent(t, nobody.Check(within(t)), "apt install alsa-utils")
	_, err := nobody.Open(within(t))
	absent(t, err, "apt install alsa-utils")
	absent(t, New(Options{Program: "nabat-has-no-such-player"}).Check(within(t)), "apt install alsa-utils")

	_, err = New(Options{Device: "plughw:CARD=NoSuch"}).Open(within(t))
	absent(t, err, "plughw:CARD=NoSuch", "aplay -L")
	absent(t, New(Options{Device: "plughw:CARD=NoSuch"}).Check(within(t)), "plughw:CARD=NoSuch", "aplay -L")

	file := tape(t)
	absent(t, New(Options{Device: "gym"}).Check(within(t)), "gym", "aplay -L")
	d := New(Options{Device: "tape"})
	if err := d.Check(within(t)); err != nil {
		t.Error(err)
	}
	if played, err := os.ReadFile(file); len(played) > 0 {
		t.Errorf("a look at the device played %d bytes to it: %v", len(played), err)
	}
}

// orphan opens a stream and waits to be killed. In place of aplay it has a
// program that takes no notice of the end of its input, as aplay does when its
// device hangs: no real device hangs on demand.
func orphan() error {
	dir, err := os.MkdirTemp("", "orphan")
	if err != nil {
		return err
	}
	program := filepath.Join(dir, "aplay")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho 'Playing raw data' >&2\nexec sleep 1000\n"), 0o700); err != nil {
		return err
	}
	s, err := New(Options{Device: "null", Program: program}).Open(context.Background())
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	fmt.Println(s.(*stream).player.cmd.Process.Pid)
	_, err = os.Stdin.Read(make([]byte, 1))
	return err
}

func TestAplayNeverOutlivesUs(t *testing.T) {
	pid := startOrphan(t)
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }() // when the test fails
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx := within(t)
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		// Dead and not yet collected by whoever is its parent now is dead.
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("aplay %d lives on: %s", pid, stat)
		}
	}
}

func TestWhatAplaySaysIsUnderstood(t *testing.T) {
	for _, c := range []struct {
		says      string
		means     error
		words     string
		underruns uint64
	}{
		{"Playing raw data 'stdin' : Signed 16 bit Little Endian, Rate 24000 Hz, Mono\nunderrun!!! (at least 1.5 ms long)\nunderrun!!! (at least 12.000 ms long)\n", nil, "none", 2},
		{"ALSA lib pcm.c:2666:(snd_pcm_open_noupdate) Unknown PCM foo\naplay: main:831: audio open error: No such file or directory\n", errNoDevice, "audio open error", 0},
		{"aplay: main:831: audio open error: Device or resource busy", errBusy, "busy", 0},
		{"aplay: set_params:1352: Sample format non available\nAvailable formats:\n- S32_LE\n", errShape, "Sample format", 0},
		{"aplay: set_params:1358: Channels count non available", errShape, "Channels", 0},
		{"aplay: main:831: audio open error: Permission denied\n", errDenied, "Permission", 0},
		{"aplay: pcm_write:2145: write error: No such device\n", errNoDevice, "write error", 0},
		{"aplay: pcm_write:2127: write error: File descriptor in bad state\n", errNoDevice, "bad state", 0},
		{"aplay: something else\n", errOther, "something else", 0},
	} {
		var underruns atomic.Uint64
		n := newNotes(&underruns)
		if _, err := n.Write([]byte(c.says)); err != nil {
			t.Fatal(err)
		}
		said := n.or("none")
		if !strings.Contains(said, c.words) || !errors.Is(n.why(), c.means) || underruns.Load() != c.underruns {
			t.Errorf("%q is read as %q, %v, %d underruns", c.says, said, n.why(), underruns.Load())
		}
	}
}

func FuzzNotes(f *testing.F) {
	f.Add([]byte("Playing raw data\nunderrun!!!\naplay: main:831: audio open error: No such file or directory\n"), 7)
	f.Add(bytes.Repeat([]byte("x"), 3*lineBytes), 1)
	f.Fuzz(func(t *testing.T, said []byte, split int) {
		var whole, parts atomic.Uint64
		a, b := newNotes(&whole), newNotes(&parts)
		_, _ = a.Write(said)
		for rest := said; len(rest) > 0; {
			n := max(1, min(len(rest), split))
			_, _ = b.Write(rest[:n])
			rest = rest[n:]
		}
		if a.or("") != b.or("") || whole.Load() != parts.Load() {
			t.Fatalf("%q: in one piece %q, %d; in parts %q, %d", said, a.or(""), whole.Load(), b.or(""), parts.Load())
		}
		if len(a.or("")) > 4*lineBytes {
			t.Fatalf("%d bytes are kept", len(a.or("")))
		}
	})
}
