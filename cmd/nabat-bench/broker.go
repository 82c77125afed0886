package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

var errMissing = errors.New("a program is missing")

// need finds a program of Debian's, or says how to install it.
func need(program, pkg string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%w: %s: apt-get install --no-install-recommends %s", errMissing, program, pkg)
	}
	return path, nil
}

// broker is a mosquitto of our own on loopback.
type broker struct {
	address string
	cmd     *exec.Cmd
	said    bytes.Buffer // by the process; read after it has ended
	ended   chan error
}

// brokerConfig lets the queue to a slow subscriber grow, because the default
// drops what exceeds 1000 messages, and sends small packets at once. Nothing is
// written to the disk.
const brokerConfig = `listener %d 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
set_tcp_nodelay true
log_type error
log_type warning
log_dest stderr
`

// startBroker starts a broker and waits until it accepts connections. It tries
// another port when somebody else was faster.
func startBroker(ctx context.Context, b *bench) (*broker, error) { return startBrokerWith(ctx, b, "") }

// startBrokerWith starts a broker with more lines in its configuration.
func startBrokerWith(ctx context.Context, b *bench, more string) (*broker, error) {
	program, err := need("mosquitto", "mosquitto")
	if err != nil {
		return nil, err
	}
	dir, err := b.folder("broker")
	if err != nil {
		return nil, err
	}
	for range 5 {
		br, startErr := tryBroker(ctx, program, dir, more)
		if startErr == nil {
			return br, nil
		}
		err = startErr
	}
	return nil, err
}

// freeAddress returns an address of loopback at which nobody listened just now.
func freeAddress(ctx context.Context) (*net.TCPAddr, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	address := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	return address, nil
}

func tryBroker(ctx context.Context, program, dir, more string) (*broker, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	br := &broker{address: address.String(), ended: make(chan error, 1)}
	config := fmt.Sprintf(brokerConfig, address.Port)
	if os.Geteuid() == 0 {
		config += "user root\n"
	}
	file := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("configure the broker: %w", err)
	}
	br.cmd = exec.CommandContext(ctx, program, "-c", file)
	br.cmd.Stderr = &br.said
	if err := br.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start mosquitto: %w", err)
	}
	go func() { br.ended <- br.cmd.Wait() }()
	err = until(ctx, 10*time.Second, "mosquitto accepts a connection", func() (bool, error) {
		select {
		case err := <-br.ended:
			br.ended <- err
			return false, fmt.Errorf("mosquitto ended: %v: %s", err, strings.TrimSpace(br.said.String())) //nolint:errorlint // its exit status is only told
		default:
		}
		d := net.Dialer{Timeout: time.Second}
		c, err := d.DialContext(ctx, "tcp", br.address)
		if err != nil {
			return false, nil
		}
		return true, c.Close()
	})
	if err != nil {
		br.stop()
		return nil, err
	}
	return br, nil
}

// stop ends the broker and waits until it has ended.
func (br *broker) stop() {
	_ = br.cmd.Process.Kill() // fails only when it has ended already
	<-br.ended
}

// until waits until something is so.
func until(ctx context.Context, limit time.Duration, what string, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited %s until %s: %w", limit, what, ctx.Err())
		}
	}
}

// untilTrue waits until something that cannot fail is so.
func untilTrue(ctx context.Context, limit time.Duration, what string, so func() bool) error {
	return until(ctx, limit, what, func() (bool, error) { return so(), nil })
}

// client connects a bare client: as sync/mqtt sets its own up, except for the
// connection itself, which is paho's.
func (br *broker) client(id string) (paho.Client, error) {
	o := paho.NewClientOptions()
	o.AddBroker("tcp://" + br.address)
	o.SetClientID(id)
	o.SetProtocolVersion(4)
	o.SetCleanSession(true)
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	o.SetKeepAlive(15 * time.Second)
	o.SetConnectTimeout(5 * time.Second)
	o.SetWriteTimeout(5 * time.Second)
	c := paho.NewClient(o)
	return c, done(c.Connect(), "connect to the broker")
}

// answerWithin bounds every wait for the broker's answer.
const answerWithin = 10 * time.Second

var errSilent = errors.New("the broker does not answer")

// done waits for a token.
func done(t paho.Token, what string) error {
	if !t.WaitTimeout(answerWithin) {
		return fmt.Errorf("%s: %w", what, errSilent)
	}
	if err := t.Error(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// farewell is how long a client may take to say goodbye, in milliseconds.
const farewell = 250
