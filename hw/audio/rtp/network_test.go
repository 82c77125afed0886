package rtp_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"nabat/hw/audio"
	"nabat/hw/audio/rtp"
	"nabat/hw/audio/rtp/rtptest"
)

// inside says that this process is in a network of its own.
const inside = "NABAT_TEST_NETWORK"

// A network interface can only be switched off where nobody else uses it: this
// test runs itself again in a network namespace, which on Linux needs no right
// but that to a user namespace.
func TestInterfaceGoesAndComesBack(t *testing.T) {
	if os.Getenv(inside) == "" {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestInterfaceGoesAndComesBack$", "-test.v", "-test.timeout=80s")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS")) {
			t.Fatalf("in a network of its own: %v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	ip(t, "link", "add", "speakers0", "type", "veth", "peer", "name", "other0")
	ip(t, "addr", "add", "10.77.0.1/24", "dev", "speakers0")
	d := newDriver(t, rtp.Options{Group: "239.255.77.9:5004", Interface: "speakers0", Loop: true})
	if err := d.Check(t.Context()); !errors.Is(err, audio.ErrAbsent) {
		t.Errorf("an interface that is down: %v", err)
	}
	ip(t, "link", "set", "speakers0", "up")
	ip(t, "link", "set", "other0", "up")
	await(t, func() bool { return d.Check(t.Context()) == nil })

	r := rtptest.Listen(t, "239.255.77.9:5004", "speakers0")
	for name, off := range map[string][]string{"switched off": {"link", "set", "speakers0", "down"}, "cable out": {"link", "set", "other0", "down"}} {
		before := len(r.Packets(t))
		s := open(t, d)
		say(t, s, rtptest.Tone(1000, audio.FrameSamples))
		r.Wait(t, before+1)
		ip(t, off...)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var err error
		for err == nil {
			err = s.Write(ctx, make([]int16, audio.FrameSamples))
		}
		if ctx.Err() != nil || !errors.Is(err, audio.ErrAbsent) {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v", name, err)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := d.Open(t.Context()); !errors.Is(err, audio.ErrAbsent) {
			t.Errorf("%s, opened: %v", name, err)
		}
		ip(t, "link", "set", off[2], "up")
		await(t, func() bool { return d.Check(t.Context()) == nil })
		before = len(r.Packets(t))
		s = open(t, d)
		say(t, s, rtptest.Tone(1000, audio.FrameSamples))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		r.Wait(t, before+1)
	}
	ip(t, "link", "del", "speakers0")
	if _, err := d.Open(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an interface that was unplugged: %v", err)
	}
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

func await(t *testing.T, f func() bool) {
	t.Helper()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	deadline := time.After(30 * time.Second)
	for !f() {
		select {
		case <-every.C:
		case <-deadline:
			t.Fatal("it does not become true")
		}
	}
}
