// Command nabat is the alarm gateway of a school or kiosk: it reads panic
// buttons, lights lamps and monitors, keeps every event and tells dispatch.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit statuses, as the contract with installers and scripts fixes them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// verbs is the command line. Every verb is a short file of its own.
type verbs struct {
	Run      runVerb      `cmd:"" help:"Run the gateway: what the systemd unit starts."`
	Demo     demoVerb     `cmd:"" help:"Show the whole main job on this machine, with simulated buttons and a broker inside."`
	Config   configVerb   `cmd:"" help:"Print a minimal configuration, check one, or make a staff PIN."`
	Press    pressVerb    `cmd:"" help:"Press a simulated button of the running gateway (refused on a real board)."`
	Announce announceVerb `cmd:"" help:"Say something to the building, by loudspeakers and screens, or end it."`
	Status   statusVerb   `cmd:"" help:"What a person on site should know: points, open alerts, links, queue, conditions."`
	Doctor   doctorVerb   `cmd:"" help:"Examine board, clock, disk, sound, displays, screens and links: a line each, with the remedy."`
	Journal  journalVerb  `cmd:"" help:"Read the journal, also of a stopped gateway."`
	Version  versionVerb  `cmd:"" help:"Print the version."`
}

// Main runs one command line and returns its exit status. It is main without
// the process, so that tests can call it.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var v verbs
	ended := -1
	parser, err := kong.New(&v,
		kong.Name("nabat"),
		kong.Description("Nabat, the alarm bell: an offline-first alarm gateway for schools and kiosks.\n\nStart with `nabat demo`. On a Pi: `nabat config init`, `nabat config check FILE`, `nabat run`."),
		kong.Writers(stdout, stderr),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(status int) { ended = status }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.BindTo(stdout, (*io.Writer)(nil)),
		kong.Bind(notes{stderr}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "nabat:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if ended >= 0 {
		return ended // --help has printed itself
	}
	if err != nil {
		fmt.Fprintf(stderr, "nabat: %v\nTry `nabat --help`.\n", err)
		return exitUsage
	}
	if err := parsed.Run(); err != nil {
		if !errors.Is(err, errSilent) {
			fmt.Fprintln(stderr, "nabat:", err)
		}
		return exitFailed
	}
	return exitDone
}

// notes is where a verb tells people what does not belong to its output.
type notes struct{ io.Writer }

// errSilent is returned by verbs that have already told what is wrong.
var errSilent = errors.New("already told")
