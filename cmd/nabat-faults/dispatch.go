package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nabat/sync/command"
	"nabat/sync/dispatch/store"
)

// dispatch is a real nabat-dispatch with an embedded database.
type dispatch struct {
	*process
	w        *world
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
	d := &dispatch{w: w, dir: dir, config: filepath.Join(dir, "dispatch.toml"), database: "sqlite:" + filepath.Join(dir, "dispatch.db"), token: filepath.Join(dir, "token")}
	listen, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	d.url = "http://" + listen
	text := fmt.Sprintf("name = \"Dispatch\"\nlanguage = \"en\"\nlisten = %q\ndatabase = %q\nkeys = \"keys\"\n", listen, d.database)
	if b != nil {
		text += fmt.Sprintf("[mqtt]\nurl = \"mqtt://%s\"\n", b.address)
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
	return d, errors.Join(d.register(ctx), d.run(ctx))
}

// register enters the gateway and writes its token down.
func (d *dispatch) register(ctx context.Context) (err error) {
	db, err := store.Open(ctx, store.Options{URL: d.database})
	if err != nil {
		return fmt.Errorf("open dispatch's database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	token, err := db.AddGateway(ctx, store.Gateway{Site: site, ID: "main"}, "School No. 12", "faults")
	if err != nil {
		return fmt.Errorf("register the gateway: %w", err)
	}
	if err := os.WriteFile(d.token, []byte(token+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the token: %w", err)
	}
	return nil
}

// run starts the program, again after it was killed, and waits until it listens.
func (d *dispatch) run(ctx context.Context) (err error) {
	if d.process, err = d.w.start("nabat-dispatch", nil, d.w.programs.dispatch, "run", "--config", d.config, "--log", "warn"); err != nil {
		return err
	}
	return listening(ctx, d.process, d.url[len("http://"):])
}

// commandKey are the gateway's lines about who may command it.
func (d *dispatch) commandKey() string { return d.key.Public().TOML() + "\n" }

func (d *dispatch) signer() (*command.Signer, error) { return command.NewSigner(d.key) }
