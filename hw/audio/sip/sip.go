// Package sip calls a paging adapter or a telephone that answers by itself, and
// speaks to it: SIP over UDP, TCP or TLS, G.711 in RTP.
package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"

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
	// Interface is the name of the network interface; empty lets the kernel choose.
	Interface string
	// TLS is for the transport "tls"; nil means the roots of the system.
	TLS *tls.Config
	// Log gets a line a call; nil is silence. No password is ever in it.
	Log *slog.Logger
}

// Driver is one device that is called.
type Driver struct {
	o Options
}

// New checks the options and calls nobody.
func New(o Options) (*Driver, error) {
	return &Driver{o: o}, nil
}

// Open calls, and returns when the device has answered. It implements audio.Driver.
func (d *Driver) Open(context.Context) (audio.Stream, error) {
	return nil, errors.New("sip: not built yet")
}

// Check asks the device for its options; any answer proves that it is alive. It
// implements audio.Driver.
func (d *Driver) Check(context.Context) error { return errors.New("sip: not built yet") }

// Close implements audio.Driver; nothing is kept between calls.
func (d *Driver) Close() error { return nil }
