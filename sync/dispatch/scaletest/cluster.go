package scaletest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrNoServer is returned where nats-server is not installed.
var ErrNoServer = errors.New("no nats-server found: run `make tools`, which builds it into .cache/bin")

// serverName is what `make tools` calls the program, without the version.
const serverName = "nats-server-"

// FindServer looks for the program that `make tools` has built: in .cache/bin
// of the working directory and of those above it.
func FindServer() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find nats-server: %w", err)
	}
	for {
		found, err := filepath.Glob(filepath.Join(dir, ".cache", "bin", serverName+"v*"))
		if err == nil && len(found) > 0 {
			return found[len(found)-1], nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", ErrNoServer
		}
		dir = up
	}
}

// Nodes is the size of a cluster: the smallest that can lose one.
const Nodes = 3

// Cluster is a broker of several nats-server processes.
type Cluster struct {
	// Config is the configuration of one node, in which the addresses, names
	// and paths of docs/scale/nats-server.conf stand.
	Config []byte
	// Accounts is the text of accounts.conf.
	Accounts string
	// Binary, Dir, Cert, Key and CA are paths.
	Binary, Dir, Cert, Key, CA string

	nodes []*node
}

// node is one process.
type node struct {
	name, mqtt, http, route string
	cmd                     *exec.Cmd
	ended                   chan error
	log                     bytes.Buffer // read after it has ended
}

// Start starts all nodes and waits until they are one cluster. Call Stop in
// any case.
func (c *Cluster) Start(ctx context.Context) error {
	addresses, err := freeAddresses(ctx, 3*Nodes)
	if err != nil {
		return err
	}
	for i := range Nodes {
		c.nodes = append(c.nodes, &node{name: fmt.Sprintf("broker-%d", i+1), mqtt: addresses[3*i], http: addresses[3*i+1], route: addresses[3*i+2]})
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "accounts.conf"), []byte(c.Accounts), 0o600); err != nil {
		return fmt.Errorf("write the accounts: %w", err)
	}
	for _, n := range c.nodes {
		if err := c.start(n); err != nil {
			return err
		}
	}
	return Await(ctx, "a cluster of brokers", func() (bool, error) {
		for _, n := range c.nodes {
			select {
			case err := <-n.ended:
				n.ended <- err
				return false, fmt.Errorf("%s ended: %w: %s", n.name, err, n.log.String())
			default:
			}
			if !n.healthy(ctx) {
				return false, nil
			}
		}
		return true, nil
	})
}

// freeAddresses returns n addresses that nobody listened at a moment ago. Their
// ports are not among those that the kernel gives to outgoing connections, of
// which a crowd makes thousands.
func freeAddresses(ctx context.Context, n int) ([]string, error) {
	var addresses []string
	for range 100 + n {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err != nil {
			continue // another one has it
		}
		defer func() { _ = l.Close() }() // held until all are found, so that they differ
		if addresses = append(addresses, l.Addr().String()); len(addresses) == n {
			return addresses, nil
		}
	}
	return nil, errors.New("find free ports: none between 20000 and 32000")
}

// config returns a node's configuration: the documented one with other
// addresses and paths. What is not there to be replaced is an error, so that
// the document and the test cannot part.
func (c *Cluster) config(n *node) (string, error) {
	text := string(c.Config)
	for _, r := range [][2]string{
		{`"broker-1"`, `"` + n.name + `"`},
		{`"127.0.0.1:4222"`, `"127.0.0.1:-1"`},
		{`"127.0.0.1:8222"`, `"` + n.http + `"`},
		{`"/var/lib/nats"`, fmt.Sprintf("%q", filepath.Join(c.Dir, n.name))},
		{`"0.0.0.0:6222"`, `"` + n.route + `"`},
		{`"0.0.0.0:8883"`, `"` + n.mqtt + `"`},
		{`"nats://broker-1.example:6222"`, `"nats://` + c.nodes[0].route + `"`},
		{`"nats://broker-2.example:6222"`, `"nats://` + c.nodes[1].route + `"`},
		{`"nats://broker-3.example:6222"`, `"nats://` + c.nodes[2].route + `"`},
		{`"/etc/nats/broker.pem"`, fmt.Sprintf("%q", c.Cert)},
		{`"/etc/nats/broker-key.pem"`, fmt.Sprintf("%q", c.Key)},
		{`"/etc/nats/ca.pem"`, fmt.Sprintf("%q", c.CA)},
	} {
		if !strings.Contains(text, r[0]) {
			return "", fmt.Errorf("the configuration of the broker has no %s", r[0])
		}
		text = strings.ReplaceAll(text, r[0], r[1])
	}
	return text, nil
}

