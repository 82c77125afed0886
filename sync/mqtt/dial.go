package mqtt

import (
	"context"
	"crypto/tls"
	"fmt"

	"nabat/sync/link"
)

// password reads the first line of the password file.
func (p *Publisher) password() (string, error) {
	password, err := link.FirstLine(p.o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	return password, nil
}

// dial opens TCP and, if wanted, TLS, within one timeout each. An error that
// the broker gives because of our own certificate's dates names them.
func (p *Publisher) dial(ctx context.Context) (w *wire, ours error, err error) {
	d := link.Dialer(p.t.Timeout, p.t.Unacked)
	raw, err := d.DialContext(ctx, "tcp", p.target.host)
	if err != nil {
		return nil, nil, err
	}
	if !p.target.tls {
		return newWire(raw, raw, p.t.Timeout), nil, nil
	}
	config, ours, err := link.Certificates{CA: p.o.CAFile, Cert: p.o.CertFile, Key: p.o.KeyFile, Name: p.target.name}.Config()
	if err != nil {
		_ = raw.Close()
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.t.Timeout)
	defer cancel()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, ours, fmt.Errorf("TLS with %s: %w", p.target.name, err)
	}
	return newWire(conn, raw, p.t.Timeout), ours, nil
}
