//go:build guest

package guest

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestOtherProcessorsKeepAJournal runs the journal's code and the real binary,
// built without cgo for each processor that boards have, through QEMU's user
// emulation: one writes, closes, reopens and checks a journal, the other has
// the last word on the file.
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
			dir := t.TempDir()
			program, nabat, data := filepath.Join(dir, "journalload"), filepath.Join(dir, "nabat"), filepath.Join(dir, "data")
			for out, pkg := range map[string]string{program: "./hw/guest/cmd/journalload", nabat: "./cmd/nabat"} {
				if err := p.target.Build(t.Context(), out, pkg); err != nil {
					t.Fatal(err)
				}
			}
			ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
			defer stop()
			run := func(args ...string) string {
				command := append(slices.Clone(p.runner), args...)
				file, err := Find(command[0])
				if err != nil {
					t.Fatal(err)
				}
				out, err := exec.CommandContext(ctx, file, command[1:]...).CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
				}
				return string(out)
			}
			start := time.Now()
			text := run(program, "roundtrip", data)
			if n := strings.Count(text, "VERIFIED"); n != 2 || !strings.Contains(text, "FOUND second 200") {
				t.Fatalf("%d verifications, want 2: %s", n, text)
			}
			t.Logf("wrote 400 records and verified them twice in %v", time.Since(start).Round(time.Millisecond))
			t.Log(run(nabat, "journal", "verify", "--file", filepath.Join(data, "journal.db")))
		})
	}
}
