//go:build guest

package guest

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nabat/hw/board/boardtest"
)

// TestWallOverTheKernelsPins runs the test body of the simulated wall over the
// pins of a real kernel.
func TestWallOverTheKernelsPins(t *testing.T) {
	kit, err := Prepare(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "walltest")
	if err := (Target{}).BuildTest(t.Context(), program, "./hw/guest/gpiosim", "inguest"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	passed := make(map[string]bool)
	err = kit.Boot(ctx, Job{
		Modules: []string{"gpio_sim"},
		Files:   []Entry{Program(program, "walltest")},
		Script:  "walltest -test.v -test.timeout 4m",
	}, func(line string) {
		t.Log(line)
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- PASS: TestKernelWall/"); ok {
			name, _, _ = strings.Cut(name, " ")
			passed[strings.ReplaceAll(name, "_", " ")] = true
		}
	})
	if err != nil {
		t.Error(err)
	}
	for _, c := range boardtest.Cases() {
		if !passed[c.Name] {
			t.Errorf("not passed: %s", c.Name)
		}
	}
}
