package clock

import (
	"os"
	"path/filepath"
	"testing"
)

func TestABatteryClockIsOneThatTheKernelBelievedAtBoot(t *testing.T) {
	for content, want := range map[string]bool{"1\n": true, "0\n": false, "": false} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "rtc0"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "rtc0", "hctosys"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := battery(dir); got != want {
			t.Errorf("%q: %v", content, got)
		}
	}
	if battery(t.TempDir()) {
		t.Error("a machine without any has one")
	}
}