func (c *Cluster) start(n *node) error {
	text, err := c.config(n)
	if err != nil {
		return err
	}
	file := filepath.Join(c.Dir, n.name+".conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("configure %s: %w", n.name, err)
	}
	cmd := exec.Command(c.Binary, "-c", file) //nolint:noctx // Stop ends it
	cmd.Stdout, cmd.Stderr = &n.log, &n.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.name, err)
	}
	n.cmd, n.ended = cmd, make(chan error, 1)
	go func() { n.ended <- cmd.Wait() }()
	return nil
}

// ask reads a page of a node's monitoring.
func (n *node) ask(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.http+path, nil)
	if err != nil {
		return nil, err
	}
	r.Close = true // no connection is left behind
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = a.Body.Close() }() // it was read
	b, err := io.ReadAll(io.LimitReader(a.Body, 8<<20))
	if err == nil && a.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", n.name, a.Status)
	}
	return b, err
}

func (n *node) healthy(ctx context.Context) bool {
	_, err := n.ask(ctx, "/healthz")
	return err == nil
}

// MQTT returns the nodes' addresses.
func (c *Cluster) MQTT() []string {
	var list []string
	for _, n := range c.nodes {
		list = append(list, n.mqtt)
	}
	return list
}

// messages is the stream that NATS keeps what is on its way in.
const messages = "$MQTT_msgs"

// leader returns the node that leads the stream of messages.
func (c *Cluster) leader(ctx context.Context) (*node, error) {
	var page struct {
		Accounts []struct {
			Streams []struct {
				Name    string `json:"name"`
				Cluster struct {
					Leader string `json:"leader"`
				} `json:"cluster"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	for _, n := range c.nodes {
		b, err := n.ask(ctx, "/jsz?accounts=true&streams=true")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &page); err != nil {
			return nil, fmt.Errorf("read the monitoring of %s: %w", n.name, err)
		}
		for _, a := range page.Accounts {
			for _, s := range a.Streams {
				for _, l := range c.nodes {
					if s.Name == messages && s.Cluster.Leader == l.name {
						return l, nil
					}
				}
			}
		}
	}
	return nil, errors.New("no node leads the stream of messages")
}

// KillLeader ends, without a warning, the node through which every message
// goes, and returns its name.
func (c *Cluster) KillLeader(ctx context.Context) (string, error) {
	n, err := c.leader(ctx)
	if err != nil {
		return "", err
	}
	n.kill()
	return n.name, nil
}

func (n *node) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill() // fails only when it has ended already
	err := <-n.ended
	n.ended <- err
}

// Stop ends all nodes and waits until they have ended.
func (c *Cluster) Stop() {
	for _, n := range c.nodes {
		n.kill()
	}
}

// Log returns what the nodes have said that is more than usual. Call it after
// Stop.
func (c *Cluster) Log() string {
	var b strings.Builder
	for _, n := range c.nodes {
		for l := range strings.Lines(n.log.String()) {
			if strings.Contains(l, "[WRN]") || strings.Contains(l, "[ERR]") || strings.Contains(l, "[FTL]") {
				fmt.Fprintf(&b, "%s: %s", n.name, l)
			}
		}
	}
	return b.String()
}
