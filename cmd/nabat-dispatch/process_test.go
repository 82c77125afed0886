package main

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
	"sync"
	"syscall"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/gateway/pin"
	"nabat/sync/command"
	"nabat/sync/dispatch/store"
)

// patience is how long a test waits for a state that a healthy program reaches
// in well under a second, on a machine that may be busy with other work.
const patience = 90 * time.Second

// binDirectory names the environment variable with the folder of the programs
// under test.
const binDirectory = "NABAT_TEST_BIN"

// binaries builds the real programs once for the tests of the package that run
// them.
var binaries = sync.OnceValues(func() (string, error) {
	dir := os.Getenv(binDirectory)
	cmd := exec.Command("go", "build", "-o", dir, "nabat/cmd/nabat", "nabat/cmd/nabat-dispatch")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nabat-dispatch-test-")
	if err == nil {
		err = os.Setenv(binDirectory, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a test binary ends so
	}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status) //nolint:forbidigo // a test binary ends so
}

// process is one of the programs, running.
type process struct {
	cmd   *exec.Cmd
	log   *logBuffer
	ended chan error
}

func run(t *testing.T, name string, args ...string) *process {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(filepath.Join(dir, name), args...), log: &logBuffer{}, ended: make(chan error, 1)}
	p.cmd.Stderr, p.cmd.Stdout = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	err := <-p.ended
	p.ended <- err
}

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
		t.Fatalf("%s does not stop\n%s", p.cmd.Path, p.log)
	}
}

