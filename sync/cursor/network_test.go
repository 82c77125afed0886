package cursor

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// TestNetworkWatchHearsTheKernel makes a real interface; it needs root and
// iproute2, as the rest of the hardware tests do.
func TestNetworkWatchHearsTheKernel(t *testing.T) {
	const name, peer = "nabat-w0", "nabat-w1"
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s (run as root, with: apt-get install iproute2)", args, err, out)
		}
	}
	w := NewNetworkWatch()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	_ = exec.Command("ip", "link", "del", name).Run() // left over from a killed run
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", name).Run() })
	heard := func(what string, act func()) {
		t.Helper()
		// The socket may not listen yet the first time: act again until heard.
		deadline := time.After(time.Minute)
		for {
			up := w.Up()
			act()
			select {
			case <-up:
				return
			case err := <-done:
				t.Fatalf("Run ended: %v", err)
			case <-deadline:
				t.Fatalf("not heard: %s", what)
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	ip("link", "add", name, "type", "veth", "peer", "name", peer)
	ip("link", "set", peer, "up")
	heard("a link that goes up", func() {
		ip("link", "set", name, "down")
		ip("link", "set", name, "up")
	})
	heard("an address", func() {
		ip("addr", "replace", "192.0.2.77/32", "dev", name)
		ip("addr", "del", "192.0.2.77/32", "dev", name)
	})
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func FuzzCameUp(f *testing.F) {
	f.Add([]byte{32, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0})
	f.Add([]byte{20, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Fuzz(func(_ *testing.T, b []byte) { cameUp(b) })
}
