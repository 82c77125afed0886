package guest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Target is a machine to build for. The zero Target is the guest itself.
type Target struct {
	// Arch and ARM are GOARCH and GOARM.
	Arch, ARM string
}

// Build compiles a package of this module, without cgo, to the file out.
// flags are further ones of go build.
func (t Target) Build(ctx context.Context, out, pkg string, flags ...string) error {
	return t.compile(ctx, append(append([]string{"build", "-trimpath", "-o", out}, flags...), pkg)...)
}

// BuildTest compiles the tests of a package, with a build tag, to the file out.
func (t Target) BuildTest(ctx context.Context, out, pkg, tag string) error {
	return t.compile(ctx, "test", "-c", "-trimpath", "-tags", tag, "-o", out, pkg)
}

func (t Target) compile(ctx context.Context, args ...string) error {
	root, err := Checkout()
	if err != nil {
		return err
	}
	arch := t.Arch
	if arch == "" {
		arch = "amd64"
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOARM="+t.ARM)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go %s for %s%s: %w\n%s", strings.Join(args, " "), arch, t.ARM, err, out)
	}
	return nil
}
