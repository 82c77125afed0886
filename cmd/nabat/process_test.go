package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/config"
	"nabat/gateway/control"
	"nabat/gateway/pin"
)

// patience is how long a test waits for a state that a healthy program reaches
// in well under a second, on a machine that may be busy with other work.
const patience = 2 * time.Minute

// binDirectory names the environment variable with the folder of the program
// under test.
const binDirectory = "NABAT_TEST_BIN"

// binary builds the real program once for the tests of the package that run it.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.Getenv(binDirectory), "nabat")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build nabat: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nabat-test-")
	if err == nil {
		err = os.Setenv(binDirectory, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a test binary ends so
	}
	// Tests that run beside each other wait for loudspeakers, which take their time,
	// and leave the processors alone meanwhile.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a test binary ends so
	}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status) //nolint:forbidigo // a test binary ends so
}

// testPIN is the staff PIN of every configuration that tests write.
const testPIN = "482915"

var testPINHash = sync.OnceValues(func() (string, error) { return pin.Hash(testPIN) })

// writeConfig writes a configuration of a simulated board with the given
// buttons, each in a place of its own with the kind intruder, a tap being an
// emergency. extra is appended.
func writeConfig(t *testing.T, dir string, buttons []string, extra string) (path, listen string) {
	t.Helper()
	hash, err := testPINHash()
	if err != nil {
		t.Fatal(err)
	}
	listen = freeAddress(t)
	var b strings.Builder
	fmt.Fprintf(&b, `site = "school-12"
gateway = "main"
name = { ru = "Школа", kk = "Мектеп", en = "School" }
language = "en"
data_dir = %q
board = "sim"
`, dir)
	for _, id := range buttons {
		fmt.Fprintf(&b, `
[[place]]
id = "place-%[1]s"
name = { ru = "Место %[1]s", kk = "Орын %[1]s", en = "Place %[1]s" }
[[button]]
id = %[1]q
place = "place-%[1]s"
kind = "intruder"
tap = "emergency"
[[lamp]]
id = "lamp-%[1]s"
place = "place-%[1]s"
`, id)
	}
	fmt.Fprintf(&b, "\n[web]\nlisten = %q\npin = %q\n[journal]\nballast_mib = 1\n%s", listen, hash, extra)
	path = filepath.Join(dir, "nabat.toml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, listen
}

// freeAddress returns a loopback address that nobody listens on. Its port is
// not one of those that the kernel gives to outgoing connections: one of them
// could take it while the program is down.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port was found")
	return ""
}

// process is a running `nabat run`.
type process struct {
	cmd    *exec.Cmd
	client *control.Client
	log    *logBuffer
	ended  chan error
}

// start runs the real binary and waits until every point is armed and the pages,
// which no alarm waits for, can be reached.
func start(t *testing.T, configPath, dir string) *process {
	t.Helper()
	p := startUnready(t, configPath, dir)
	defer p.waitForPages(t, configPath)
	p.waitFor(t, "every point armed", func(s control.Status) bool {
		for _, point := range s.Points {
			if !point.Armed {
				return false
			}
		}
		return len(s.Points) > 0
	})
	return p
}

// waitForPages waits until somebody answers at the pages' address.
func (p *process) waitForPages(t *testing.T, configPath string) {
	t.Helper()
	c, err := config.Load(configPath)
	if err != nil {
		t.Fatal(err)
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		if conn, err := net.Dial("tcp", c.Web.Listen); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-limit.C:
			t.Fatalf("nobody answers at %s\n%s", c.Web.Listen, p.log)
		}
	}
}

// startUnready runs the real binary, with more environment, and waits for nothing.
func startUnready(t *testing.T, configPath, dir string, env ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(path, "run", "--config", configPath), client: control.NewClient(filepath.Join(dir, control.SocketName)), log: &logBuffer{}, ended: make(chan error, 1)}
	p.cmd.Stderr = p.log
	// A test binary that dies must not leave a gateway behind.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Env = append(os.Environ(), env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() { p.kill() })
	return p
}

// waitFor polls the status until ok says so.
func (p *process) waitFor(t *testing.T, what string, ok func(control.Status) bool) control.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	var last control.Status
	var err error
	for {
		var s control.Status
		if s, err = p.client.Status(ctx); err == nil {
			if last = s; ok(s) {
				return s
			}
		}
		select {
		case <-ticker.C:
		case end := <-p.ended:
			p.ended <- end
			t.Fatalf("the gateway ended (%v) while waiting for: %s\n%s", end, what, p.log)
		case <-ctx.Done():
			t.Fatalf("no %s within %v; last status %+v, error %v\n%s", what, patience, last, err, p.log)
		}
	}
}

// press presses a button, and waits until it is saved, however busy the disk is.
func (p *process) press(t *testing.T, point string) {
	t.Helper()
	err := p.client.Press(t.Context(), point, 0)
	switch {
	case errors.Is(err, control.ErrNotSaved):
		untilSaved(t, p.client)
	case err != nil:
		t.Fatal(err)
	}
}

// pressByCommand does the same as a person does it, and returns what is printed.
func pressByCommand(t *testing.T, point, dir string) string {
	t.Helper()
	status, said, errs := call(t, "press", point, "--data", dir)
	switch {
	case strings.Contains(errs, control.ErrNotSaved.Error()):
		untilSaved(t, control.NewClient(filepath.Join(dir, control.SocketName)))
	case status != exitDone:
		t.Fatalf("status %d: %s%s", status, said, errs)
	}
	return said + errs
}

// untilSaved waits until every open alert is on the disk, or further.
func untilSaved(t *testing.T, client *control.Client) {
	t.Helper()
	waitUntil(t, "saved alert", func() bool {
		s, err := client.Status(t.Context())
		return err == nil && !slices.ContainsFunc(s.Alerts, func(a control.Alert) bool { return a.Truth == alert.TruthRaised.String() })
	})
}

// kill ends the process as a power cut would, as far as a process can tell.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	err := <-p.ended
	p.ended <- err
}

// stop ends the process as the service manager does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			t.Fatalf("stopping: %v\n%s", err, p.log)
		}
	case <-time.After(patience):
		t.Fatalf("the gateway does not stop\n%s", p.log)
	}
}

// logBuffer keeps what a process logs.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
