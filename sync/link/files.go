package link

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrFile is wrapped by errors about files that the administrator gave.
var ErrFile = errors.New("fix the file; no restart is needed")

// ErrDates is wrapped by errors about certificates that are not valid by this
// machine's clock. The clock may be wrong.
var ErrDates = errors.New("renew the certificate, or set the clock")

// maxFile bounds what is read of a password, key or certificate file.
const maxFile = 1 << 20

// ReadFile reads a whole small file.
func ReadFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrFile)
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes: %w", path, maxFile, ErrFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrFile)
	}
	return b, nil
}

// FirstLine reads the first line of a file that holds a secret, without its
// end. An empty path gives an empty secret.
func FirstLine(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := ReadFile(path)
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return string(bytes.TrimSuffix(line, []byte{'\r'})), nil
}

// Certificates names the files of one link. Cert and Key go together.
type Certificates struct {
	CA, Cert, Key string
	// Name is what the other end's certificate must name.
	Name string
}

// Config reads the files. ours is a complaint about the gateway's own
// certificate when its dates are wrong by this clock: the other end will then
// refuse it in words that help nobody.
func (f Certificates) Config() (c *tls.Config, ours error, err error) {
	c = &tls.Config{ServerName: f.Name, MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		pem, err := ReadFile(f.CA)
		if err != nil {
			return nil, nil, fmt.Errorf("CA file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, nil, fmt.Errorf("CA file %s holds no certificate: %w", f.CA, ErrFile)
		}
	}
	if f.Cert == "" {
		return c, nil, nil
	}
	cert, err := ReadFile(f.Cert)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate file: %w", err)
	}
	key, err := ReadFile(f.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("key file: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %s with its key: %w: %w", f.Cert, err, ErrFile)
	}
	c.Certificates = []tls.Certificate{pair}
	if dates := WrongDates(pair.Leaf, time.Now()); dates != "" {
		ours = fmt.Errorf("the gateway's certificate %s %s: %w", f.Cert, dates, ErrDates)
	}
	return c, ours, nil
}

// WrongDates says in words why a certificate is not valid at a time, or "".
func WrongDates(c *x509.Certificate, now time.Time) string {
	switch {
	case c == nil:
		return ""
	case now.Before(c.NotBefore):
		return fmt.Sprintf("is not valid before %s and this clock says %s; the clock is probably wrong",
			c.NotBefore.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime))
	case now.After(c.NotAfter):
		return fmt.Sprintf("expired at %s", c.NotAfter.UTC().Format(time.DateTime))
	}
	return ""
}
