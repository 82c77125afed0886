//go:build guest

package guest

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOtherProcessorsKeepAJournal runs the journal's code, built without cgo
// for each processor that boards have, through QEMU's user emulation.
func TestOtherProcessorsKeepAJournal(t *testing.T) {
	for _, p := range []struct {
		name   string
		target Target
		runner []string
	}{
		{"armv6 of the first Pi and the Zero", Target{Arch: "arm", ARM: "6"}, []string{"qemu-arm-static", "-cpu", "arm1176"}},
		{"arm64 of the Pi 3 and later", Target{Arch: "arm64"}, []string{"qemu-aarch64-static"}},
		{"amd64", Target{Arch: "amd64"}, nil},
	} {
		t.Run(p.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "journalload")
			if err := p.target.Build(t.Context(), program, "./hw/guest/cmd/journalload"); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
			defer stop()
			command := append(p.runner, program, "roundtrip", t.TempDir())
			if len(p.runner) > 0 {
				file, err := Find(p.runner[0])
				if err != nil {
					t.Fatal(err)
				}
				command[0] = file
			}
			start := time.Now()
			out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
			text := string(out)
			if err != nil || strings.Contains(text, "DAMAGED") {
				t.Fatalf("%v: %s", err, text)
			}
			if n := strings.Count(text, "VERIFIED"); n != 2 || !strings.Contains(text, "FOUND second 200") {
				t.Fatalf("%d verifications, want 2: %s", n, text)
			}
			t.Logf("wrote 400 records and verified them twice in %v", time.Since(start).Round(time.Millisecond))
		})
	}
}
