package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	far "nabat/sync/dispatch/store"
)

// dispatchSettings are of a desk of one: pages on loopback, a file as database,
// a broker elsewhere.
const dispatchSettings = `listen = %q
database = "sqlite:dispatch.db"
keys = "keys"
[mqtt]
url = "mqtt://%s"
`

// dispatch is the dispatch service's binary, running.
type dispatch struct {
	*process
	settings string
}

// startDispatch makes a dispatch service as an operator would, registers the
// gateways, and starts it. It returns when the broker has its subscription.
func (b *bench) startDispatch(ctx context.Context, br *broker, gateways ...string) (*dispatch, error) {
	dir, err := b.folder("dispatch")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	d := &dispatch{settings: filepath.Join(dir, "bench.toml")}
	if err := os.WriteFile(d.settings, fmt.Appendf(nil, dispatchSettings, address, br.address), 0o600); err != nil {
		return nil, fmt.Errorf("write the settings of dispatch: %w", err)
	}
	verbs := [][]string{{"init", "--dir", dir, "--host", "127.0.0.1", "--broker", "none"}}
	for _, g := range gateways {
		verbs = append(verbs, []string{"gateway", "add", benchSite + "/" + g, "--config", d.settings, "--token-file", filepath.Join(dir, g+".token")})
	}
	for _, verb := range verbs {
		if out, err := exec.CommandContext(ctx, b.dispatchBinary, verb...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s %s (make build makes it): %w: %s", b.dispatchBinary, verb[0], err, bytes.TrimSpace(out))
		}
	}
	if d.process, _, err = startProgram(ctx, dir, b.dispatchBinary, "run", "--config", d.settings, "--log", "warn"); err != nil {
		return nil, err
	}
	err = until(ctx, silence, "dispatch has subscribed", func() (bool, error) { return subscribed(ctx, "http://"+address.String()+"/metrics") })
	if err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return d, nil
}

// subscribed asks dispatch's figures whether the broker has its subscription.
func subscribed(ctx context.Context, url string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false, fmt.Errorf("ask dispatch for its figures: %w", err)
	}
	client := &http.Client{Timeout: answerWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false, fmt.Errorf("ask dispatch for its figures: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return false, fmt.Errorf("read the figures of dispatch: %w", err)
	}
	return strings.Contains(string(text), "nabat_dispatch_mqtt_connected 1\n"), nil
}

// database returns where dispatch keeps what it has stored.
func (d *dispatch) database() string { return "sqlite:" + filepath.Join(d.dir, "dispatch.db") }

// holds says whether a database holds the events 1 to last of a gateway's
// epoch, and nothing else of it. Nobody else may have it open for writing.
func holds(ctx context.Context, url, gateway, epoch string, last uint64) (err error) {
	db, err := far.Open(ctx, far.Options{URL: url})
	if err != nil {
		return fmt.Errorf("look into the database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	g := far.Gateway{Site: benchSite, ID: gateway}
	info, err := db.GatewayInfo(ctx, g)
	if err != nil {
		return fmt.Errorf("look into the database: %w", err)
	}
	have, err := db.ReceiptOf(ctx, g, epoch)
	if err != nil {
		return fmt.Errorf("look into the database: %w", err)
	}
	if info.Events != last || info.Refused != 0 || have.Through != last || len(have.Above) > 0 || !info.Forked.IsZero() {
		return fmt.Errorf("the database holds %d events and %d refused ones, all up to %d and %d beyond, want exactly 1 to %d: %w",
			info.Events, info.Refused, have.Through, len(have.Above), last, errWrong)
	}
	return nil
}
