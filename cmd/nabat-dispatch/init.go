package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"nabat/gateway/alert"
	"nabat/sync/command"
	"nabat/sync/dispatch/store"
)

//go:embed dispatch.toml
var configTemplate string

// configFile is the configuration's name in the directory that init makes.
const configFile = "dispatch.toml"

type initVerb struct {
	Dir      string   `default:"/var/lib/nabat-dispatch" type:"path" help:"Directory to make: configuration, certificates, keys, database."`
	Host     []string `required:"" help:"Names or addresses under which gateways and browsers reach this service (repeat it). The first one is told to gateways."`
	Listen   string   `default:":8443" help:"Address of pages and of the gateways' HTTPS."`
	Broker   string   `default:":8883" help:"Address of the broker inside; \"none\" for a broker elsewhere."`
	Database string   `default:"sqlite:dispatch.db" help:"sqlite:PATH, or postgres://user@host/name."`
	Name     string   `default:"Dispatch" help:"What people call this dispatch service."`
	Language string   `default:"ru" enum:"ru,kk,en" help:"Language in which pages open."`
	Operator string   `default:"admin" help:"Log-in name of the first operator."`
}

// Run makes the directory. What exists is never overwritten.
func (v initVerb) Run(ctx context.Context, stdout io.Writer) error {
	for _, h := range v.Host {
		if net.ParseIP(h) == nil && (h == "" || strings.ContainsAny(h, " /:\"\\")) {
			return fmt.Errorf("%q is no host name and no address: write --host dispatch.example", h)
		}
	}
	path := filepath.Join(v.Dir, configFile)
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists already: nothing was changed. `nabat-dispatch operator add` and `keys new` add to it", path)
	}
	if err := os.MkdirAll(filepath.Join(v.Dir, "keys"), 0o700); err != nil {
		return fmt.Errorf("make the directory: %w", err)
	}
	// What an earlier try has left is used: it may be known to somebody.
	if _, err := os.Lstat(filepath.Join(v.Dir, caFile)); err != nil {
		if err := makeAuthority(v.Dir, v.Name); err != nil {
			return err
		}
	}
	if err := makeServer(v.Dir, v.Host); err != nil {
		return err
	}
	ring := keyring{filepath.Join(v.Dir, "keys")}
	if _, err := ring.active(); err != nil {
		key, err := command.Generate("")
		if err != nil {
			return err
		}
		if err := errors.Join(key.Save(ring.path(key.ID)), ring.activate(key.ID)); err != nil {
			return err
		}
	}
	text, err := v.config()
	if err != nil {
		return err
	}
	password := newPassword()
	if err := v.firstOperator(ctx, path, text, password); err != nil {
		return err
	}
	if err := writeFile(path, text, 0o600, false); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, `Made %[1]s.

  1. nabat-dispatch run --config %[2]s
  2. open https://%[3]s/ and log in:
        name      %[4]s
        password  %[5]s     (shown this once; change it with: nabat-dispatch operator passwd %[4]s --config %[2]s)
  3. nabat-dispatch gateway add SITE/GATEWAY --config %[2]s

Browsers and gateways trust the certificate through %[6]s; give that file to them.
Keep %[7]s and the directory keys secret, and back them up with the database.
`, v.Dir, path, v.address(v.Listen), v.Operator, password, filepath.Join(v.Dir, caFile), filepath.Join(v.Dir, caKeyFile))
	return err
}

func (v initVerb) config() ([]byte, error) {
	t, err := template.New(configFile).Parse(configTemplate)
	if err != nil {
		return nil, fmt.Errorf("the configuration's own template: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, map[string]any{
		"Name": v.Name, "Language": alert.Language(v.Language), "Listen": v.Listen, "Address": v.address(v.Listen),
		"Hosts": v.Host, "Database": v.Database, "Broker": v.Broker, "BrokerAddress": v.address(v.Broker), "Embedded": v.Broker != "none",
	}); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	if _, err := parseConfig(filepath.Join(v.Dir, configFile), []byte(b.String())); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

// address is what gateways call: the first host with the port of listen.
func (v initVerb) address(listen string) string {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(v.Host[0], port)
}

// firstOperator makes the database and the first account in it.
func (v initVerb) firstOperator(ctx context.Context, path string, text []byte, password string) error {
	s, err := parseConfig(path, text)
	if err != nil {
		return err
	}
	db, err := openStore(ctx, s, nil)
	if err != nil {
		return err
	}
	err = db.AddOperator(ctx, store.Operator{ID: v.Operator, Name: v.Operator, Role: store.AdminRole}, password, "init")
	if errors.Is(err, store.ErrExists) {
		err = fmt.Errorf("the database has an operator %q already; use `nabat-dispatch operator passwd`: %w", v.Operator, err)
	}
	return errors.Join(err, db.Close())
}
