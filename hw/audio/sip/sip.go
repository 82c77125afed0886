// Package sip calls a paging adapter or a telephone that answers by itself, and
// speaks to it: SIP over UDP, TCP or TLS, G.711 in RTP, IPv4.
//
// A call is never left behind: one that is given up while it rings is cancelled,
// one that is answered after that is hung up, and every answered one ends with a
// BYE. That takes up to 3 s after a stream's Close; the next Open waits for it,
// and so does the driver's Close. A process that is killed sends no BYE: the
// device then hangs up by its own limit on silence, which it should have.
package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"nabat/hw/audio"
)

// Options say whom a Driver calls.
type Options struct {
	// URI is whom to call, as "sip:500@10.0.0.9" or "sip:500@10.0.0.9:5080".
	URI string
	// From is how the gateway names itself, as "sip:nabat@10.0.0.2"; empty means
	// nabat at the address that the call leaves from.
	From string
	// Username and PasswordFile answer a challenge; both are set or neither. The
	// file is read anew for each call.
	Username     string
	PasswordFile string
	// Transport is "udp" (also when empty), "tcp" or "tls".
	Transport string
	// Interface is the name of the network interface whose address the call
	// leaves from; empty lets the kernel choose.
	Interface string
	// TLS is for the transport "tls"; nil means the roots of the system.
	TLS *tls.Config
	// Log gets a line a call; nil is silence. No password is ever in it.
	Log *slog.Logger
}

// Driver is one device that is called.
type Driver struct {
	o         Options
	uri, from sip.Uri
	transport string // as SIP writes it: UDP, TCP, TLS

	mu sync.Mutex
	// open says that there is a stream, or one is being opened; idle is closed
	// when nothing of the last call is left. mu guards them.
	open bool
	idle chan struct{}
}

// windUp bounds how long the end of a call takes with a device that is silent.
const windUp = 3 * time.Second

// New checks the options and calls nobody.
func New(o Options) (*Driver, error) {
	d := &Driver{o: o, idle: make(chan struct{})}
	close(d.idle)
	if d.o.Log == nil {
		d.o.Log = slog.New(slog.DiscardHandler)
	}
	if err := parseURI(o.URI, &d.uri); err != nil {
		return nil, fmt.Errorf("uri %q: %w: write it as sip:500@10.0.0.9", withoutPassword(o.URI), err)
	}
	if o.From != "" {
		if err := parseURI(o.From, &d.from); err != nil {
			return nil, fmt.Errorf("from %q: %w: write it as sip:nabat@10.0.0.2", withoutPassword(o.From), err)
		}
	}
	transport := o.Transport
	if transport == "" {
		transport, _ = d.uri.UriParams.Get("transport")
	}
	switch d.transport = strings.ToUpper(transport); d.transport {
	case "UDP", "TCP", "TLS":
	case "":
		d.transport = "UDP"
	default:
		return nil, fmt.Errorf("transport %q: use udp, tcp or tls", transport)
	}
	if d.uri.Scheme == "sips" && d.transport != "TLS" {
		return nil, fmt.Errorf("uri %q: sips needs the transport tls", o.URI)
	}
	if (o.Username == "") != (o.PasswordFile == "") {
		return nil, fmt.Errorf("uri %q: a user name and a password file belong together: set both or neither", o.URI)
	}
	return d, nil
}

func parseURI(s string, u *sip.Uri) error {
	if strings.ContainsAny(s, " \t\r\n<>\"") {
		return errors.New("there are characters in it that a SIP address does not have")
	}
	if err := sip.ParseUri(s, u); err != nil {
		return errors.New("it is no SIP address")
	}
	switch {
	case u.Scheme != "sip" && u.Scheme != "sips", u.Host == "", u.Wildcard:
		return errors.New("it is no SIP address")
	case u.Password != "":
		return errors.New("a password has no place in it: use password_file")
	case u.Headers.Length() > 0:
		return errors.New("headers have no place in it")
	case strings.Contains(u.Host, ":"), strings.Contains(u.Host, "["):
		return errors.New("IPv6 is not spoken here")
	case u.Port < 0 || u.Port > 65535:
		return errors.New("its port is none")
	}
	return nil
}

// withoutPassword takes what may be a password out of an address.
func withoutPassword(uri string) string {
	at := strings.LastIndexByte(uri, '@')
	scheme := strings.IndexByte(uri, ':')
	if at < 0 || scheme < 0 || scheme > at {
		return uri
	}
	if i := strings.IndexByte(uri[scheme+1:at], ':'); i >= 0 {
		return uri[:scheme+1+i] + ":…" + uri[at:]
	}
	return uri
}

// password reads the file anew, so that a changed one needs no restart.
func (d *Driver) password() (string, error) {
	if d.o.PasswordFile == "" {
		return "", nil
	}
	f, err := os.Open(d.o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	p := strings.TrimRight(string(b), "\r\n")
	if p == "" {
		return "", fmt.Errorf("password file %s is empty: write the password into it", d.o.PasswordFile)
	}
	return p, nil
}

// String returns whom it calls.
func (d *Driver) String() string { return d.uri.Addr() }

// Open calls, and returns when the device has answered. A call that ctx ends is
// cancelled in the background. It implements audio.Driver.
func (d *Driver) Open(ctx context.Context) (audio.Stream, error) {
	d.mu.Lock()
	if d.open {
		d.mu.Unlock()
		return nil, fmt.Errorf("call to %s: a call is open already", d)
	}
	before, idle := d.idle, make(chan struct{})
	d.open, d.idle = true, idle
	d.mu.Unlock()
	select {
	case <-before:
	case <-ctx.Done():
		// Nobody has been called: the end of the call before is the end of this one.
		d.mu.Lock()
		d.open, d.idle = false, before
		d.mu.Unlock()
		return nil, fmt.Errorf("call to %s: the call before has not ended: %w", d, ctx.Err())
	}
	s, err := d.call(ctx, func() { close(idle) })
	if err != nil {
		d.closed()
		return nil, fmt.Errorf("call to %s: %w", d, err)
	}
	return s, nil
}

// closed lets the next call be opened; it is made when this one is wound up.
func (d *Driver) closed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = false
}

// Check asks the device for its options; any answer proves that it is alive. It
// implements audio.Driver.
func (d *Driver) Check(ctx context.Context) error {
	if err := d.check(ctx); err != nil {
		return fmt.Errorf("ask %s: %w", d, err)
	}
	return nil
}

func (d *Driver) check(ctx context.Context) error {
	if _, err := d.password(); err != nil {
		return err
	}
	a, err := d.newAgent(ctx, func(*sip.Request, *sip.ServerTx) {})
	if err != nil {
		return err
	}
	defer a.close()
	c := a.newCall(d)
	tx, err := a.start(ctx, c.request(sip.OPTIONS, 1))
	if err != nil {
		return unreachable(err)
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return nil
			}
		case <-tx.Done():
			return silent(tx.Err())
		case <-ctx.Done():
			return silent(ctx.Err())
		}
	}
}

// Close waits until the last call is wound up, at most 3 s. It implements
// audio.Driver.
func (d *Driver) Close() error {
	d.mu.Lock()
	open, idle := d.open, d.idle
	d.mu.Unlock()
	if !open {
		<-idle
	}
	return nil
}
