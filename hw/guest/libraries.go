package guest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// WithLibraries returns a dynamically linked program of this machine (a name
// on the path or a file) with its loader and shared libraries, at the same
// places in the guest, and the program also under /bin.
func WithLibraries(ctx context.Context, program string) ([]Entry, error) {
	file, err := Find(program)
	if err != nil {
		return nil, err
	}
	if _, err := Find("ldd"); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "ldd", file).Output()
	if err != nil {
		return nil, fmt.Errorf("list the shared libraries of %s: %w", file, err)
	}
	libraries, err := parseLDD(string(out))
	if err != nil {
		return nil, fmt.Errorf("shared libraries of %s: %w", file, err)
	}
	entries := []Entry{Program(file, filepath.Base(file))}
	for _, lib := range libraries {
		entries = append(entries, Entry{Path: lib, Source: lib, Executable: true})
	}
	return entries, nil
}

// parseLDD reads the files that ldd names: "name => /file (address)" for
// libraries, "/file (address)" for the loader. The kernel's own vdso has no file.
func parseLDD(out string) ([]string, error) {
	var files []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		name, target, arrow := strings.Cut(line, " => ")
		if !arrow {
			target = name
		}
		if strings.HasPrefix(target, "not found") {
			return nil, fmt.Errorf("library %s: %w: reinstall the program's package", name, ErrMissing)
		}
		target, _, _ = strings.Cut(target, " ")
		if strings.HasPrefix(target, "/") {
			files = append(files, target)
		}
	}
	return files, nil
}
