package guest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	qemu    = "qemu-system-x86_64"
	busybox = "/bin/busybox"
)

// ErrMissing is wrapped by every error about a program that has to be
// installed first; its text holds the command that does so.
var ErrMissing = errors.New("not installed")

// Kit is a prepared kernel with its modules. It may be shared by guests that
// run at the same time.
type Kit struct {
	dir string
	// needs holds for each module the modules that it needs itself.
	needs map[string][]string
}

// Prepare makes sure that a guest kernel is in the cache (the folder named by
// NABAT_GUEST_CACHE, else .cache/guest in the checkout) and returns it. The
// first time takes about 20 s and the network; progress goes to log.
func Prepare(ctx context.Context, log io.Writer) (*Kit, error) {
	for _, program := range []string{"bash", qemu, busybox} {
		if _, err := Find(program); err != nil {
			return nil, err
		}
	}
	root, err := Checkout()
	if err != nil {
		return nil, err
	}
	dir := os.Getenv("NABAT_GUEST_CACHE")
	if dir == "" {
		dir = filepath.Join(root, ".cache", "guest")
	}
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(root, "hw", "guest", "prepare.sh"), dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("prepare the guest's kernel (its own words stand above): %w", err)
	}
	deps, err := os.ReadFile(filepath.Join(dir, "modules", "deps"))
	if err != nil {
		return nil, fmt.Errorf("read the guest's modules: %w (delete %s and run again)", err, dir)
	}
	return &Kit{dir: dir, needs: parseNeeds(deps)}, nil
}

// path returns the place of a file in the cache.
func (k *Kit) path(parts ...string) string {
	return filepath.Join(append([]string{k.dir}, parts...)...)
}

// parseNeeds reads lines of the form "module: what it needs".
func parseNeeds(b []byte) map[string][]string {
	needs := make(map[string][]string)
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		name, rest, ok := strings.Cut(lines.Text(), ":")
		if ok {
			needs[name] = strings.Fields(rest)
		}
	}
	return needs
}

// loadOrder returns the wanted modules and all that they need, needed ones first.
func (k *Kit) loadOrder(wanted []string) ([]string, error) {
	var order []string
	var visit func(name string, depth int) error
	visit = func(name string, depth int) error {
		if slices.Contains(order, name) {
			return nil
		}
		needs, ok := k.needs[name]
		if !ok || depth > len(k.needs) {
			return fmt.Errorf("kernel module %s is not in %s: add it to the list in hw/guest/prepare.sh", name, k.path("modules"))
		}
		for _, n := range needs {
			if err := visit(n, depth+1); err != nil {
				return err
			}
		}
		order = append(order, name)
		return nil
	}
	for _, name := range wanted {
		if err := visit(name, 0); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// Find returns the file of a program (a name on the path or a file), or an
// error that says how to install it.
func Find(program string) (string, error) {
	if file, err := exec.LookPath(program); err == nil {
		return file, nil
	}
	// Daemons and disk tools live where only root's path leads.
	if file, err := exec.LookPath(filepath.Join("/usr/sbin", program)); err == nil {
		return file, nil
	}
	return "", fmt.Errorf("%s: %w: apt-get install -y --no-install-recommends %s", program, ErrMissing, packageOf(program))
}

// packageOf names Debian's package of a program that guests or their tests use.
func packageOf(program string) string {
	switch filepath.Base(program) {
	case qemu:
		return "qemu-system-x86"
	case "busybox":
		return "busybox-static"
	case "qemu-arm-static", "qemu-aarch64-static":
		return "qemu-user-static"
	case "aplay", "arecord":
		return "alsa-utils"
	case "mkfs.ext4":
		return "e2fsprogs"
	case "ldd":
		return "libc-bin"
	case "losetup", "mount", "umount":
		return "mount"
	default:
		return filepath.Base(program)
	}
}

// Checkout returns the folder of this module's go.mod, at or above the
// working directory.
func Checkout() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(b, []byte("module nabat\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod of module nabat at or above %s: run inside the checkout", start)
		}
	}
}
