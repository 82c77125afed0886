package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"nabat/sync/command"
	"nabat/sync/dispatch/store"
)

type gatewayVerb struct {
	Add    gatewayAdd    `cmd:"" help:"Register a gateway and print the lines for its configuration."`
	List   gatewayList   `cmd:"" help:"Who is registered, and who is connected."`
	Token  gatewayToken  `cmd:"" help:"Give a gateway a new token; the old one ends at once. Takes a revocation back."`
	Revoke gatewayRevoke `cmd:"" help:"Shut a gateway out. Its history stays."`
	Config gatewayConfig `cmd:"" help:"Assign a configuration (TOML) to a gateway, which it pulls and checks, or print the assigned one."`
}

type gatewayAdd struct {
	configFlag
	Gateway   string `arg:"" help:"SITE/GATEWAY, as in school-12/main."`
	Name      string `help:"What people call it: the school."`
	TokenFile string `type:"path" help:"Write the token to this new file instead of showing it."`
}

// Run registers a gateway. Its configuration's lines go to standard output, the
// token, once, aside.
func (v gatewayAdd) Run(ctx context.Context, stdout io.Writer, aside notes) error {
	g, err := parseGateway(v.Gateway)
	if err != nil {
		return err
	}
	return v.with(ctx, func(s *settings, db *store.Store) error {
		name := v.Name
		if name == "" {
			name = g.String()
		}
		key, err := keyring{s.Keys}.public()
		if err != nil {
			return err
		}
		token, err := db.AddGateway(ctx, g, name, by())
		if errors.Is(err, store.ErrExists) {
			return fmt.Errorf("%s is registered already; `nabat-dispatch gateway token %s` gives it a new token: %w", g, g, err)
		}
		if err != nil {
			return err
		}
		if err := tell(aside, s, g, token, v.TokenFile); err != nil {
			return err
		}
		_, err = io.WriteString(stdout, s.linesFor(g, key))
		return err
	})
}

// tell shows a token once, or puts it into a file, and says where it belongs.
func tell(aside io.Writer, s *settings, g store.Gateway, token, file string) error {
	if file != "" {
		if err := writeFile(file, []byte(token+"\n"), 0o600, false); err != nil {
			return fmt.Errorf("%w; the gateway is registered: `nabat-dispatch gateway token %s` makes another token", err, g)
		}
		fmt.Fprintf(aside, "The token of %s is in %s.\n\n", g, file)
	} else {
		fmt.Fprintf(aside, "The token of %s, shown this once:\n\n    %s\n\n", g, token)
	}
	fmt.Fprintf(aside, "On the gateway:\n  1. put the token, one line, into %s (owner root, group nabat, mode 0640)\n", tokenPath)
	if s.CA != "" {
		fmt.Fprintf(aside, "  2. copy %s to %s\n", s.CA, caPath)
	} else {
		fmt.Fprintf(aside, "  2. nothing to copy: no ca is configured here, so the system's own authorities are trusted\n")
	}
	fmt.Fprintf(aside, "  3. put these lines at the end of /etc/nabat/nabat.toml, and restart nabat\n\n")
	return nil
}

// Where a gateway keeps what it needs to reach dispatch.
const (
	tokenPath = "/etc/nabat/dispatch-token"
	caPath    = "/etc/nabat/dispatch-ca.pem"
)

// linesFor returns the lines of a gateway's configuration.
func (s *settings) linesFor(g store.Gateway, key command.Key) string {
	scheme, mqtt := "https", "mqtts"
	ca := ""
	if s.TLSCert == "" {
		scheme, mqtt = "http", "mqtt"
	} else if s.CA != "" {
		ca = fmt.Sprintf("ca = %q\n", caPath)
	}
	address := s.Address
	if address == "" {
		address = s.Listen
	}
	text := fmt.Sprintf("[central]\nurl = %q\ntoken_file = %q\n%s", scheme+"://"+address, tokenPath, ca)
	broker := ""
	switch {
	case s.Broker != nil && s.Broker.Address != "":
		broker = mqtt + "://" + s.Broker.Address
	case s.Broker != nil:
		broker = mqtt + "://" + s.Broker.Listen
	case s.MQTT != nil && s.MQTT.Gateways != "":
		broker = s.MQTT.Gateways
	case s.MQTT != nil:
		broker = s.MQTT.URL
	}
	switch {
	case s.Broker != nil:
		text += fmt.Sprintf("\n[mqtt]\nurl = %q\nusername = %q\npassword_file = %q\n%s", broker, g.String(), tokenPath, ca)
	case broker != "":
		text += fmt.Sprintf("\n# The account at this broker is made there, not here.\n[mqtt]\nurl = %q\nusername = %q\npassword_file = \"/etc/nabat/mqtt-password\"\n", broker, g.String())
	}
	return text + "\n# Commands are believed when this key has signed them.\n" + key.TOML()
}

