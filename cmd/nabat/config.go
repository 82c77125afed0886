package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"nabat/gateway/config"
	"nabat/gateway/pin"
)

type configVerb struct {
	Init  configInit  `cmd:"" help:"Print a minimal commented configuration with a fresh staff PIN."`
	Check configCheck `cmd:"" help:"Check a configuration: every mistake with its line and the remedy."`
	PIN   configPIN   `cmd:"" name:"pin" help:"Ask for a new staff PIN and print its line for the configuration."`
}

type configInit struct{}

// Run prints the configuration, and the PIN, once, aside.
func (configInit) Run(stdout io.Writer, aside notes) error {
	text, pin, err := config.Init()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		return err
	}
	fmt.Fprintf(aside, "\nThe staff PIN is %s: note it now, only its hash is in the configuration.\n", pin)
	return nil
}

type configCheck struct {
	File string `arg:"" default:"/etc/nabat/nabat.toml" help:"Configuration to check."`
}

// Run says what a good file configures, or every mistake of a bad one.
func (v configCheck) Run(stdout io.Writer, aside notes) error {
	c, err := config.Load(v.File)
	var problems config.Errors
	if errors.As(err, &problems) {
		fmt.Fprintln(aside, problems.Error())
		fmt.Fprintf(aside, "\n%s: %d to mend\n", v.File, len(problems))
		return errSilent
	}
	if err != nil {
		return err
	}
	link := "no link to dispatch"
	if c.MQTT.Enabled {
		link = "dispatch at " + c.MQTT.Host
	}
	for _, w := range c.Warnings {
		fmt.Fprintln(aside, "warning:", w.Error())
	}
	if c.Board == config.BoardSim {
		fmt.Fprintln(aside, `warning: board = "sim" reads no real button; write board = "gpio", the chip and the lines before anybody relies on it`)
	}
	_, err = fmt.Fprintf(stdout, "%s is good: %d buttons, %d lamps, %d places, %d loudspeakers, %d screens, %d displays, %s\n", v.File, len(c.Inputs), len(c.Outputs), len(c.Site.Places), len(c.Speakers), len(c.Site.Screens), len(c.Displays), link)
	return err
}

type configPIN struct{}

// errUnlike says that a PIN was typed differently the second time.
var errUnlike = errors.New("the two PINs differ: nothing was made")

// Run asks for the PIN where nobody reads it over a shoulder or in a shell's
// history: without echo at a terminal, else as one line of standard input.
func (configPIN) Run(ctx context.Context, stdout io.Writer, aside notes) error {
	chosen, err := askPIN(ctx, aside)
	if err != nil {
		return err
	}
	hash, err := pin.Hash(chosen)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "pin = %q\n", hash)
	return err
}

func askPIN(ctx context.Context, aside io.Writer) (string, error) {
	if !isTerminal(os.Stdin) {
		line, err := readLine(os.Stdin)
		if err != nil {
			return "", fmt.Errorf("read the PIN from standard input: %w", err)
		}
		return line, nil
	}
	chosen, err := askUnseen(ctx, aside, "New staff PIN (it is not shown): ")
	if err != nil {
		return "", err
	}
	again, err := askUnseen(ctx, aside, "The same once more: ")
	if err != nil {
		return "", err
	}
	if again != chosen {
		return "", errUnlike
	}
	return chosen, nil
}
