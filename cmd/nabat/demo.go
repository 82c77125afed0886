package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"nabat/gateway/config"
	"nabat/gateway/pin"
)

//go:embed demo.toml
var demoConfig string

type demoVerb struct {
	Data   string     `help:"Keep the journal in this directory, instead of forgetting it at the end." type:"path"`
	Listen string     `default:"127.0.0.1:8080" help:"Address of the pages: wall, lobby and console."`
	Desk   string     `default:"127.0.0.1:8081" help:"Address of the dispatch page."`
	Sound  string     `default:"auto" enum:"auto,pulse,alsa,none" help:"Loudspeaker: pulse (PulseAudio, PipeWire), alsa (a sound card), none, or auto for what there is."`
	Log    slog.Level `default:"warn" help:"Least level of log lines: debug, info, warn or error."`
}

// Run shows the whole main job on this machine until it is told to stop.
func (v demoVerb) Run(ctx context.Context, stdout io.Writer) (err error) {
	dir := v.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "nabat-demo-"); err != nil {
			return fmt.Errorf("make a directory for the demonstration (or name one with --data): %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	c, fresh, err := v.config(dir)
	if err != nil {
		return err
	}
	log := newLog(v.Log)
	heard, err := v.voice(ctx, c)
	if err != nil {
		return err
	}
	far, err := newDemoFarEnd(ctx, c, dir, v.Desk, log)
	if err != nil {
		return err
	}
	g, err := newGateway(c, log)
	if err != nil {
		return errors.Join(err, far.close())
	}
	if g.pages, err = g.listen(ctx); err != nil {
		return errors.Join(fmt.Errorf("choose another address with --listen: %w", err), g.journal.Close(), far.close())
	}
	at := far.pages.Addr().String()
	// The far end outlives the gateway, as dispatch does.
	apart, endFarEnd := context.WithCancel(context.WithoutCancel(ctx))
	defer endFarEnd()
	jobs, ctx := errgroup.WithContext(ctx)
	jobs.Go(func() error { return far.run(apart) })
	jobs.Go(func() error { defer endFarEnd(); return g.run(ctx) })
	jobs.Go(func() error { return g.welcome(ctx, stdout, at, fresh, dir, heard) })
	return jobs.Wait()
}

// config is the demonstration's school with a fresh PIN.
func (v demoVerb) config(dir string) (*config.Config, string, error) {
	fresh := pin.New()
	hash, err := pin.Hash(fresh)
	if err != nil {
		return nil, "", err
	}
	c, err := config.Parse("demo.toml", []byte(strings.Replace(demoConfig, "PIN-HASH", hash, 1)))
	if err != nil {
		return nil, "", fmt.Errorf("the demonstration's own configuration: %w", err)
	}
	c.DataDir, c.Web.Listen = dir, v.Listen
	c.Warnings = nil // they are about a school that is going to be used
	c.Lobby.Slides, err = demoSlides(dir)
	return c, fresh, err
}

// welcome waits until the pages are there, and tells where.
func (g *gateway) welcome(ctx context.Context, stdout io.Writer, deskAddress, fresh, dir, heard string) error {
	at := g.address.wait(ctx)
	if at == "" {
		return nil
	}
	_, err := fmt.Fprintf(stdout, `
Nabat is showing the whole main job. Open side by side:

  http://%[1]s/wall        buttons to press, lamps and hallway displays to watch
  http://%[1]s/lobby?screen=lobby    what the monitor in the lobby shows
  http://%[1]s/console     what staff see        (PIN %[3]s)
  http://%[2]s/dispatch    where dispatch sees it, takes it and clears it

%[5]s
Tap a button: a quiet call, on console and dispatch only. Hold it for 3 s: an emergency, on every screen.
From another terminal: nabat press button-204 --data %[4]s, nabat announce assembly --data %[4]s, or nabat status --data %[4]s.
Ctrl-C ends it.

`, at, deskAddress, fresh, dir, heard)
	return err
}
