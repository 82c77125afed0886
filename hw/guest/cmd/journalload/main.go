// Command journalload writes events to a journal and says on the console which
// of them are durable, until the power goes; at the next start it says which
// of them are still there. Tests run it inside a guest.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage:
  journalload load DIR RUN       appends events named RUN 1, RUN 2, … and prints "ACK RUN n" once n is durable
  journalload verify DIR         prints "FOUND RUN n" (1 to n are there), then "VERIFIED" or "DAMAGED why"
  journalload roundtrip DIR      writes, closes, reopens and verifies 200 events, twice
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stdout, "DAMAGED", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	switch {
	case verb == "load" && len(args) == 3:
		return load(ctx, args[1], args[2], out)
	case verb == "verify" && len(args) == 2:
		return verify(ctx, args[1], out)
	case verb == "roundtrip" && len(args) == 2:
		return roundtrip(ctx, args[1], out)
	}
	return fmt.Errorf("%s", usage)
}
