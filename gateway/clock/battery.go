package clock

import (
	"os"
	"path/filepath"
	"strings"
)

// Battery reports whether the kernel set the wall clock from a battery clock at
// boot, so that it is right although nothing has synchronised it yet.
func Battery() bool { return battery("/sys/class/rtc") }

func battery(dir string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "rtc*", "hctosys"))
	if err != nil {
		return false
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(b)) == "1" {
			return true
		}
	}
	return false
}
