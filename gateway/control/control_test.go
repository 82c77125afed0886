package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errJammed = errors.New("the spring is jammed")

// wall presses nothing: the simulated board stands in another room, which this
// one may not know. It remembers what it was asked for.
type wall struct {
	mu      sync.Mutex
	presses []string
	pressed chan struct{} // receives for each press that begins, when not nil
}

func (w *wall) Press(ctx context.Context, point string, hold time.Duration) error {
	w.mu.Lock()
	w.presses = append(w.presses, fmt.Sprint(point, " ", hold))
	w.mu.Unlock()
	if w.pressed != nil {
		w.pressed <- struct{}{}
	}
	switch point {
	case "button-x":
		return ErrUnknownPoint
	case "button-jammed":
		return errJammed
	case "button-slow":
		return ErrNotSaved
	}
	held := time.NewTimer(hold)
	defer held.Stop()
	select {
	case <-held.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run starts s and returns after its socket answers.
func run(t *testing.T, s *Server) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	for {
		c, err := net.Dial("unix", s.opt.Path)
		if err == nil {
			_ = c.Close()
			return stop
		}
		select {
		case err := <-done:
			t.Fatalf("Run = %v", err)
		case <-deadline.C:
			t.Fatalf("the socket does not answer: %v", err)
		case <-retry.C:
		}
	}
}

func server(t *testing.T, p Presser) *Server {
	return NewServer(Options{Path: filepath.Join(t.TempDir(), SocketName), Status: busyDay, Presser: p})
}

func TestStatusOverTheSocket(t *testing.T) {
	s := server(t, nil)
	stop := run(t, s)
	got, err := NewClient(s.opt.Path).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, busyDay()) {
		t.Errorf("got %+v", got)
	}
	info, err := os.Stat(s.opt.Path)
	if err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	files, err := os.ReadDir(filepath.Dir(s.opt.Path))
	if err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestPress(t *testing.T) {
	var log bytes.Buffer
	w := &wall{}
	s := server(t, w)
	s.opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	stop := run(t, s)
	c := NewClient(s.opt.Path)
	begin := time.Now()
	if err := c.Press(t.Context(), "button-204", 30*time.Millisecond); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d < 30*time.Millisecond {
		t.Errorf("returned after %v, before the button was released", d)
	}
	if err := c.Press(t.Context(), "button-204", 0); err != nil {
		t.Error(err)
	}
	if err := c.Press(t.Context(), "button-x", 0); !errors.Is(err, ErrUnknownPoint) || err.Error() != `press "button-x": the gateway says: no such button` {
		t.Errorf("unknown button: %v", err)
	}
	if err := c.Press(t.Context(), "button-jammed", 0); err == nil || err.Error() != `press "button-jammed": the gateway says: the spring is jammed` {
		t.Errorf("jammed button: %v", err)
	}
	if err := c.Press(t.Context(), "button-slow", 0); !errors.Is(err, ErrNotSaved) || !strings.Contains(err.Error(), "nabat status") {
		t.Errorf("press that is not saved: %v", err)
	}
	for name, err := range map[string]error{
		"negative hold": c.Press(t.Context(), "button-204", -time.Second),
		"endless hold":  c.Press(t.Context(), "button-204", time.Hour),
		"no point":      c.Press(t.Context(), "", 0),
	} {
		if !errors.Is(err, errRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := strings.Join(w.presses, ", "); got != "button-204 30ms, button-204 0s, button-x 0s, button-jammed 0s, button-slow 0s" {
		t.Errorf("presses: %s", got)
	}
	if n := strings.Count(log.String(), "pressed by command"); n != 3 {
		t.Errorf("%d presses in the log: %s", n, log.String())
	}
}

func TestRealBoardRefusesPresses(t *testing.T) {
	s := server(t, nil)
	run(t, s)
	err := NewClient(s.opt.Path).Press(t.Context(), "button-204", 0)
	if !errors.Is(err, ErrRealBoard) || !strings.Contains(err.Error(), "press them by hand") {
		t.Errorf("got %v", err)
	}
}

// A press that is held longer than a request may take to arrive is not cut off.
func TestHoldOutlastsTheReadLimit(t *testing.T) {
	s := server(t, &wall{})
	s.readLimit = 50 * time.Millisecond
	run(t, s)
	if err := NewClient(s.opt.Path).Press(t.Context(), "button-204", 400*time.Millisecond); err != nil {
		t.Error(err)
	}
}

func TestPressIsReleasedWhenThePeerGoes(t *testing.T) {
	w := &wall{pressed: make(chan struct{}, 1)}
	s := server(t, w)
	run(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- NewClient(s.opt.Path).Press(ctx, "button-204", LongestHold) }()
	<-w.pressed
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// The seat of the press is free again as soon as the button is released.
	within(t, "release", func() bool { return len(s.presses) == 0 })
}

func TestStopReleasesPresses(t *testing.T) {
	w := &wall{pressed: make(chan struct{}, 1)}
	s := server(t, w)
	stop := run(t, s)
	done := make(chan error, 1)
	go func() { done <- NewClient(s.opt.Path).Press(context.Background(), "button-204", LongestHold) }()
	<-w.pressed
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("the press was reported as done")
	}
}

func TestTooManyPresses(t *testing.T) {
	w := &wall{pressed: make(chan struct{}, maxPresses)}
	s := server(t, w)
	run(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range maxPresses {
		group.Go(func() { _ = NewClient(s.opt.Path).Press(ctx, "button-204", LongestHold) })
	}
	for range maxPresses {
		<-w.pressed
	}
	if err := NewClient(s.opt.Path).Press(ctx, "button-204", 0); !errors.Is(err, errBusy) {
		t.Errorf("got %v", err)
	}
	if _, err := NewClient(s.opt.Path).Status(ctx); err != nil {
		t.Errorf("no status beside the presses: %v", err)
	}
	cancel()
	group.Wait()
}

// Peers that connect and say nothing keep nobody out for longer than a moment.
func TestSilentPeersAreSentAway(t *testing.T) {
	s := server(t, nil)
	s.readLimit = 100 * time.Millisecond
	run(t, s)
	for range 2 * maxPeers {
		c, err := net.Dial("unix", s.opt.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	if _, err := NewClient(s.opt.Path).Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	s := server(t, &wall{})
	run(t, s)
	for name, tt := range map[string]struct {
		request string
		want    int
	}{
		"unknown key":     {post(`{"point":"b","hold":3}`), http.StatusBadRequest},
		"two requests":    {post(`{"point":"b"}{"point":"b"}`), http.StatusBadRequest},
		"long body":       {post(`{"point":"b"` + strings.Repeat(" ", maxRequest) + `}`), http.StatusBadRequest},
		"no body":         {post(""), http.StatusBadRequest},
		"wrong method":    {"GET /v1/press HTTP/1.1\r\nHost: nabat\r\nConnection: close\r\n\r\n", http.StatusMethodNotAllowed},
		"unknown address": {"GET /v2/status HTTP/1.1\r\nHost: nabat\r\nConnection: close\r\n\r\n", http.StatusNotFound},
		"endless header":  {"GET /v1/status HTTP/1.1\r\nHost: nabat\r\nX: " + strings.Repeat("x", 16<<10) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("unix", s.opt.Path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if _, err := io.WriteString(c, tt.request); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			if resp.StatusCode != tt.want {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.want)
			}
		})
	}
}

func post(body string) string {
	return fmt.Sprintf("POST /v1/press HTTP/1.1\r\nHost: nabat\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func TestNoGateway(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	if _, err := NewClient(path).Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no socket: %v", err)
	}
	leaveSocket(t, path)
	if err := NewClient(path).Press(t.Context(), "b", 0); !errors.Is(err, ErrNotRunning) {
		t.Errorf("socket of a dead gateway: %v", err)
	}
}

// leaveSocket leaves a socket behind as a killed process does.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSocketOfADeadGatewayIsReplaced(t *testing.T) {
	s := server(t, nil)
	leaveSocket(t, s.opt.Path)
	leaveSocket(t, s.opt.Path+".new")
	// run sees the old socket refuse, and then the new one answer.
	run(t, s)
	if _, err := NewClient(s.opt.Path).Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSocketOfALivingGatewayIsKept(t *testing.T) {
	first := server(t, nil)
	run(t, first)
	second := NewServer(first.opt)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := second.Run(ctx); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), first.opt.Path) {
		t.Errorf("Run = %v", err)
	}
	if _, err := NewClient(first.opt.Path).Status(t.Context()); err != nil {
		t.Errorf("the first gateway lost its socket: %v", err)
	}
}

func TestStopLeavesTheSocketOfAnother(t *testing.T) {
	s := server(t, nil)
	stop := run(t, s)
	if err := os.Remove(s.opt.Path); err != nil {
		t.Fatal(err)
	}
	other := NewServer(s.opt)
	run(t, other)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := NewClient(s.opt.Path).Status(t.Context()); err != nil {
		t.Errorf("the other gateway lost its socket: %v", err)
	}
}

func TestPathsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ path, want string }{
		"file in its place": {file, "no socket is in its place"},
		"too long":          {filepath.Join(dir, strings.Repeat("x", 100)), "choose a shorter data_dir"},
		"no directory":      {filepath.Join(dir, "none", SocketName), "data_dir"},
	} {
		if err := NewServer(Options{Path: tt.path, Status: quietDay}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file is %q, %v", b, err)
	}
	if _, err := os.Lstat(file + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// A stranger's answer is bounded and cleaned before it is shown.
func TestStrangeAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	answer := ""
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, answer)
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	defer func() { _ = srv.Close(); <-served }()
	c := NewClient(path)
	for name, tt := range map[string]struct{ answer, status, press string }{
		"endless":      {strings.Repeat("x", maxResponse+1), "longer than", "longer than"},
		"not JSON":     {"hello", "not understood", "the gateway says: 418 I'm a teapot"},
		"escape codes": {`{"error":"\u001b[2Jgone"}`, "", "the gateway says: [2Jgone"},
	} {
		answer = tt.answer
		if _, err := c.Status(t.Context()); (err == nil) != (tt.status == "") || err != nil && !strings.Contains(err.Error(), tt.status) {
			t.Errorf("%s: Status: %v", name, err)
		}
		if err := c.Press(t.Context(), "b", 0); err == nil || !strings.HasSuffix(err.Error(), tt.press) && !strings.Contains(err.Error(), tt.press) {
			t.Errorf("%s: Press: %v", name, err)
		}
	}
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("no %s within 20 s", what)
		case <-retry.C:
		}
	}
}
