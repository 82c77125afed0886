// Package audiotest is a real sound server for tests and figures, with ears: it
// starts PulseAudio with sinks that lead nowhere, records what would be heard,
// and measures it.
package audiotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for what must happen on a machine that is
// slow and busy.
const Patience = 60 * time.Second

// Server is a PulseAudio daemon of its own: its home, its socket, its sinks. Its
// methods may be called from any goroutine, Kill and Restart from one at a time.
type Server struct {
	dir     string
	sinks   []string
	modules []string
	config  string // lines of the server's configuration
	log     logged

	mu   sync.Mutex
	cmd  *exec.Cmd     // guarded by mu
	done chan struct{} // closed when cmd has been waited for; guarded by mu
}

// Start runs a server with null sinks of these names, 48 kHz stereo as most
// cards are, and returns when it answers. Stop it. A name that begins with
// "module-" is loaded as it stands, with its arguments; one with a "=" is a line
// of the server's configuration.
func Start(ctx context.Context, sinks ...string) (*Server, error) {
	// Short, because the path of a socket has at most 107 bytes.
	dir, err := os.MkdirTemp("", "sound")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	for _, sink := range sinks {
		switch {
		case strings.HasPrefix(sink, "module-"):
			s.modules = append(s.modules, sink)
		case strings.Contains(sink, "="):
			s.config += sink + "\n"
		default:
			s.sinks = append(s.sinks, sink)
		}
	}
	if err := s.configure(); err != nil {
		s.Stop()
		return nil, err
	}
	if err := s.Restart(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// configure writes the server's configuration, which takes the place of the
// machine's.
func (s *Server) configure() error {
	if s.config == "" {
		return nil
	}
	return os.WriteFile(s.configFile(), []byte(s.config), 0o600)
}

func (s *Server) configFile() string { return filepath.Join(s.dir, "daemon.conf") }

// Run is Start for a test, which fails when there is no server, and stops it at
// its end.
func Run(t testing.TB, sinks ...string) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	s, err := Start(ctx, sinks...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Address is where the server listens, as PULSE_SERVER has it.
func (s *Server) Address() string { return "unix:" + filepath.Join(s.dir, "socket") }

// Env is the environment of a client of this server: nothing of this machine's
// own sound reaches it.
func (s *Server) Env() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PULSE_") && !strings.HasPrefix(v, "XDG_") && !strings.HasPrefix(v, "DBUS_") && !strings.HasPrefix(v, "HOME=") {
			env = append(env, v)
		}
	}
	return append(env, "LC_ALL=C", "HOME="+s.dir, "XDG_RUNTIME_DIR="+s.dir, "XDG_CONFIG_HOME="+s.dir, "PULSE_SERVER="+s.Address())
}

// Restart kills the server if it runs, starts it and returns when it answers.
func (s *Server) Restart(ctx context.Context) error {
	s.Kill()
	args := []string{"-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--realtime=no", "--high-priority=no",
		"--log-target=stderr", "--log-level=notice",
		"--load=module-native-protocol-unix socket=" + filepath.Join(s.dir, "socket") + " auth-anonymous=1"}
	for _, module := range s.modules {
		args = append(args, "--load="+module)
	}
	for _, sink := range s.sinks {
		args = append(args, "--load="+nullSink(sink))
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "pulseaudio", args...)
	cmd.Env = s.Env()
	if s.config != "" {
		cmd.Env = append(cmd.Env, "PULSE_CONFIG="+s.configFile())
	}
	cmd.Stderr = &s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start pulseaudio (apt install pulseaudio): %w", err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(done)
	}()
	s.mu.Lock()
	s.cmd, s.done = cmd, done
	s.mu.Unlock()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := s.Pactl(ctx, "info")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-done:
			return fmt.Errorf("pulseaudio ended: %s", s.log.String())
		case <-ctx.Done():
			return fmt.Errorf("pulseaudio does not answer: %w: %w: %s", ctx.Err(), err, s.log.String())
		}
	}
}

func nullSink(name string) string { return "module-null-sink rate=48000 channels=2 sink_name=" + name }

// Pactl runs a command on the server and returns what it said.
func (s *Server) Pactl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "pactl", args...)
	cmd.Env = s.Env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pactl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return strings.TrimSpace(string(out)), nil
}

// AddSink makes a null sink and returns the module to unload when it is to go.
func (s *Server) AddSink(ctx context.Context, name string) (module string, err error) {
	return s.Pactl(ctx, append([]string{"load-module"}, strings.Fields(nullSink(name))...)...)
}

// RemoveSink unloads the module of a sink.
func (s *Server) RemoveSink(ctx context.Context, name string) error {
	list, err := s.Pactl(ctx, "list", "short", "modules")
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		if module, rest, _ := strings.Cut(line, "\t"); strings.Contains(rest, "sink_name="+name) {
			_, err := s.Pactl(ctx, "unload-module", module)
			return err
		}
	}
	return errors.New("no sink " + name)
}

// Freeze stops the server as a hang would: it keeps its connections and answers
// nothing. Thaw lets it go on.
func (s *Server) Freeze() error { return s.signal(syscall.SIGSTOP) }

// Thaw ends a Freeze.
func (s *Server) Thaw() error { return s.signal(syscall.SIGCONT) }

// Kill ends the server as a crash would, and returns when it is gone.
func (s *Server) Kill() {
	s.mu.Lock()
	done := s.done
	s.mu.Unlock()
	if done != nil && s.signal(syscall.SIGKILL) == nil {
		<-done
	}
}

// Stop kills the server and removes its home.
func (s *Server) Stop() {
	s.Kill()
	_ = os.RemoveAll(s.dir) // a temporary folder
}

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return errors.New("no server runs")
	}
	select {
	case <-s.done:
		return errors.New("the server has ended")
	default:
		return syscall.Kill(-s.cmd.Process.Pid, sig)
	}
}

// CPU is the processor time that the server has used.
func (s *Server) CPU() (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return 0, errors.New("no server runs")
	}
	return CPU(s.cmd.Process.Pid)
}

// CPU is the processor time that a process has used.
func CPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	var user, system int64
	if len(fields) < 13 {
		return 0, errors.New("a short /proc/PID/stat")
	}
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * time.Second / 100, nil
}

// logged keeps what the server complained about.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
