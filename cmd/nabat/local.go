package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"nabat/gateway/config"
	"nabat/gateway/control"
)

// local finds the gateway on this machine.
type local struct {
	Config string `default:"/etc/nabat/nabat.toml" help:"The gateway's configuration file; it names the data directory."`
	Data   string `help:"The gateway's data directory, instead of asking the configuration." type:"path"`
}

// dataDir returns the gateway's data directory.
func (l local) dataDir() (string, error) {
	if l.Data != "" {
		return l.Data, nil
	}
	c, err := config.Load(l.Config)
	if err != nil {
		return "", fmt.Errorf("find the data directory (or name it with --data): %w", err)
	}
	return c.DataDir, nil
}

func (l local) client() (*control.Client, error) {
	dir, err := l.dataDir()
	if err != nil {
		return nil, err
	}
	return control.NewClient(filepath.Join(dir, control.SocketName)), nil
}

type pressVerb struct {
	local
	Point string        `arg:"" help:"Id of the button."`
	Hold  time.Duration `help:"How long to hold it; 3s and more is a hold."`
}

// Run presses a simulated button of the running gateway.
func (v pressVerb) Run(ctx context.Context, stdout io.Writer) error {
	client, err := v.client()
	if err != nil {
		return err
	}
	if err := client.Press(ctx, v.Point, v.Hold); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "pressed", v.Point+": saved")
	return err
}

type statusVerb struct {
	local
	JSON bool `name:"json" help:"Print JSON for programs."`
}

// Run prints what a person on site should know.
func (v statusVerb) Run(ctx context.Context, stdout io.Writer) error {
	client, err := v.client()
	if err != nil {
		return err
	}
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if v.JSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	return control.Print(stdout, s, control.Language(os.Getenv))
}
