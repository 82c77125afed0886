package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"nabat/gateway/config"
)

type runVerb struct {
	Config string     `default:"/etc/nabat/nabat.toml" help:"Configuration file."`
	Log    slog.Level `default:"info" help:"Least level of log lines: debug, info, warn or error."`
}

// Run runs the gateway until it is told to stop.
func (v runVerb) Run(ctx context.Context) error {
	c, err := config.Load(v.Config)
	if err != nil {
		return fmt.Errorf("the configuration cannot be used (`nabat config check %s` explains):\n%w", v.Config, err)
	}
	g, err := newGateway(c, newLog(v.Log))
	if err != nil {
		return err
	}
	if c.Board == config.BoardSim {
		g.health.Set("board-simulated", `no real button is read: the configuration says board = "sim". Set board = "gpio" and the lines of the buttons, and restart`)
	}
	return g.run(ctx)
}

// newLog writes to standard error, where systemd's journal stamps each line.
func newLog(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}