// waitUntil waits for a state that a test observes.
func waitUntil(t *testing.T, what string, list []*process, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !ok() {
		for _, p := range list {
			if len(p.ended) > 0 {
				t.Fatalf("%s ended while waiting for: %s\n%s", p.cmd.Path, what, p.log)
			}
		}
		select {
		case <-ticker.C:
		case <-deadline:
			for _, p := range list {
				t.Logf("%s:\n%s", filepath.Base(p.cmd.Path), p.log)
			}
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

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

// call runs one command line in this process.
func call(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	status = Main(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// must is a command line that has to succeed.
func must(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	status, out, errs := call(t, args...)
	if status != exitDone {
		t.Fatalf("%v: status %d: %s", args, status, errs)
	}
	return out, errs
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

// begin makes the directory of a new service and returns its configuration.
func begin(t *testing.T, args ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "dispatch")
	must(t, append([]string{"init", "--dir", dir, "--host", "127.0.0.1", "--listen", freeAddress(t), "--broker", freeAddress(t)}, args...)...)
	return filepath.Join(dir, configFile)
}

// school makes the configuration of a gateway with one button, from the lines
// that "gateway add" has printed.
func school(t *testing.T, lines, token, ca string) (config, data string) {
	t.Helper()
	data = t.TempDir()
	hash, err := pin.Hash("482915")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`site = "school-12"
gateway = "main"
name = { ru = "Школа", kk = "Мектеп", en = "School" }
language = "en"
data_dir = %q
board = "sim"
[[place]]
id = "gym"
name = { ru = "Зал", kk = "Зал", en = "Gym" }
[[button]]
id = "gym"
place = "gym"
kind = "intruder"
tap = "emergency"
[web]
listen = %q
pin = %q
[journal]
ballast_mib = 1
`, data, freeAddress(t), hash)
	lines = strings.NewReplacer(tokenPath, token, caPath, ca).Replace(lines)
	config = filepath.Join(data, "nabat.toml")
	if err := os.WriteFile(config, []byte(text+lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, data
}

// truth returns what the lamp shows of the only open alert, or "".
func truth(client *control.Client) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := client.Status(ctx)
	if err != nil || len(s.Alerts) != 1 {
		return ""
	}
	return s.Alerts[0].Truth
}

// press presses a button of a simulated wall. A disk that is busy with other
// things makes it late, and what is waited for afterwards with it.
func press(t *testing.T, client *control.Client, point string) {
	t.Helper()
	if err := client.Press(t.Context(), point, 0); err != nil && !errors.Is(err, control.ErrNotSaved) {
		t.Fatal(err)
	}
}

// TestANewOperatorCanBegin does what the README says: init, gateway add, run,
// and a gateway that is connected over TLS by both links; a press is stored,
// seen, taken, and the lamp shows it.
func TestANewOperatorCanBegin(t *testing.T) {
	config := begin(t)
	dir := filepath.Dir(config)
	token := filepath.Join(t.TempDir(), "token")
	lines, _ := must(t, "gateway", "add", "school-12/main", "--name", "School 12", "-c", config, "--token-file", token)
	gatewayConfig, data := school(t, lines, token, filepath.Join(dir, caFile))
	far := run(t, "nabat-dispatch", "run", "-c", config)
	near := run(t, "nabat", "run", "--config", gatewayConfig)
	both := []*process{far, near}
	client := control.NewClient(filepath.Join(data, control.SocketName))
	waitUntil(t, "armed button", both, func() bool {
		s, err := client.Status(t.Context())
		return err == nil && len(s.Points) == 1 && s.Points[0].Armed
	})
	press(t, client, "gym")
	waitUntil(t, "receipt of dispatch on the lamp", both, func() bool { return truth(client) == alert.TruthReceived.String() })

	// The database is looked at from outside, as the verbs do it.
	s, err := loadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	db, err := openStore(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	open, err := db.OpenAlerts(t.Context())
	if err != nil || len(open) != 1 || open[0].Place.ID != "gym" || open[0].Gateway.String() != "school-12/main" {
		t.Fatalf("open %+v, %v", open, err)
	}
	g := store.Gateway{Site: "school-12", ID: "main"}
	waitUntil(t, "both links at dispatch", both, func() bool {
		info, err := db.GatewayInfo(t.Context(), g)
		return err == nil && info.Online && len(info.Links) == 2
	})
	sign, err := keyring{s.Keys}.signer()
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Issue(t.Context(), g, command.Claims{Verb: command.Acknowledge, Who: "anna", Alert: open[0].ID, Number: open[0].Last.Number}, "anna", sign)
	if err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "word on the lamp that somebody has it", both, func() bool { return truth(client) == alert.TruthAccepted.String() })
	waitUntil(t, "the gateway's answer at dispatch", both, func() bool {
		list, err := db.CommandsOf(t.Context(), g, "", 10)
		return err == nil && len(list) == 1 && list[0].Claims.ID == c.Claims.ID && list[0].State == store.CommandAccepted
	})
	out, _ := must(t, "gateway", "list", "-c", config)
	if !strings.Contains(out, "online") {
		t.Errorf("gateway list:\n%s", out)
	}
	if out, _ = must(t, "status", "-c", config); !strings.Contains(out, "taken") {
		t.Errorf("status:\n%s", out)
	}
	if out, _ = must(t, "export", "csv", "events", "-c", config); !strings.Contains(out, "nabat.alert.raised") {
		t.Errorf("export:\n%s", out)
	}

	// The plug is pulled; what is pressed meanwhile comes when it is back.
	far.kill()
	press(t, client, "gym")
	waitUntil(t, "press that is saved and not more", both, func() bool { return truth(client) == alert.TruthSaved.String() })
	far = run(t, "nabat-dispatch", "run", "-c", config)
	both[0] = far
	waitUntil(t, "receipt after the outage", both, func() bool { return truth(client) == alert.TruthReceived.String() })
	near.stop(t)
	far.stop(t)
}

func TestInitOverwritesNothing(t *testing.T) {
	config := begin(t)
	before, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	status, _, errs := call(t, "init", "--dir", filepath.Dir(config), "--host", "elsewhere.example")
	after, err := os.ReadFile(config)
	if status != exitFailed || err != nil || string(before) != string(after) || !strings.Contains(errs, "nothing was changed") {
		t.Errorf("status %d, %v: %s", status, err, errs)
	}
	for _, secret := range []string{caKeyFile, serverKeyFile, "dispatch.db", configFile} {
		info, err := os.Stat(filepath.Join(filepath.Dir(config), secret))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", secret, info.Mode(), err)
		}
	}
}
