package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// limit is how long one scenario may take before it counts as failed. What a
	// scenario waits for comes within seconds on a healthy machine.
	limit = 6 * time.Minute
	// patience is how long one thing may take to come, and controlPatience the
	// same without a protection, where it often never comes.
	patience        = 90 * time.Second
	controlPatience = 25 * time.Second
)

// suite runs scenarios, several at once: each has a world of its own.
type suite struct {
	dir         string
	out, note   io.Writer
	short, keep bool
	workers     int

	mu       sync.Mutex // guards the fields below, and out and note
	failed   bool
	programs map[string]func() (programs, error) // by the changes that are built in
}

// result is what became of one scenario.
type result struct {
	scenario scenario
	did      []string
	tally    tally
	err      error
	took     time.Duration
	// control is how the scenario failed without its protection; nil when it did
	// not, or when that was not tried.
	control error
	tried   bool
}

// ok reports whether the scenario showed what it should.
func (r result) ok(controlsOnly bool) bool {
	if r.tried && r.control == nil {
		return false
	}
	return controlsOnly || r.err == nil && r.tally.clean()
}

// run runs the chosen scenarios and writes the table, if file is not empty.
func (s *suite) run(ctx context.Context, chosen []scenario, file string, real, controls bool) error {
	results := make([]result, len(chosen))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(s.workers, 1))
	for i, sc := range chosen {
		group.Go(func() error {
			r, err := s.try(ctx, sc, real, controls)
			results[i] = r
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	bad := 0
	for _, r := range results {
		if !r.ok(!real) {
			bad++
		}
	}
	if file != "" {
		if err := os.WriteFile(file, markdown(results), 0o644); err != nil { //nolint:gosec // a page of the documentation
			return fmt.Errorf("write the table: %w", err)
		}
	}
	fmt.Fprintf(s.out, "%d scenarios, %d did not hold\n", len(results), bad)
	if bad > 0 {
		s.failed = true
		return fmt.Errorf("%w: %d of %d scenarios", errFailed, bad, len(results))
	}
	return nil
}

// try runs one scenario, and once more without its protection.
func (s *suite) try(ctx context.Context, sc scenario, real, controls bool) (result, error) {
	r := result{scenario: sc}
	if real {
		begun := time.Now()
		r.did, r.tally, r.err = s.one(ctx, sc, nil)
		r.took = time.Since(begun)
	}
	if controls && len(sc.without) > 0 && ctx.Err() == nil {
		r.tried = true
		_, t, err := s.one(ctx, sc, sc.without)
		switch {
		case errors.Is(err, errBuild):
			// It failed, but not as it must.
			r.err, err = errors.Join(r.err, fmt.Errorf("without its protection: %w", err)), nil
		case err == nil && !t.clean():
			err = errors.New(t.String())
		}
		r.control = err
	}
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	s.tell(r, real)
	return r, nil
}

// tell prints what became of a scenario, in one piece.
func (s *suite) tell(r result, real bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.scenario.name, r.scenario.fault)
	if real || r.err != nil {
		for _, d := range r.did {
			fmt.Fprintf(&b, "   %s\n", d)
		}
		fmt.Fprintf(&b, "   %s in %s\n", r.verdict(), r.took.Round(100*time.Millisecond))
	}
	switch {
	case r.tried && r.control == nil:
		fmt.Fprintf(&b, "   IT DID NOT FAIL without its protection: the scenario shows nothing\n")
	case r.tried && s.keep:
		fmt.Fprintf(&b, "   without its protection it fails, as it must: %s\n", r.control)
	case r.tried:
		fmt.Fprintf(&b, "   without its protection it fails, as it must: %s\n", firstLine(r.control))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.out, b.String()) // whoever reads has gone
}

func (r result) verdict() string {
	if r.err != nil {
		return "FAILED: " + r.err.Error()
	}
	return r.tally.String()
}

// one runs a scenario in a world of its own. Controls have small numbers and
// little patience.
func (s *suite) one(ctx context.Context, sc scenario, without []change) (did []string, t tally, err error) {
	if sc.root && os.Geteuid() != 0 {
		return nil, tally{}, errors.New("it mounts a file system of its own, which needs root: run this as root")
	}
	built, err := s.build(ctx, slices.Concat(sc.with, without))
	if err != nil {
		return nil, tally{}, err
	}
	// Short, because the gateway's socket stands below it.
	dir, err := os.MkdirTemp(s.dir, "")
	if err != nil {
		return nil, tally{}, fmt.Errorf("make a folder for %s: %w", sc.name, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %s", limit))
	defer cancel()
	w := &world{dir: dir, programs: built, short: s.short, patience: patience}
	if without != nil {
		w.short, w.patience = true, controlPatience
	}
	err = sc.run(ctx, w)
	if err != nil && w.hints() != "" {
		err = fmt.Errorf("%w\n%s", err, w.hints())
	}
	err = errors.Join(err, w.end())
	if err == nil && !s.keep {
		err = os.RemoveAll(dir)
	}
	return w.story, w.tally, err
}

func (s *suite) tidy() {
	if s.keep && s.failed {
		fmt.Fprintf(s.note, "the folders of what failed are in %s\n", s.dir)
		return
	}
	_ = os.RemoveAll(s.dir) // a temporary folder; whoever cleans /tmp takes the rest
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// path returns a file of the world's own folder.
func (w *world) path(name ...string) string {
	return filepath.Join(append([]string{w.dir}, name...)...)
}
