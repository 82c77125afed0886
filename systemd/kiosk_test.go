package systemd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKioskServiceIsVerified(t *testing.T) {
	b, err := os.ReadFile("nabat-kiosk.service")
	if err != nil {
		t.Fatal(err)
	}
	// The compositor need not be installed here; any other program stands in.
	path := filepath.Join(t.TempDir(), "nabat-kiosk.service")
	for _, program := range []string{"/usr/bin/cage ", "/usr/bin/chvt "} {
		installed := bytes.Replace(b, []byte(program), []byte("/bin/true "), 1)
		if bytes.Equal(installed, b) {
			t.Fatalf("the service does not start %s", program)
		}
		b = installed
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(tool(t, "systemd-analyze", "verify", path)) {
		if strings.Contains(line, "nabat") { // other units of this machine may have faults of their own
			t.Error(strings.TrimSpace(line))
		}
	}
}

func TestKioskKeepsItsPromises(t *testing.T) {
	b, err := os.ReadFile("nabat-kiosk.service")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{
		"\nRestart=always\n", "\nStartLimitIntervalSec=0\n", "\nUser=nabat-kiosk\n", "\nPAMName=nabat-kiosk\n", "\nTTYPath=/dev/tty7\n",
		"\nEnvironmentFile=/etc/nabat/kiosk.env\n", " --kiosk ", " --noerrdialogs ", " --disable-pinch ", " --ozone-platform=wayland ",
		"${NABAT_URL}/lobby?screen=${NABAT_SCREEN}\n", "\nRuntimeDirectory=nabat-kiosk\n", "--user-data-dir=/run/nabat-kiosk/profile ", "\nWantedBy=multi-user.target\n",
		"InaccessiblePaths=-/var/lib/nabat ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	// What would let the browser do without its sandbox, or keep it from having one.
	for _, never := range []string{"--no-sandbox", "network-online", "RestrictNamespaces", "NoNewPrivileges=yes", "MemoryDenyWriteExecute", "WatchdogSec"} {
		if strings.Contains(text, never) {
			t.Errorf("%s in the service", never)
		}
	}
	env, err := os.ReadFile("kiosk.env")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"NABAT_URL=", "NABAT_SCREEN=", "CHROMIUM_FLAGS="} {
		if !strings.Contains(string(env), "\n"+name) || !strings.Contains(text, name) {
			t.Errorf("%s is not in both files", name)
		}
	}
	pam, err := os.ReadFile(filepath.Join("pam.d", "nabat-kiosk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"auth     required pam_deny.so", "pam_systemd.so"} {
		if !strings.Contains(string(pam), want) {
			t.Errorf("PAM: no %q", want)
		}
	}
}

func TestKioskSysusers(t *testing.T) {
	path, err := filepath.Abs(filepath.Join("sysusers.d", "nabat-kiosk.conf"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	out := tool(t, "systemd-sysusers", "--root="+root, "--dry-run", path)
	for _, want := range []string{"Creating group 'render'", "Creating user 'nabat-kiosk'"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// Whoever follows the guide word by word ends with the files where they are
// looked for.
func TestKioskGuideInstallsWhereTheFilesAreLookedFor(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "kiosk.md"))
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"systemd/nabat-kiosk.service":         "/usr/lib/systemd/system/nabat-kiosk.service",
		"systemd/sysusers.d/nabat-kiosk.conf": "/usr/lib/sysusers.d/nabat-kiosk.conf",
		"systemd/pam.d/nabat-kiosk":           "/etc/pam.d/nabat-kiosk",
		"systemd/kiosk.env":                   "/etc/nabat/kiosk.env",
		"docs/kiosk.md":                       "/usr/share/doc/nabat/kiosk.md",
	} {
		if !strings.Contains(string(b), "sudo install -D -m 644 "+from+" "+to+"\n") {
			t.Errorf("the guide does not install %s as %s", from, to)
		}
		if _, err := os.Stat(filepath.Join("..", from)); err != nil {
			t.Error(err)
		}
	}
}
