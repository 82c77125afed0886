package subscriber

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// target is a checked broker address.
type target struct {
	host string // host:port
	name string // what a certificate must name
	tls  bool
}

func (o Options) check() (target, error) {
	u, err := url.Parse(o.Broker)
	switch {
	case err != nil || u.Hostname() == "" || u.RawQuery != "" || (u.Path != "" && u.Path != "/"):
		// The error would quote the address with all that is in it.
		return target{}, errors.New("the broker's address cannot be used; write tls://host:8883")
	case u.User != nil:
		return target{}, errors.New("the broker's address must not hold user or password; set user and password file")
	case o.ClientID == "":
		return target{}, errors.New("a client id is needed: it is the name of the kept session")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return target{}, errors.New("a certificate and its key belong together; set both files or none")
	}
	t, port := target{name: u.Hostname()}, "8883"
	switch u.Scheme {
	case "tls", "ssl", "mqtts":
		t.tls = true
	case "tcp", "mqtt":
		port = "1883"
		if ip := net.ParseIP(t.name); !o.AllowPlaintext && t.name != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return target{}, fmt.Errorf("without TLS everyone on the way to %s reads and forges alarms; use tls://", t.name)
		}
	default:
		return target{}, fmt.Errorf("scheme %q is unknown; use tls://", u.Scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	t.host = net.JoinHostPort(t.name, port)
	return t, nil
}

// maxFile bounds what is read of a password, key or certificate file.
const maxFile = 1 << 20

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return b, err
}

// password reads the first line of the password file.
func (s *Subscriber) password() (string, error) {
	if s.o.PasswordFile == "" {
		return "", nil
	}
	b, err := readFile(s.o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return string(bytes.TrimSuffix(line, []byte{'\r'})), nil
}

func (s *Subscriber) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{ServerName: s.target.name, MinVersion: tls.VersionTLS12}
	if s.o.CAFile != "" {
		pem, err := readFile(s.o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s holds no certificate", s.o.CAFile)
		}
	}
	if s.o.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(s.o.CertFile, s.o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("certificate %s with its key: %w", s.o.CertFile, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// dial opens TCP and, if wanted, TLS.
func (s *Subscriber) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: s.o.Timeout, Control: control}
	raw, err := d.DialContext(ctx, "tcp", s.target.host)
	if err != nil || !s.target.tls {
		return raw, err
	}
	config, err := s.tlsConfig()
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("TLS with %s: %w", s.target.name, err)
	}
	return conn, nil
}

// unacked is how long the kernel waits for a dead link.
const unacked = 10 * time.Second

// control sets TCP_USER_TIMEOUT before the connection begins: without it the
// kernel keeps sending into a dead link for a quarter of an hour.
func control(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacked.Milliseconds()))
	}); e != nil {
		return e
	}
	if err != nil {
		return fmt.Errorf("set TCP_USER_TIMEOUT: %w", err)
	}
	return nil
}
