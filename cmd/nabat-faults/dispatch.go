package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"nabat/sync/command"
)

// dispatch is a real nabat-dispatch with an embedded database.
type dispatch struct {
	*process
	w        *world
	broker   *broker // nil: over HTTP only
	dir      string
	config   string
	database string
	// url is where gateways call over HTTP, trust what they trust (nil: plain
	// HTTP on loopback).
	url   string
	trust *tls.Config
	// token is the file with the registered gateway's token.
	token string
	key   command.PrivateKey
}

// startDispatch prepares a dispatch with one registered gateway, that hears a
// broker if there is one, and starts it.
func (w *world) startDispatch(ctx context.Context, b *broker) (*dispatch, error) {
	dir, err := w.folder("dispatch")
	if err != nil {
		return nil, err
	}
	d := &dispatch{w: w, broker: b, dir: dir, config: filepath.Join(dir, "dispatch.toml"), database: "sqlite:" + filepath.Join(dir, "dispatch.db"), token: filepath.Join(dir, "token")}
	listen, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	d.url = "http://" + listen
	text := fmt.Sprintf("name = \"Dispatch\"\nlanguage = \"en\"\nlisten = %q\ndatabase = %q\nkeys = \"keys\"\n", listen, d.database)
	if b != nil {
		text += fmt.Sprintf("[mqtt]\nurl = \"mqtt://%s\"\n", b.address)
		if b.own != "" {
			text += fmt.Sprintf("username = %q\npassword_file = %q\n", dispatchUser, b.own)
		}
	}
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("configure dispatch: %w", err)
	}
	if d.key, err = command.Generate("faults"); err != nil {
		return nil, err
	}
	keys, err := w.folder("dispatch/keys")
	if err != nil {
		return nil, err
	}
	if err := d.key.Save(filepath.Join(keys, "faults.jwk")); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(keys, "active"), []byte("faults\n"), 0o600); err != nil {
		return nil, fmt.Errorf("activate the key: %w", err)
	}
	if err := d.register(ctx); err != nil {
		return nil, err
	}
	return d, d.run(ctx)
}

// register enters the gateway as an operator does, and writes its token down.
func (d *dispatch) register(ctx context.Context) error {
	if err := os.RemoveAll(d.token); err != nil {
		return fmt.Errorf("remove the old token: %w", err)
	}
	cmd := exec.CommandContext(ctx, d.w.programs.dispatch, "gateway", "add", "--config", d.config, "--name", "School No. 12", "--token-file", d.token, site+"/main")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("register the gateway: %w: %s", err, out)
	}
	return nil
}

// run starts the program, again after it was killed, and waits until it listens,
// also at the broker.
func (d *dispatch) run(ctx context.Context) (err error) {
	before := 0
	if d.broker != nil {
		before = d.broker.subscriptions()
	}
	if d.process, err = d.w.start("nabat-dispatch", nil, d.w.programs.dispatch, "run", "--config", d.config, "--log", "warn"); err != nil {
		return err
	}
	if err := d.w.listening(ctx, d.process, d.url[len("http://"):]); err != nil || d.broker == nil {
		return err
	}
	return d.broker.heard(ctx, d.w, before)
}

// commandKey are the gateway's lines about who may command it.
func (d *dispatch) commandKey() string { return d.key.Public().TOML() + "\n" }

func (d *dispatch) signer() (*command.Signer, error) { return command.NewSigner(d.key) }
