package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strings"

	"nabat/sync/dispatch/store"
)

// openStore opens the database of a configuration.
func openStore(ctx context.Context, s *settings, log *slog.Logger) (*store.Store, error) {
	url, err := s.databaseURL()
	if err != nil {
		return nil, err
	}
	o := store.Options{URL: url, Log: log}
	for _, w := range s.Webhooks {
		o.Webhooks = append(o.Webhooks, w.Name)
	}
	return store.Open(ctx, o)
}

// with runs one verb's work on the database of a configuration.
func (f configFlag) with(ctx context.Context, work func(*settings, *store.Store) error) (err error) {
	s, err := loadConfig(f.Config)
	if err != nil {
		return err
	}
	db, err := openStore(ctx, s, nil)
	if err != nil {
		return err
	}
	defer func() {
		if e := db.Close(); err == nil {
			err = e
		}
	}()
	return work(s, db)
}

// by is who the audit log says did it: whoever has the shell.
func by() string {
	name := os.Getenv("SUDO_USER")
	if name == "" {
		name = fmt.Sprintf("uid %d", os.Getuid())
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	return "shell:" + name
}

// parseGateway reads SITE/GATEWAY.
func parseGateway(text string) (store.Gateway, error) {
	site, id, ok := strings.Cut(text, "/")
	g := store.Gateway{Site: site, ID: id}
	if !ok || g.Check() != nil {
		return g, fmt.Errorf("%q is not a gateway: write SITE/GATEWAY, as in school-12/main", text)
	}
	return g, nil
}

// newLog writes to standard error, where systemd's journal stamps each line.
func newLog(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}
