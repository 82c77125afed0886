package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one running program, and its last words.
type process struct {
	name  string
	cmd   *exec.Cmd
	said  *words
	ended chan struct{}
	err   error // valid once ended is closed
}

// words keeps the end of what a program says.
type words struct {
	mu    sync.Mutex // guards the fields below
	b     []byte
	lines int
}

func (w *words) Write(p []byte) (int, error) {
	const most = 64 << 10
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines += bytes.Count(p, []byte("\n"))
	w.b = append(w.b, p...)
	if len(w.b) > most {
		w.b = bytes.Clone(w.b[len(w.b)-most/2:])
	}
	return len(p), nil
}

// count returns how many lines the program has said.
func (w *words) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.b)
}

// tail returns the last lines.
func (w *words) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(w.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// start runs a program until the world ends.
func (w *world) start(name string, env []string, program string, args ...string) (*process, error) {
	p := &process{name: name, said: &words{}, ended: make(chan struct{})}
	p.cmd = exec.Command(program, args...) //nolint:noctx // it is ended by atEnd, gently
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	// Should this program die, it leaves no other behind.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.ended) }()
	w.atEnd(p.kill)
	w.told = append(w.told, func() string { return name + ": " + p.said.tail(8) })
	return p, nil
}

// kill ends the process at once, as a power cut would for it, and waits.
func (p *process) kill() error {
	_ = p.cmd.Process.Kill() // fails only when it has ended already
	<-p.ended
	return nil
}

// stop asks the process to end and waits for it.
func (p *process) stop(ctx context.Context) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended already
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("%s ended badly: %w: %s", p.name, p.err, p.said.tail(5))
		}
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s does not end", p.name), p.kill())
	}
}

// freeze stops the process from running without ending it; thaw goes on.
func (p *process) freeze() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }
func (p *process) thaw() error   { return p.cmd.Process.Signal(syscall.SIGCONT) }

// alive reports whether the process has not ended.
func (p *process) alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s has ended: %w: %s", p.name, p.err, p.said.tail(5))
	default:
		return nil
	}
}

// need finds a program of Debian's, or says how to install it.
func need(program, pkg string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is missing: apt-get install --no-install-recommends %s", program, pkg)
	}
	return path, nil
}

// freeAddress returns a loopback address that nobody listens on. Its port is
// not one of those that the kernel gives to outgoing connections: one of them
// could take it while the program is down.
func freeAddress(ctx context.Context) (string, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))); err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}

// listening waits until somebody accepts connections at an address.
func (w *world) listening(ctx context.Context, p *process, address string) error {
	return w.until(ctx, p.name+" listens on "+address, func() (bool, error) {
		if err := p.alive(); err != nil {
			return false, fmt.Errorf("%w: %w", errWrong, err)
		}
		d := net.Dialer{Timeout: time.Second}
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return false, err
		}
		return true, c.Close()
	})
}

// broker is Debian's mosquitto.
type broker struct {
	*process
	address string
	config  string
	// own is the file with dispatch's password; empty where everybody may come.
	own string
	dir string
}

// Users of a broker with passwords. Dispatch's never changes.
const (
	// brokerLimit is the largest event that the broker takes, in bytes.
	brokerLimit  = 100_000
	brokerUser   = "gateway"
	dispatchUser = "dispatch"
)

// startBroker starts a mosquitto that keeps what it must in memory only, so
// that its death loses everything that it had acknowledged.
func (w *world) startBroker(ctx context.Context, password string) (*broker, error) {
	b := &broker{config: w.path("mosquitto.conf"), dir: w.dir}
	var err error
	if b.address, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(b.address)
	if err != nil {
		return nil, fmt.Errorf("the broker's address: %w", err)
	}
	text := "listener " + port + " 127.0.0.1\nmax_packet_size " + strconv.Itoa(brokerLimit) + "\npersistence false\nmax_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\nlog_type error\nlog_type warning\nlog_type subscribe\nlog_dest stderr\n"
	if os.Geteuid() == 0 {
		text += "user root\n"
	}
	if password == "" {
		text += "allow_anonymous true\n"
	} else {
		text += "allow_anonymous false\npassword_file " + w.path("accounts") + "\n"
		b.own = w.path("dispatch-password")
		if err := errors.Join(os.WriteFile(b.own, []byte("dispatch\n"), 0o600), b.accounts(ctx, password)); err != nil {
			return nil, fmt.Errorf("make accounts: %w", err)
		}
	}
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("configure the broker: %w", err)
	}
	return b, b.again(ctx, w)
}

// accounts writes who may come, with the gateway's password.
func (b *broker) accounts(ctx context.Context, password string) error {
	program, err := need("mosquitto_passwd", "mosquitto")
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "accounts")
	for i, args := range [][]string{{"-b", "-c", file, brokerUser, password}, {"-b", file, dispatchUser, "dispatch"}} {
		if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("make account %d: %w: %s", i+1, err, out)
		}
	}
	return nil
}

// subscriptions counts how often dispatch has asked this process for events.
func (b *broker) subscriptions() int { return strings.Count(b.said.String(), "nabat/1/+/+/event/#") }

// heard waits until dispatch has asked for events once more than it had before.
func (b *broker) heard(ctx context.Context, w *world, before int) error {
	return w.until(ctx, "dispatch listens at the broker", func() (bool, error) { return b.subscriptions() > before, nil })
}

// again starts the broker anew on the same port, with nothing remembered.
func (b *broker) again(ctx context.Context, w *world) error {
	program, err := need("mosquitto", "mosquitto")
	if err != nil {
		return err
	}
	if b.process != nil {
		if err := b.kill(); err != nil {
			return err
		}
	}
	if b.process, err = w.start("mosquitto", nil, program, "-c", b.config); err != nil {
		return err
	}
	return w.listening(ctx, b.process, b.address)
}

// folder makes a folder of the world's.
func (w *world) folder(name string) (string, error) {
	dir := filepath.Join(w.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a folder: %w", err)
	}
	return dir, nil
}
