package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errFiles marks errors about files that the administrator gave.
var errFiles = errors.New("fix the file; no restart is needed")

// maxFile bounds what is read of a password, key or certificate file.
const maxFile = 1 << 20

func readFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errFiles)
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes: %w", path, maxFile, errFiles)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, errFiles)
	}
	return b, nil
}

// password reads the first line of the password file.
func (p *Publisher) password() (string, error) {
	if p.o.PasswordFile == "" {
		return "", nil
	}
	b, err := readFile(p.o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return string(bytes.TrimSuffix(line, []byte{'\r'})), nil
}

// tlsConfig reads the certificate files. ours is the gateway's own certificate
// when its dates are wrong by our clock.
func (p *Publisher) tlsConfig() (c *tls.Config, ours error, err error) {
	c = &tls.Config{ServerName: p.target.name, MinVersion: tls.VersionTLS12}
	if p.o.CAFile != "" {
		pem, err := readFile(p.o.CAFile)
		if err != nil {
			return nil, nil, fmt.Errorf("CA file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, nil, fmt.Errorf("CA file %s holds no certificate: %w", p.o.CAFile, errFiles)
		}
	}
	if p.o.CertFile == "" {
		return c, nil, nil
	}
	cert, err := readFile(p.o.CertFile)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate file: %w", err)
	}
	key, err := readFile(p.o.KeyFile)
	if err != nil {
		return nil, nil, fmt.Errorf("key file: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %s with its key: %w: %w", p.o.CertFile, err, errFiles)
	}
	c.Certificates = []tls.Certificate{pair}
	if dates := wrongDates(pair.Leaf, time.Now()); dates != "" {
		ours = fmt.Errorf("the gateway's certificate %s %s: %w", p.o.CertFile, dates, errDates)
	}
	return c, ours, nil
}

// dial opens TCP and, if wanted, TLS, within one timeout each. An error that
// the broker gives because of our own certificate's dates names them.
func (p *Publisher) dial(ctx context.Context) (w *wire, ours error, err error) {
	d := net.Dialer{Timeout: p.t.Timeout, Control: p.control}
	raw, err := d.DialContext(ctx, "tcp", p.target.host)
	if err != nil {
		return nil, nil, err
	}
	if !p.target.tls {
		return newWire(raw, raw, p.t.Timeout), nil, nil
	}
	config, ours, err := p.tlsConfig()
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

// control sets TCP_USER_TIMEOUT before the connection begins: without it the
// kernel keeps sending into a dead link for a quarter of an hour.
func (p *Publisher) control(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(p.t.Unacked.Milliseconds()))
	}); e != nil {
		return e
	}
	if err != nil {
		return fmt.Errorf("set TCP_USER_TIMEOUT: %w", err)
	}
	return nil
}
