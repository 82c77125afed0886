package sip_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/hw/audio"
	"nabat/hw/audio/rtp/rtptest"
	"nabat/hw/audio/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// phone is sipp, which follows a scenario of testdata and fails when the call
// goes otherwise.
type phone struct {
	cmd      *exec.Cmd
	port     int
	out      bytes.Buffer
	messages string
	ended    chan error
}

// startPhone starts a telephone that wants its sound at that port of 127.0.0.1.
func startPhone(t *testing.T, scenario, transport string, port, sound, other int) *phone {
	t.Helper()
	if port == 0 {
		port = freePort(t, transport)
	}
	p := &phone{port: port, messages: filepath.Join(t.TempDir(), "messages"), ended: make(chan error, 1)}
	mode, table := "u1", "/proc/net/udp"
	if transport == "tcp" {
		mode, table = "t1", "/proc/net/tcp"
	}
	p.cmd = exec.Command("sipp", "-sf", filepath.Join("testdata", scenario+".xml"), "-i", "127.0.0.1", "-p", fmt.Sprint(port), "-t", mode,
		"-m", "1", "-aa", "-nostdin", "-timeout", "80s", "-trace_msg", "-message_file", p.messages,
		"-key", "soundport", fmt.Sprint(sound), "-key", "otherport", fmt.Sprint(other))
	p.cmd.Env = append(os.Environ(), "TERM=dumb")
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if p.ended != nil {
			<-p.ended
		}
	})
	await(t, func() bool {
		select {
		case err := <-p.ended:
			p.ended = nil
			t.Fatalf("sipp: %v\n%s", err, tail(p.out.String(), 2000))
		default:
		}
		open, err := os.ReadFile(table)
		return err == nil && bytes.Contains(open, fmt.Appendf(nil, ":%04X 00000000:0000", port))
	})
	return p
}

// done waits until the call has gone as the scenario says.
func (p *phone) done(t *testing.T) {
	t.Helper()
	select {
	case err := <-p.ended:
		p.ended = nil
		if err != nil {
			t.Fatalf("the telephone: %v\n%s\n%s", err, p.heard(), tail(p.out.String(), 3000))
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("the telephone is still waiting\n%s", p.heard())
	}
}

// kill switches the telephone off.
func (p *phone) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
	p.ended = nil
}

// heard returns the messages that went to and fro.
func (p *phone) heard() string {
	b, _ := os.ReadFile(p.messages)
	return string(b)
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func freePort(t *testing.T, transport string) int {
	t.Helper()
	if transport == "tcp" {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port
	}
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

func await(t *testing.T, f func() bool) {
	t.Helper()
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	deadline := time.After(60 * time.Second)
	for !f() {
		select {
		case <-every.C:
		case <-deadline:
			t.Fatal("it does not become true")
		}
	}
}

// driver returns a driver for a telephone, which must leave nothing behind.
func driver(t *testing.T, port int, o sip.Options) *sip.Driver {
	t.Helper()
	o.URI = fmt.Sprintf("sip:500@127.0.0.1:%d", port)
	d, err := sip.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func say(t *testing.T, s audio.Stream, samples []int16) {
	t.Helper()
	ctx := soon(t)
	for len(samples) > 0 {
		n := min(audio.FrameSamples, len(samples))
		if err := s.Write(ctx, samples[:n]); err != nil {
			t.Fatal(err)
		}
		samples = samples[n:]
	}
	if err := s.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

// secret writes a password file.
func secret(t *testing.T, password string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func contains(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
}

// heardClip checks that a sound came whole and in order.
func heardClip(t *testing.T, packets []rtptest.Packet, clip []int16) {
	t.Helper()
	if err := rtptest.Order(packets); err != nil {
		t.Error(err)
	}
	want := rtptest.Thirds(clip)
	if alike, _ := rtptest.Correlation(rtptest.Sound(packets), want[100:len(want)-100]); alike < 0.99 {
		t.Errorf("what came is alike to %.4f", alike)
	}
}
