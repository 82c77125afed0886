// Command nabat-bench measures the figures that Nabat promises, each against a
// floor measured in the same run on the same machine.
//
// Only the ratios travel: the floors differ from machine to machine, and from
// hour to hour on one that others use too. Floor and figure therefore take
// turns, round by round, and the spread of the rounds is printed beside the
// ratio.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "nabat-bench:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "nabat-bench:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wrong usage; try -h")

// command runs one command line. The table goes to out, progress to note.
func command(ctx context.Context, args []string, out, note io.Writer) error {
	flags := flag.NewFlagSet("nabat-bench", flag.ContinueOnError)
	flags.SetOutput(note)
	file := flags.String("o", "", "write the report as Markdown to `FILE`")
	only := flags.String("only", "", "measure only these figures, by comma: "+strings.Join(names(), ", "))
	dir := flags.String("dir", ".cache", "keep data below `DIR`: the disk that is measured")
	binary := flags.String("nabat", "bin/nabat", "the gateway's binary, as `make build` makes it")
	dispatchBinary := flags.String("dispatch", "bin/nabat-dispatch", "the dispatch service's binary, as `make build` makes it")
	quick := flags.Bool("quick", false, "small numbers: proves that everything works, measures nothing")
	profile := flags.String("cpuprofile", "", "write a CPU profile to `FILE`")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	wanted, err := choose(*only)
	if err != nil {
		return err
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return fmt.Errorf("make the profile: %w", err)
		}
		defer f.Close() //nolint:errcheck // a profile that is cut short says so when it is read
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("start the profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	b := &bench{size: full(), note: note, binary: *binary, dispatchBinary: *dispatchBinary}
	if *quick {
		b.size = small()
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if b.dir, err = os.MkdirTemp(*dir, "bench-"); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	defer os.RemoveAll(b.dir) //nolint:errcheck // data of a measurement; nobody needs it
	return b.run(ctx, wanted, *file, out)
}

// run measures, prints and writes the report. What was measured before an
// error is printed all the same.
func (b *bench) run(ctx context.Context, wanted []figure, file string, out io.Writer) error {
	r := report{machine: thisMachine(b.dir), begun: time.Now(), version: b.version(ctx), quick: b.size.quick}
	var failed error
	for _, f := range wanted {
		b.say("%s", f.name)
		begun := time.Now()
		s, err := f.measure(ctx, b)
		if err != nil {
			failed = fmt.Errorf("figure %s: %w", f.name, err)
			break
		}
		s.took = time.Since(begun)
		r.sections = append(r.sections, s)
		for _, l := range s.lines {
			b.say("  %s: %s, floor %s, %s (%s): %s", l.figure, l.measured, cell(l.floor), cell(l.ratio), l.target, l.reached())
		}
	}
	r.ended = time.Now()
	r.machine.loadAtEnd = load()
	r.table(out)
	if failed != nil || file == "" {
		return failed
	}
	if err := os.WriteFile(file, r.markdown(), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func names() []string {
	var list []string
	for _, f := range figures() {
		list = append(list, f.name)
	}
	return list
}

func choose(only string) ([]figure, error) {
	all := figures()
	if only == "" {
		return all, nil
	}
	var chosen []figure
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(f figure) bool { return f.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("%w: no figure is called %q, only %s", errUsage, name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
