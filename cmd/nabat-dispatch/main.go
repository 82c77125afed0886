// Command nabat-dispatch is the reference dispatch service: it stores what
// gateways send, gives receipts for it, shows it to operators and carries their
// decisions back, signed.
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
	Init     initVerb     `cmd:"" help:"Make a directory with everything to begin: configuration, certificates, a key for commands, the first operator."`
	Run      runVerb      `cmd:"" help:"Run the service: what the systemd unit starts."`
	Gateway  gatewayVerb  `cmd:"" help:"Register gateways, give them tokens and configurations, shut them out."`
	Operator operatorVerb `cmd:"" help:"Accounts of the people at the desk."`
	Team     teamVerb     `cmd:"" help:"The mobile teams that operators can send."`
	Keys     keysVerb     `cmd:"" help:"The keys that sign commands, and how to change them without a visit."`
	Cert     certVerb     `cmd:"" help:"Renew the server's certificate with the authority that init made."`
	Export   exportVerb   `cmd:"" help:"Write what is stored as CSV."`
	Status   statusVerb   `cmd:"" help:"What is stored, who is connected, what waits."`
	Version  versionVerb  `cmd:"" help:"Print the version."`
}

// Main runs one command line and returns its exit status. It is main without
// the process, so that tests can call it.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var v verbs
	ended := -1
	parser, err := kong.New(&v,
		kong.Name("nabat-dispatch"),
		kong.Description("The far end of Nabat: what schools' gateways send is stored here, shown to operators and answered.\n\n"+
			"Begin with `nabat-dispatch init --host NAME`, then `nabat-dispatch run`, then `nabat-dispatch gateway add SITE/GATEWAY`: it prints the lines for the gateway's configuration."),
		kong.Writers(stdout, stderr),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(status int) { ended = status }),
		kong.Vars{"config": "/var/lib/nabat-dispatch/dispatch.toml"},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.BindTo(stdout, (*io.Writer)(nil)),
		kong.Bind(notes{stderr}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "nabat-dispatch:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if ended >= 0 {
		return ended // --help has printed itself
	}
	if err != nil {
		fmt.Fprintf(stderr, "nabat-dispatch: %v\nTry `nabat-dispatch --help`.\n", err)
		return exitUsage
	}
	if err := parsed.Run(); err != nil {
		if !errors.Is(err, errSilent) {
			fmt.Fprintln(stderr, "nabat-dispatch:", err)
		}
		return exitFailed
	}
	return exitDone
}

// notes is where a verb tells people what does not belong to its output.
type notes struct{ io.Writer }

// errSilent is returned by verbs that have already told what is wrong.
var errSilent = errors.New("already told")

// configFlag is the flag of every verb that needs the service's configuration.
type configFlag struct {
	Config string `default:"${config}" type:"path" help:"The service's configuration." short:"c"`
}
