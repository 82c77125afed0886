// Command nabat-faults does to Nabat what real gateways failed on, and counts
// what was lost, doubled or reordered at the far end.
//
// Every scenario runs the real programs: nabat, nabat-dispatch, mosquitto, with
// a proxy that spoils the network between them. With -controls, each scenario
// also runs against programs that were built from the same sources with one
// protection taken out, and has to fail there: a scenario that cannot fail shows
// nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := suiteOf(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "nabat-faults:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "nabat-faults:", err)
		os.Exit(1)
	}
}

var (
	errUsage  = errors.New("wrong usage; try -h")
	errFailed = errors.New("not everything survived")
)

// suiteOf runs one command line. Results go to out, progress to note.
func suiteOf(ctx context.Context, args []string, out, note io.Writer) error {
	flags := flag.NewFlagSet("nabat-faults", flag.ContinueOnError)
	flags.SetOutput(note)
	pattern := flags.String("run", "", "run only the scenarios whose name matches `REGEXP`")
	short := flags.Bool("short", false, "run only the short ones, with small numbers")
	controls := flags.Bool("controls", false, "run each scenario also with its protection taken out; it has to fail then")
	only := flags.Bool("only-controls", false, "run each scenario with its protection taken out, and not with it")
	file := flags.String("o", "", "write the table as Markdown to `FILE`")
	keep := flags.Bool("keep", false, "keep the folders of scenarios that failed")
	workers := flags.Int("j", 2, "run `N` scenarios at once")
	list := flags.Bool("list", false, "list the scenarios and run none")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	match, err := regexp.Compile(*pattern)
	if err != nil {
		return fmt.Errorf("%w: -run: %w", errUsage, err)
	}
	var chosen []scenario
	for _, s := range scenarios() {
		if match.MatchString(s.name) && (s.short || !*short) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("%w: no scenario matches %q", errUsage, *pattern)
	}
	if *list {
		for _, s := range chosen {
			fmt.Fprintf(out, "%-44s %s\n", s.name, s.fault)
		}
		return nil
	}
	suite := &suite{note: note, out: out, short: *short, keep: *keep, workers: *workers, programs: make(map[string]func() (programs, error))}
	if suite.dir, err = os.MkdirTemp("", "nabat-faults-"); err != nil {
		return fmt.Errorf("make a folder for the scenarios: %w", err)
	}
	defer suite.tidy()
	return suite.run(ctx, chosen, *file, !*only, *controls || *only)
}