type gatewayList struct{ configFlag }

// Run lists the registry.
func (v gatewayList) Run(ctx context.Context, stdout io.Writer) error {
	return v.with(ctx, func(_ *settings, db *store.Store) error {
		list, err := db.Gateways(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "GATEWAY\tSTATE\tHEARD\tEVENTS\tOPEN\tNAME")
		for _, g := range list {
			state := "silent"
			switch {
			case !g.Revoked.IsZero():
				state = "revoked"
			case !g.Forked.IsZero():
				state = "copied disk"
			case g.Online:
				state = "online"
			}
			heard := "never"
			if !g.Heard.IsZero() {
				heard = g.Heard.Local().Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", g.Gateway, state, heard, g.Events, g.Open, g.Name)
		}
		return w.Flush()
	})
}

type gatewayToken struct {
	configFlag
	Gateway   string `arg:"" help:"SITE/GATEWAY."`
	TokenFile string `type:"path" help:"Write the token to this new file instead of showing it."`
}

// Run gives a new token.
func (v gatewayToken) Run(ctx context.Context, aside notes) error {
	g, err := parseGateway(v.Gateway)
	if err != nil {
		return err
	}
	return v.with(ctx, func(s *settings, db *store.Store) error {
		token, err := db.RotateToken(ctx, g, by())
		if err != nil {
			return err
		}
		if v.TokenFile != "" {
			if err := writeFile(v.TokenFile, []byte(token+"\n"), 0o600, false); err != nil {
				return err
			}
			fmt.Fprintf(aside, "The new token of %s is in %s; the old one has ended.\n", g, v.TokenFile)
			return nil
		}
		fmt.Fprintf(aside, "The new token of %s, shown this once; the old one has ended:\n\n    %s\n\nPut it into %s on the gateway; no restart is needed.\n", g, token, tokenPath)
		return nil
	})
}

type gatewayRevoke struct {
	configFlag
	Gateway string `arg:"" help:"SITE/GATEWAY."`
}

// Run shuts a gateway out.
func (v gatewayRevoke) Run(ctx context.Context, aside notes) error {
	g, err := parseGateway(v.Gateway)
	if err != nil {
		return err
	}
	return v.with(ctx, func(_ *settings, db *store.Store) error {
		if err := db.Revoke(ctx, g, by()); err != nil {
			return err
		}
		fmt.Fprintf(aside, "%s is shut out; within %v its connections end. `nabat-dispatch gateway token %s` lets it in again.\n", g, 15*time.Second+store.AuthCache, g)
		return nil
	})
}

type gatewayConfig struct {
	configFlag
	Gateway string `arg:"" help:"SITE/GATEWAY."`
	File    string `arg:"" optional:"" type:"existingfile" help:"TOML to assign; without it the assigned one is printed."`
}

// maxGatewayConfig bounds a configuration that is assigned, in bytes.
const maxGatewayConfig = 4 << 20

// Run assigns a configuration and tells the gateway to pull it. What it may be
// is checked by the gateway, which keeps the one it has when it is wrong.
func (v gatewayConfig) Run(ctx context.Context, stdout io.Writer, aside notes) error {
	g, err := parseGateway(v.Gateway)
	if err != nil {
		return err
	}
	return v.with(ctx, func(s *settings, db *store.Store) error {
		if v.File == "" {
			text, err := db.Config(ctx, g)
			if err != nil {
				return err
			}
			_, err = io.WriteString(stdout, text)
			return err
		}
		b, err := os.ReadFile(v.File)
		if err != nil {
			return err
		}
		if len(b) == 0 || len(b) > maxGatewayConfig {
			return fmt.Errorf("%s has %d bytes, want 1 to %d", v.File, len(b), maxGatewayConfig)
		}
		sign, err := keyring{s.Keys}.signer()
		if err != nil {
			return err
		}
		digest, err := db.AssignConfig(ctx, g, string(b), by())
		if err != nil {
			return err
		}
		c, err := db.Issue(ctx, g, command.Claims{Verb: command.ConfigPull, Digest: digest, Who: by(), Expires: time.Now().Add(command.MaxLife).Unix()}, by(), sign)
		if err != nil {
			return err
		}
		fmt.Fprintf(aside, "%s is to pull %s (command %s); its answer shows on its page.\n", g, digest[:12], c.Claims.ID)
		return nil
	})
}
