// Package guest boots a Linux kernel with virtual GPIO lines and disks under
// QEMU, for tests of the parts that touch hardware. A test names programs and
// a script; both run in the guest, and the guest's console streams back.
package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Job is one boot of a guest.
type Job struct {
	// Modules are kernel modules to load before Script, by name, with what
	// they need. The list at the top of prepare.sh says which there are.
	Modules []string
	// Files travel into the guest; see Program, File and Text.
	Files []Entry
	// Script is run by busybox's sh with all its applets on the path, /proc,
	// /sys, /dev and configfs mounted, and lo up. Its exit status is the
	// guest's; then the guest powers off.
	Script string
	// MemoryMiB is 256 when zero.
	MemoryMiB int
	// QEMU holds further arguments, such as drives.
	QEMU []string
}

// ExitError says that the guest's script ended with a status other than 0.
type ExitError struct{ Status int }

func (e *ExitError) Error() string {
	return fmt.Sprintf("the guest's script ended with status %d", e.Status)
}

// ErrNoEnd is wrapped when a guest stopped before its script ended: a kernel
// panic, a triple fault, or QEMU's own death.
var ErrNoEnd = errors.New("the guest stopped before its script ended")

// Boot runs one guest from power-on to power-off and hands each line of its
// console to line, in the caller's goroutine. It returns nil when the script
// ended with status 0. Ending ctx is a power cut: QEMU is killed at once, the
// lines that it had printed are still delivered, and ctx's cause is returned.
func (k *Kit) Boot(ctx context.Context, job Job, line func(string)) error {
	dir, err := os.MkdirTemp("", "nabat-guest-")
	if err != nil {
		return fmt.Errorf("make a place for the guest's files: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary folder harms nobody
	initrd := filepath.Join(dir, "initramfs")
	if err := k.writeInitramfs(initrd, job); err != nil {
		return err
	}
	memory := job.MemoryMiB
	if memory == 0 {
		memory = 256
	}
	// One CPU: with two, gpio-sim's interrupts merge edges. TCG: hardware
	// virtualisation is absent or broken on many build machines.
	args := []string{
		"-M", "pc", "-cpu", "max", "-accel", "tcg", "-smp", "1", "-m", strconv.Itoa(memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", k.path("vmlinux"), "-initrd", initrd,
		"-append", "console=ttyS0 quiet panic=-1 mitigations=off",
	}
	cmd := exec.CommandContext(ctx, qemu, append(args, job.QEMU...)...)
	cmd.WaitDelay = 5 * time.Second
	// A guest must not outlive a test that is killed. The kernel ties it to the
	// thread that started it, which this goroutine therefore keeps.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("console of %s: %w", qemu, err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", qemu, err)
	}
	status, ended := 0, false
	console := bufio.NewScanner(out)
	console.Buffer(nil, 1<<20)
	for console.Scan() {
		text := strings.TrimRight(console.Text(), "\r")
		if s, ok := exitStatus(text); ok {
			status, ended = s, true
			continue
		}
		line(text)
	}
	waited := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case console.Err() != nil:
		return fmt.Errorf("read the guest's console: %w", console.Err())
	case !ended:
		return fmt.Errorf("%w: %s: %w: %s", ErrNoEnd, qemu, waited, strings.TrimSpace(complaint.String()))
	case status != 0:
		return &ExitError{Status: status}
	}
	return nil
}

// exitMark precedes the script's exit status on the console; init.sh prints it.
const exitMark = "NABAT-GUEST-EXIT "

// exitStatus reads the line that init prints last. Kernel messages may stand
// before it on the same line.
func exitStatus(text string) (status int, ok bool) {
	_, after, found := strings.Cut(text, exitMark)
	if !found {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(after))
	if err != nil || n < 0 || n > 255 {
		return 0, false
	}
	return n, true
}
