package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nabat/gateway/control"
)

// TestServiceManagerIsTold runs the real binary under a service manager's
// socket: ready when the buttons are armed, a sign of life while all essential
// jobs get on, and a word before it stops.
func TestServiceManagerIsTold(t *testing.T) {
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, "")
	socket := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := startUnready(t, path, dir, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=1000000")
	told := func(want string) {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		var heard []string
		for buf := make([]byte, 4096); ; {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("the service manager never heard %s, only %q: %v\n%s", want, heard, err, p.log)
			}
			heard = append(heard, string(buf[:n]))
			if strings.Contains(string(buf[:n]), want) {
				return
			}
		}
	}
	told("READY=1")
	p.waitFor(t, "an armed button", func(s control.Status) bool { return len(s.Points) > 0 && s.Points[0].Armed })
	told("WATCHDOG=1")
	told("WATCHDOG=1")
	p.stop(t)
	told("STOPPING=1")
}
