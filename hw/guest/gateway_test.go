//go:build guest

package guest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestGatewayHearsEveryPress runs the real `nabat run` in a guest, between the
// kernel's GPIO lines and Debian's mosquitto. The program cmd/wall in the guest
// presses and compares; NABAT_WALL_ARGS gives it other arguments, such as
// "-presses 50 -seed 7".
func TestGatewayHearsEveryPress(t *testing.T) {
	kit, err := Prepare(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	nabat, wall := filepath.Join(dir, "nabat"), filepath.Join(dir, "wall")
	for out, pkg := range map[string]string{nabat: "./cmd/nabat", wall: "./hw/guest/cmd/wall"} {
		if err := (Target{}).Build(t.Context(), out, pkg); err != nil {
			t.Fatal(err)
		}
	}
	files, err := WithLibraries(t.Context(), "mosquitto")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, Program(nabat, "nabat"), Program(wall, "wall"),
		// mosquitto looks its user up.
		Text("/etc/passwd", "root:x:0:0:root:/:/bin/sh\n"), Text("/etc/group", "root:x:0:\n"))
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Minute)
	defer stop()
	scenes, failed := 0, ""
	err = kit.Boot(ctx, Job{
		Modules:   []string{"gpio_sim"},
		Files:     files,
		MemoryMiB: 512,
		Script:    "wall " + os.Getenv("NABAT_WALL_ARGS"),
	}, func(line string) {
		t.Log(line)
		switch {
		case strings.HasPrefix(line, "PASS "):
			scenes++
		case strings.HasPrefix(line, "FAIL "):
			failed = line
		}
	})
	if err != nil || failed != "" {
		t.Fatalf("%v; %s", err, failed)
	}
	if scenes != 8 {
		t.Errorf("%d scenes were played to their end, want 8", scenes)
	}
}
