// Package brokertest runs Debian's real mosquitto on a free port of loopback,
// for tests that stop it, kill it, freeze it and refuse it things.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Options says how the broker behaves.
type Options struct {
	// Users maps users to passwords; nil allows everyone.
	Users map[string]string
	// TLS makes the broker listen with TLS and ask for client certificates.
	TLS *Authority
	// ServerValid bounds the broker's certificate; zero means a day around now.
	ServerValid [2]time.Time
	// Keeps makes the broker write its sessions and retained messages to a file
	// as it stops, and read them as it starts, as dispatch's does.
	Keeps bool
	// Extra holds further lines of the configuration.
	Extra []string
}

// Broker is one mosquitto. Its methods are for the test's goroutine.
type Broker struct {
	tb   testing.TB
	dir  string
	port int
	cmd  *exec.Cmd
	log  *os.File
}

// Start starts a broker and waits until it listens. It ends with the test. A
// missing mosquitto fails the test: nothing else can stand in for it.
func Start(tb testing.TB, o Options) *Broker {
	tb.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		tb.Fatalf("mosquitto is missing: run: apt-get install mosquitto")
	}
	b := &Broker{tb: tb, dir: tb.TempDir(), port: freePort(tb)}
	lines := []string{
		fmt.Sprintf("persistence %t", o.Keeps), "max_queued_messages 0", "max_inflight_messages 0",
		"set_tcp_nodelay true", "log_type error", "log_type warning", "log_type notice",
		fmt.Sprintf("listener %d 127.0.0.1", b.port),
	}
	if o.Keeps {
		lines = append(lines, "persistence_location "+b.dir+"/")
	}
	if os.Geteuid() == 0 {
		// Otherwise it would change to a user who cannot read the test's files.
		lines = append(lines, "user root")
	}
	if o.Users == nil {
		lines = append(lines, "allow_anonymous true")
	} else {
		lines = append(lines, "allow_anonymous false", "password_file "+b.path("passwords"))
		b.writePasswords(o.Users)
	}
	if o.TLS != nil {
		valid := o.ServerValid
		if valid == ([2]time.Time{}) {
			valid = Day()
		}
		b.Certify(o.TLS, valid)
		lines = append(lines, "cafile "+o.TLS.File, "certfile "+b.path("cert"), "keyfile "+b.path("key"), "require_certificate true")
	}
	b.write("mosquitto.conf", strings.Join(append(lines, o.Extra...), "\n")+"\n")
	tb.Cleanup(b.Kill)
	b.Restart()
	return b
}

// freePort finds a port that the kernel does not give to outgoing connections:
// one of them could take it while the broker is down.
func freePort(tb testing.TB) int {
	tb.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close() // only its number is wanted
			return port
		}
	}
	tb.Fatal("no free port was found")
	return 0
}

func (b *Broker) path(name string) string { return filepath.Join(b.dir, name) }

func (b *Broker) write(name, text string) {
	b.tb.Helper()
	if err := os.WriteFile(b.path(name), []byte(text), 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

func (b *Broker) writePasswords(users map[string]string) {
	b.tb.Helper()
	var text strings.Builder
	for user, password := range users {
		fmt.Fprintf(&text, "%s:%s\n", user, password)
	}
	b.write("passwords", text.String())
	if out, err := exec.CommandContext(b.tb.Context(), "mosquitto_passwd", "-U", b.path("passwords")).CombinedOutput(); err != nil {
		b.tb.Fatalf("mosquitto_passwd: %v: %s (run: apt-get install mosquitto)", err, out)
	}
}

// Certify gives the broker a certificate of other dates; it counts from the
// next Restart.
func (b *Broker) Certify(a *Authority, valid [2]time.Time) {
	b.tb.Helper()
	cert, key := a.Issue(b.tb, "127.0.0.1", valid)
	for from, to := range map[string]string{cert: b.path("cert"), key: b.path("key")} {
		if err := os.Rename(from, to); err != nil {
			b.tb.Fatal(err)
		}
	}
}

// SetUsers replaces the users; those who are connected may stay.
func (b *Broker) SetUsers(users map[string]string) {
	b.tb.Helper()
	b.writePasswords(users)
	b.signal(syscall.SIGHUP)
}

// Addr returns host:port.
func (b *Broker) Addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

// Restart starts the broker again, after Stop or Kill, on the same port, with
// every session and retained message gone, unless it keeps them.
func (b *Broker) Restart() {
	b.tb.Helper()
	if b.cmd != nil {
		b.Stop()
	}
	log, err := os.OpenFile(b.path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.tb.Fatal(err)
	}
	// The broker outlives the test's context, which ends before the cleanups:
	// what stops with the test still wants to say goodbye.
	cmd := exec.CommandContext(context.Background(), "mosquitto", "-c", b.path("mosquitto.conf"))
	cmd.Stdout, cmd.Stderr = log, log
	// A test binary that dies must not leave a broker behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		b.tb.Fatalf("start mosquitto: %v", err)
	}
	b.cmd, b.log = cmd, log
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", b.Addr())
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			b.tb.Fatalf("mosquitto does not listen on %s:\n%s", b.Addr(), b.Log())
		}
	}
}

// Stop ends the broker in order.
func (b *Broker) Stop() { b.finish(syscall.SIGTERM) }

// Kill ends the broker with SIGKILL, frozen or not. What it would have kept is lost.
func (b *Broker) Kill() { b.finish(syscall.SIGKILL) }

// Freeze stops the process; its sockets stay, and the kernel acknowledges what
// they receive.
func (b *Broker) Freeze() { b.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (b *Broker) Thaw() { b.signal(syscall.SIGCONT) }

func (b *Broker) signal(s syscall.Signal) {
	b.tb.Helper()
	if b.cmd == nil {
		b.tb.Fatalf("the broker does not run")
	}
	if err := b.cmd.Process.Signal(s); err != nil {
		b.tb.Fatalf("signal mosquitto: %v", err)
	}
}

func (b *Broker) finish(s syscall.Signal) {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Signal(s)
	var exit *exec.ExitError
	if err := b.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		b.tb.Errorf("wait for mosquitto: %v", err)
	}
	_ = b.log.Close()
	b.cmd = nil
}

// Log returns what the broker wrote.
func (b *Broker) Log() string {
	text, err := os.ReadFile(b.path("log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
