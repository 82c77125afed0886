package systemd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDispatchServiceIsVerifiedAndHardened(t *testing.T) {
	b, err := os.ReadFile("nabat-dispatch.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program is not installed here; any other stands in for its path.
	path := filepath.Join(t.TempDir(), "nabat-dispatch.service")
	installed := bytes.Replace(b, []byte("/usr/bin/nabat-dispatch "), []byte("/bin/true "), 1)
	if bytes.Equal(installed, b) {
		t.Fatal("the service does not start /usr/bin/nabat-dispatch")
	}
	if err := os.WriteFile(path, installed, 0o644); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(tool(t, "systemd-analyze", "verify", path)) {
		if strings.Contains(line, "nabat") { // other units of this machine may have faults of their own
			t.Error(strings.TrimSpace(line))
		}
	}
	// The exit status says whether the exposure is at most 2.0 of 10.
	tool(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", "./nabat-dispatch.service")
}
