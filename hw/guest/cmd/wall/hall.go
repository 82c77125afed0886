package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"nabat/gateway/pin"
	"nabat/hw/guest/gpiosim"
)

//go:embed nabat.toml
var gatewayConfig string

const (
	configFile = "/tmp/nabat.toml"
	brokerConf = "listener 1883 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\nmax_queued_messages 0\n"
	lampLine   = 8
)

// hall is the place with all that hangs on its walls.
type hall struct {
	out     io.Writer
	rand    *rand.Rand
	presses int
	// stalls counts storms that this machine's stalls made worthless.
	stalls int
	// end ends the play.
	end context.CancelCauseFunc

	a, b    *gpiosim.Chip
	buttons map[string]button
	broker  *daemon
	gateway *daemon
	desk    *desk
}

// open hangs everything up and starts the broker and dispatch, but not the gateway.
func (h *hall) open(ctx context.Context) (err error) {
	if h.a, err = gpiosim.New("wall-a", 16); err != nil {
		return err
	}
	if h.b, err = gpiosim.New("wall-b", 4); err != nil {
		return err
	}
	h.buttons = make(map[string]button)
	for _, b := range []button{
		{"to-ground", h.a, 0, true}, {"to-supply", h.a, 1, false}, {"normally-closed", h.a, 2, false}, {"held", h.a, 3, false},
		{"removable-1", h.b, 0, true}, {"removable-2", h.b, 1, true},
	} {
		h.buttons[b.point] = b
		if _, err := b.move(false); err != nil {
			return err
		}
	}
	hash, err := pin.Hash(pin.New())
	if err != nil {
		return err
	}
	if err := os.WriteFile(configFile, []byte(strings.Replace(gatewayConfig, "PIN-HASH", hash, 1)), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile("/tmp/mosquitto.conf", []byte(brokerConf), 0o600); err != nil {
		return err
	}
	if h.broker, err = h.start(ctx, "mosquitto", "-c", "/tmp/mosquitto.conf"); err != nil {
		return err
	}
	if err := answers(ctx, "127.0.0.1:1883"); err != nil {
		return err
	}
	h.desk, err = openDesk("tcp://127.0.0.1:1883")
	return err
}

func (h *hall) startGateway(ctx context.Context) (err error) {
	h.gateway, err = h.start(ctx, "nabat", "run", "--config", configFile)
	return err
}

// start starts a program whose end, unless asked for, ends the play.
func (h *hall) start(ctx context.Context, name string, args ...string) (*daemon, error) {
	d, err := start(ctx, name, args...)
	if err != nil {
		return nil, err
	}
	d.forgive = context.AfterFunc(d.running, func() { h.end(context.Cause(d.running)) })
	return d, nil
}

func (h *hall) close() error {
	var errs []error
	if h.desk != nil {
		h.desk.close()
	}
	for _, d := range []*daemon{h.gateway, h.broker} {
		if d != nil {
			errs = append(errs, d.stop())
		}
	}
	return errors.Join(errs...)
}

func (h *hall) dumpLogs() {
	for _, d := range []*daemon{h.gateway, h.broker} {
		if d == nil {
			continue
		}
		log := d.log.Bytes()
		fmt.Fprintf(h.out, "--- the last words of %s:\n%s\n", d.name, log[max(0, len(log)-20_000):])
	}
}

// answers waits until a port accepts connections.
func answers(ctx context.Context, address string) error {
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var dialer net.Dialer
	for {
		c, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("nobody answers at %s: %w", address, context.Cause(ctx))
		}
	}
}
