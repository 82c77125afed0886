package supervise

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"nabat/gateway/health"
)

// The whole conversation with the service manager over a real socket.
func TestNotifySocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt((40*time.Millisecond).Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))

	notify, watchdog, err := Systemd()
	if err != nil || watchdog != 40*time.Millisecond {
		t.Fatalf("watchdog %v, %v", watchdog, err)
	}
	var reg health.Registry
	g := New(Options{Health: &reg, Notify: notify, Watchdog: watchdog})
	pulse := reg.Pulse("engine", time.Hour)
	g.Essential("engine", Started(until))
	stop, _ := start(g)
	next := func() string {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, err := socket.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	expect := func(want string, except ...string) {
		t.Helper()
		for {
			got := next()
			if got == want {
				return
			}
			for _, e := range except {
				if got == e {
					t.Fatalf("got %q before %q", got, want)
				}
			}
		}
	}
	expect("READY=1", "STOPPING=1\nWATCHDOG=1")
	expect("WATCHDOG=1")
	// A second job registers a pulse and never beats: no pet may follow.
	stalling := reg.Pulse("journal", time.Nanosecond)
	expect("STATUS=no progress: journal")
	pulse.Beat()
	silence := time.Now()
	for range 5 {
		if err := socket.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		if n, err := socket.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %q, %v although a job is stalled", b[:n], err)
		}
	}
	if time.Since(silence) < watchdog {
		t.Error("did not wait long enough to prove the silence")
	}
	stalling.Beat()
	done := make(chan error, 1)
	go func() { done <- stop() }()
	expect("STOPPING=1\nWATCHDOG=1")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	notify, watchdog, err := Systemd()
	if err != nil || watchdog != 0 || notify("READY=1") != nil {
		t.Errorf("watchdog %v, %v", watchdog, err)
	}
	g := New(Options{Notify: notify})
	g.Essential("engine", Started(func(context.Context) error { return errBroken }))
	if err := g.Run(context.Background()); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

func TestDeadNotifySocketDoesNotHurt(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	notify, _, err := Systemd()
	if err != nil {
		t.Fatal(err)
	}
	if notify("READY=1") == nil {
		t.Error("a socket that is not there took a message")
	}
	g := New(Options{Notify: notify})
	ready := make(chan struct{})
	g.Essential("engine", func(ctx context.Context, r func()) error { r(); close(ready); return until(ctx) })
	stop, _ := start(g)
	<-ready
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestBadWatchdogSettings(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "soon")
	if _, _, err := Systemd(); err == nil {
		t.Error("accepted")
	}
}
