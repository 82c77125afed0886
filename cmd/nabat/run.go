package main

import (
	"context"
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
	log := newLog(v.Log)
	c, pulled, err := choose(v.Config, log)
	if err != nil {
		return err
	}
	g, err := newGateway(c, log)
	if err != nil {
		return err
	}
	g.pulled = pulled
	if pulled.given != nil {
		g.health.Set(conditionPulled, oneLine(pulled.given)+". Mend it at dispatch and assign it again")
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
