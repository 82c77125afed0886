package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

var errBuild = errors.New("cannot build the programs")

// programs are the paths of built binaries.
type programs struct{ nabat, dispatch string }

// build makes nabat and nabat-dispatch, with the changes laid over the sources.
// The same changes are built once, whoever asks.
func (s *suite) build(ctx context.Context, changes []change) (programs, error) {
	key := fmt.Sprint(changes)
	s.mu.Lock()
	once, ok := s.programs[key]
	if !ok {
		once = sync.OnceValues(func() (programs, error) { return compile(ctx, s.dir, changes) })
		s.programs[key] = once
	}
	s.mu.Unlock()
	return once()
}

// compile builds both programs in a folder of their own below dir.
func compile(ctx context.Context, dir string, changes []change) (programs, error) {
	dir, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return programs{}, fmt.Errorf("%w: %w", errBuild, err)
	}
	// Without -trimpath, so that what the tests have compiled is used again.
	args := []string{"build", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}
	if len(changes) > 0 {
		overlay, err := layOver(ctx, dir, changes)
		if err != nil {
			return programs{}, fmt.Errorf("%w: %w", errBuild, err)
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "nabat/cmd/nabat", "nabat/cmd/nabat-dispatch")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return programs{}, fmt.Errorf("%w: %w: %s", errBuild, err, strings.TrimSpace(string(out)))
	}
	return programs{nabat: filepath.Join(dir, "nabat"), dispatch: filepath.Join(dir, "nabat-dispatch")}, nil
}

// layOver writes the changed files and the list that the compiler reads.
func layOver(ctx context.Context, dir string, changes []change) (string, error) {
	module, err := goSays(ctx, "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	goroot, err := goSays(ctx, "env", "GOROOT")
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	texts := make(map[string]string)
	for i, c := range changes {
		path := filepath.Join(module, c.file)
		if rest, ok := strings.CutPrefix(c.file, "$GOROOT/"); ok {
			path = filepath.Join(goroot, rest)
		}
		text, ok := texts[path]
		if b, err := os.ReadFile(path); !ok && err == nil {
			text = string(b)
		} else if !ok && c.old != "" {
			return "", fmt.Errorf("read what a control changes: %w", err)
		}
		// An empty old text means a file of its own.
		if n := strings.Count(text, c.old); c.old != "" && n != 1 {
			return "", fmt.Errorf("the control's change of %s occurs %d times, not once: bring the scenario up to date: %q", c.file, n, c.old)
		}
		if c.old == "" {
			text = c.replacement
		} else {
			text = strings.Replace(text, c.old, c.replacement, 1)
		}
		texts[path] = text
		if replace[path] == "" {
			replace[path] = filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(path)))
		}
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("write a changed file: %w", err)
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	return overlay, nil
}

func goSays(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
