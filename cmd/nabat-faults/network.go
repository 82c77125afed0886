package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// network is the way between a gateway and one server, which can be spoiled.
type network struct {
	proxy    *toxiproxy.Proxy
	address  string
	upstream string
}

// startNetwork opens a way to a server.
func (w *world) startNetwork(ctx context.Context, upstream string) (*network, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	n := &network{address: address, upstream: upstream}
	n.proxy = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "network", address, upstream)
	w.atEnd(func() error { n.proxy.Stop(); return nil })
	return n, n.up()
}

// down closes the port and every connection.
func (n *network) down() { n.proxy.Stop() }

// up opens the port again. Whatever spoiled the way is gone.
func (n *network) up() error {
	n.proxy.Stop()
	old := n.proxy
	n.proxy = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), old.Name, n.address, n.upstream)
	if err := n.proxy.Start(); err != nil {
		return fmt.Errorf("open the network at %s: %w", n.address, err)
	}
	return nil
}

// spoil adds one kind of trouble, as toxiproxy names it, to one direction:
// "upstream" is towards the server.
func (n *network) spoil(name, kind, direction string, attributes map[string]any) error {
	b, err := json.Marshal(map[string]any{"name": name, "type": kind, "stream": direction, "toxicity": 1.0, "attributes": attributes})
	if err != nil {
		return fmt.Errorf("describe the trouble: %w", err)
	}
	if _, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(string(b))); err != nil {
		return fmt.Errorf("spoil the network: %w", err)
	}
	return nil
}

// swallow lets nothing through in one direction, and closes nothing: packets
// vanish as they do when a modem has died.
func (n *network) swallow(direction string) error {
	return n.spoil("swallow-"+direction, "timeout", direction, map[string]any{"timeout": 0})
}
