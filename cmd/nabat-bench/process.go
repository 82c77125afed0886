package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"nabat/gateway/control"
	"nabat/gateway/pin"
)

// process is one of the binaries, running.
type process struct {
	cmd   *exec.Cmd
	said  bytes.Buffer // read after it has ended
	ended chan error
	dir   string
}

const settings = `site = %q
gateway = %q
name = { ru = "Школа № 12", kk = "№ 12 мектеп", en = "School No. 12" }
language = "en"
board = "sim"
data_dir = %q
[[place]]
id = "main"
name = { ru = "Главный корпус", kk = "Бас ғимарат", en = "Main building" }
%s
[web]
listen = "127.0.0.1:0"
pin = %q
[mqtt]
url = "mqtt://%s"
receipts = false
`

// configure writes the settings of a gateway with buttons and lamps on a
// simulated board, whose journal stands in dir.
func configure(dir, gateway, brokerAddress string) error {
	hash, err := pin.Hash("493817")
	if err != nil {
		return fmt.Errorf("hash a PIN: %w", err)
	}
	var wall strings.Builder
	for i := range buttons {
		fmt.Fprintf(&wall, "[[place]]\nid = \"room-%d\"\nin = \"main\"\nname = { ru = \"Кабинет %d\", kk = \"%d-кабинет\", en = \"Room %d\" }\n", i, i, i, i)
		fmt.Fprintf(&wall, "[[button]]\nid = \"button-%d\"\nplace = \"room-%d\"\nkind = \"intruder\"\n", i, i)
		fmt.Fprintf(&wall, "[[lamp]]\nid = \"lamp-%d\"\nplace = \"room-%d\"\n", i, i)
	}
	text := fmt.Sprintf(settings, benchSite, gateway, dir, wall.String(), hash, brokerAddress)
	if err := os.WriteFile(configFile(dir), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	return nil
}

func configFile(dir string) string { return filepath.Join(dir, "nabat.toml") }

// startGateway starts the gateway and waits until it is ready: until every
// point is armed. It returns how long that took.
func (b *bench) startGateway(ctx context.Context, dir string) (*process, time.Duration, error) {
	return startProgram(ctx, dir, b.binary, "run", "--config", configFile(dir), "--log", "warn")
}

// startProgram starts a program that keeps its data in dir, and waits until it
// tells its service manager that it is ready. It returns how long that took.
func startProgram(ctx context.Context, dir, program string, args ...string) (p *process, took time.Duration, err error) {
	// An abstract name, as the service manager uses it: a path may be too long.
	name := fmt.Sprintf("@nabat-bench-%d", os.Getpid())
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, 0, fmt.Errorf("listen as a service manager: %w", err)
	}
	defer manager.Close() //nolint:errcheck // nothing was written to it
	p = &process{ended: make(chan error, 1), dir: dir}
	p.cmd = exec.CommandContext(ctx, program, args...)
	p.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+name)
	p.cmd.Stderr = &p.said
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 20 * time.Second
	begun := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("start %s (make build makes it): %w", program, err)
	}
	ready := make(chan error, 1)
	go func() { ready <- hearReady(manager) }()
	go func() { p.ended <- p.cmd.Wait() }()
	select {
	case err = <-ready:
		took = time.Since(begun)
	case end := <-p.ended:
		p.ended <- end
		err = fmt.Errorf("it ended before it was ready: %v", end) //nolint:errorlint // its exit status is only told
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("start %s: %w", program, err), p.stop())
	}
	return p, took, nil
}

// hearReady waits for READY=1.
func hearReady(manager *net.UnixConn) error {
	if err := manager.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return fmt.Errorf("wait for READY=1: %w", err)
	}
	buf := make([]byte, 4096)
	for {
		n, err := manager.Read(buf)
		if err != nil {
			return fmt.Errorf("wait for READY=1: %w", err)
		}
		for l := range strings.SplitSeq(string(buf[:n]), "\n") {
			if l == "READY=1" {
				return nil
			}
		}
	}
}

// stop asks the program to end and waits for it.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended already
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("%s ended badly: %w: %s", filepath.Base(p.cmd.Path), err, strings.TrimSpace(p.said.String()))
		}
		return nil
	case <-time.After(time.Minute):
		return errors.Join(fmt.Errorf("%s does not end", filepath.Base(p.cmd.Path)), p.cmd.Process.Kill())
	}
}

// status asks the gateway how it does.
func (b *bench) status(ctx context.Context, p *process) (s control.Status, err error) {
	out, err := exec.CommandContext(ctx, b.binary, "status", "--json", "--config", configFile(p.dir)).Output()
	if err != nil {
		return s, fmt.Errorf("ask for the status: %w", err)
	}
	if err := json.Unmarshal(out, &s); err != nil {
		return s, fmt.Errorf("read the status: %w", err)
	}
	return s, nil
}

// unarmed returns the points that are not armed, and how many rows wait.
func unarmed(s control.Status) (points []string, depth int64) {
	for _, p := range s.Points {
		if !p.Armed {
			points = append(points, strings.TrimSpace(p.ID+" "+p.Fault+" "+p.Detail))
		}
	}
	if len(s.Points) != 2*buttons {
		points = append(points, fmt.Sprintf("%d points instead of %d", len(s.Points), 2*buttons))
	}
	for _, q := range s.Queue {
		depth += q.Depth
	}
	return points, depth
}

// footprint is what a process holds of the memory, in bytes.
type footprint struct{ now, peak, own int64 }

// memory reads what the kernel says about the process. own is without what
// is a file's: the program itself.
func (p *process) memory() (f footprint, err error) {
	file := fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)
	for name, into := range map[string]*int64{"VmRSS": &f.now, "VmHWM": &f.peak, "RssAnon": &f.own} {
		kb, err := strconv.ParseInt(strings.TrimSuffix(field(file, name), " kB"), 10, 64)
		if err != nil {
			return f, fmt.Errorf("read %s of %s: %w", name, filepath.Base(p.cmd.Path), err)
		}
		*into = kb << 10
	}
	return f, nil
}
