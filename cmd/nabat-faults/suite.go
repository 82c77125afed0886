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
	"time"
)

// limit is how long one scenario may take before it counts as failed. What a
// scenario waits for comes within seconds on a healthy machine.
const limit = 5 * time.Minute

// suite runs scenarios one after another.
type suite struct {
	dir       string
	out, note io.Writer
	short     bool
	keep      bool
	failed    bool
	programs  map[string]programs // by the changes that were built in
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

func (s *suite) run(ctx context.Context, chosen []scenario, file string, real, controls bool) error {
	var results []result
	bad := 0
	for _, sc := range chosen {
		r := result{scenario: sc}
		if real {
			begun := time.Now()
			fmt.Fprintf(s.note, "== %s: %s\n", sc.name, sc.fault)
			r.did, r.tally, r.err = s.one(ctx, sc, nil)
			r.took = time.Since(begun)
			for _, d := range r.did {
				fmt.Fprintf(s.out, "   %s\n", d)
			}
			fmt.Fprintf(s.out, "   %s in %s\n", r.verdict(), r.took.Round(100*time.Millisecond))
		}
		if controls && len(sc.without) > 0 {
			fmt.Fprintf(s.note, "== %s, without: %s\n", sc.name, sc.protection)
			r.tried = true
			_, t, err := s.one(ctx, sc, sc.without)
			if err == nil && !t.clean() {
				err = errors.New(t.String())
			}
			if errors.Is(err, errBuild) {
				return err
			}
			r.control = err
			if err == nil {
				fmt.Fprintf(s.out, "   IT DID NOT FAIL without its protection: the scenario shows nothing\n")
			} else {
				fmt.Fprintf(s.out, "   fails without it, as it must: %s\n", firstLine(err))
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !r.ok(!real) {
			bad++
		}
		results = append(results, r)
	}
	if file != "" {
		if err := os.WriteFile(file, markdown(results), 0o644); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	s.failed = bad > 0
	fmt.Fprintf(s.out, "%d scenarios, %d did not hold\n", len(results), bad)
	if bad > 0 {
		return fmt.Errorf("%w: %d of %d scenarios", errFailed, bad, len(results))
	}
	return nil
}

func (r result) verdict() string {
	if r.err != nil {
		return "FAILED: " + r.err.Error()
	}
	return r.tally.String()
}

// one runs a scenario in a world of its own.
func (s *suite) one(ctx context.Context, sc scenario, without []change) (did []string, t tally, err error) {
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
	w := &world{dir: dir, programs: built, short: s.short}
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
