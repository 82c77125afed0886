// Package systemd tests the files that put the gateway on a machine, with
// systemd's own tools.
package systemd

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/supervise"
)

// tool runs one of systemd's tools; without it the test fails, because then
// nothing was proven.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: install the package systemd", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// unit reads the service: key to its values in the order of the file.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("nabat.service")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(key, "#") {
			values[key] = append(values[key], value)
		}
	}
	return values
}

func TestServiceIsVerified(t *testing.T) {
	b, err := os.ReadFile("nabat.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program is not installed here; any other stands in for its path.
	path := filepath.Join(t.TempDir(), "nabat.service")
	installed := bytes.Replace(b, []byte("/usr/bin/nabat "), []byte("/bin/true "), 1)
	if bytes.Equal(installed, b) {
		t.Fatal("the service does not start /usr/bin/nabat")
	}
	if err := os.WriteFile(path, installed, 0o644); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(tool(t, "systemd-analyze", "verify", path)) {
		if strings.Contains(line, "nabat") { // other units of this machine may have faults of their own
			t.Error(strings.TrimSpace(line))
		}
	}
}

func TestServiceIsHardened(t *testing.T) {
	// The exit status says whether the exposure is at most 2.5 of 10.
	tool(t, "systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", "./nabat.service")
}

func TestServiceKeepsItsPromises(t *testing.T) {
	u := unit(t)
	for key, want := range map[string]string{
		"Type":                  "notify",
		"Restart":               "always",
		"StartLimitIntervalSec": "0", // gives up never
		"User":                  "nabat",
		"StateDirectory":        "nabat",
		"DevicePolicy":          "closed",
		"DeviceAllow":           "char-gpiochip rw | char-alsa rw | char-i2c rw | char-spi rw | char-fb rw | char-ttyUSB rw | char-ttyACM rw",
		"ExecStart":             "/usr/bin/nabat run --config /etc/nabat/nabat.toml",
	} {
		if got := strings.Join(u[key], " | "); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	for _, key := range []string{"WatchdogSec", "MemoryMax", "TimeoutStopSec"} {
		if len(u[key]) != 1 {
			t.Errorf("%s is missing", key)
		}
	}
	// Beyond the jobs' own limit the process closes files and writes its last lines.
	if stop, err := time.ParseDuration(strings.Join(u["TimeoutStopSec"], " ")); err != nil || stop < supervise.StopLimit+10*time.Second {
		t.Errorf("TimeoutStopSec=%s (%v): stopping every job in turn takes up to %v", u["TimeoutStopSec"], err, supervise.StopLimit)
	}
	for _, target := range []string{"network-online", "time-sync"} {
		for _, key := range []string{"After", "Wants", "Requires"} {
			if strings.Contains(strings.Join(u[key], " "), target) {
				t.Errorf("%s waits for %s: a gateway must work without it", key, target)
			}
		}
	}
	if _, ok := u["PrivateDevices"]; ok {
		t.Error("PrivateDevices hides the GPIO chips")
	}
	if _, ok := u["ProtectClock"]; ok {
		t.Error("ProtectClock forbids to ask whether the clock is synchronised")
	}
}

// What the program needs of the kernel is allowed after all filters were applied in their order.
func TestServiceAllowsWhatTheProgramCalls(t *testing.T) {
	allowed := map[string]bool{}
	for _, value := range unit(t)["SystemCallFilter"] {
		list, deny := strings.CutPrefix(value, "~")
		for word := range strings.FieldsSeq(list) {
			for _, call := range expand(t, word) {
				allowed[call] = !deny
			}
		}
	}
	for _, call := range strings.Fields(`
		adjtimex clock_adjtime clock_gettime nanosleep futex mmap munmap mprotect madvise
		clone clone3 exit_group rt_sigaction rt_sigreturn sigaltstack tgkill getrandom sched_yield
		openat read write pread64 pwrite64 close fstat newfstatat lseek fsync fdatasync ftruncate fallocate
		fcntl flock unlinkat renameat fchmodat mkdirat getdents64 statfs ioctl
		epoll_create1 epoll_ctl epoll_pwait eventfd2 pipe2
		socket connect bind listen accept4 getsockopt setsockopt getsockname getpeername sendto recvfrom recvmsg sendmsg shutdown`) {
		if !allowed[call] {
			t.Errorf("the filter forbids %s", call)
		}
	}
	for _, call := range []string{"settimeofday", "clock_settime", "mount", "ptrace", "init_module", "setuid", "reboot"} {
		if allowed[call] {
			t.Errorf("the filter allows %s", call)
		}
	}
}

// expand lists the system calls of a group, which may hold groups.
func expand(t *testing.T, word string) []string {
	t.Helper()
	if !strings.HasPrefix(word, "@") {
		return []string{word}
	}
	var calls []string
	for line := range strings.Lines(tool(t, "systemd-analyze", "--no-pager", "syscall-filter", word)) {
		line = strings.TrimSpace(line)
		if line == "" || line == word || strings.HasPrefix(line, "#") {
			continue
		}
		calls = append(calls, expand(t, line)...)
	}
	if len(calls) == 0 {
		t.Fatalf("%s holds nothing", word)
	}
	return calls
}

func TestSysusers(t *testing.T) {
	path, err := filepath.Abs(filepath.Join("sysusers.d", "nabat.conf"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	out := tool(t, "systemd-sysusers", "--root="+root, "--dry-run", path)
	for _, want := range []string{"Creating group 'gpio'", "Creating group 'nabat'", "Creating user 'nabat'"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// Whoever follows the top README word by word ends with the program and the
// files where systemd looks for them.
func TestREADMEInstallsWhereTheFilesAreLookedFor(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	installed := map[string]string{} // by what it is made of
	for line := range strings.Lines(string(b)) {
		if words := strings.Fields(line); len(words) == 7 && slices.Equal(words[:4], []string{"sudo", "install", "-D", "-m"}) {
			installed[words[5]] = words[6]
		}
	}
	program := strings.Fields(strings.Join(unit(t)["ExecStart"], " "))
	if len(program) != 4 {
		t.Fatalf("ExecStart=%q", program)
	}
	for from, to := range map[string]string{
		"dist/nabat-linux-arm64":           program[0],
		"systemd/nabat.service":            "/usr/lib/systemd/system/nabat.service",
		"systemd/sysusers.d/nabat.conf":    "/usr/lib/sysusers.d/nabat.conf",
		"systemd/tmpfiles.d/nabat.conf":    "/usr/lib/tmpfiles.d/nabat.conf",
		"systemd/udev/60-nabat-gpio.rules": "/usr/lib/udev/rules.d/60-nabat-gpio.rules",
	} {
		if installed[from] != to {
			t.Errorf("README installs %s as %q, want %s", from, installed[from], to)
		}
	}
	if len(installed) != 5 {
		t.Errorf("README installs %v", installed)
	}
	if !strings.Contains(string(b), "nabat config init | sudo tee "+program[3]+" ") {
		t.Errorf("README does not write the configuration to %s", program[3])
	}
}

// There is no tool on every Debian that checks tmpfiles and udev rules without
// acting on them, so their lines are read here.
func TestLinesOfTheOtherFiles(t *testing.T) {
	for path, want := range map[string][]string{
		filepath.Join("tmpfiles.d", "nabat.conf"): {"d /etc/nabat 0750 root nabat -", "z /etc/nabat/* 0640 root nabat -"},
		filepath.Join("udev", "60-nabat-gpio.rules"): {`SUBSYSTEM=="gpio", KERNEL=="gpiochip[0-9]*", GROUP="gpio", MODE="0660"`,
			`SUBSYSTEM=="i2c-dev", KERNEL=="i2c-[0-9]*", GROUP="i2c", MODE="0660"`, `SUBSYSTEM=="spidev", KERNEL=="spidev[0-9]*", GROUP="spi", MODE="0660"`},
	} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				got = append(got, line)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
}
