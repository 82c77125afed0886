package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"nabat/gateway/config"
	"nabat/gateway/pin"
)

type configVerb struct {
	Init  configInit  `cmd:"" help:"Print a minimal commented configuration with a fresh staff PIN."`
	Check configCheck `cmd:"" help:"Check a configuration: every mistake with its line and the remedy."`
	PIN   configPIN   `cmd:"" name:"pin" help:"Read a new staff PIN from standard input and print its hash for the configuration."`
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
	_, err = fmt.Fprintf(stdout, "%s is good: %d buttons, %d lamps, %d places, %s\n", v.File, len(c.Inputs), len(c.Outputs), len(c.Site.Places), link)
	return err
}

type configPIN struct{}

// Run reads one line, so that the PIN is in no shell history.
func (configPIN) Run(stdout io.Writer) error {
	line, err := bufio.NewReader(io.LimitReader(os.Stdin, 1024)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the PIN from standard input: %w", err)
	}
	hash, err := pin.Hash(strings.TrimRight(line, "\r\n"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, hash)
	return err
}
