package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"nabat/sync/link"
)

// broker reaches MQTT's far end. The log-in is the gateway's: with a second
// client of the same name a broker would close the first one's connection.
func (d doctor) broker(ctx context.Context) []finding {
	m := d.config.MQTT
	list := d.secret("broker", m.PasswordFile)
	var certificates *link.Certificates
	if m.TLS {
		host, _, err := net.SplitHostPort(m.Host)
		if err != nil {
			return append(list, found("broker", "", err))
		}
		certificates = &link.Certificates{CA: m.CA, Cert: m.Cert, Key: m.Key, Name: host}
	}
	return append(list, reach(ctx, "broker", m.Host, certificates)...)
}

func (d doctor) central(ctx context.Context) []finding {
	c := d.config.Central
	list := d.secret("central service", c.TokenFile)
	u, err := url.Parse(c.URL)
	if err != nil {
		return append(list, found("central service", "", err))
	}
	var certificates *link.Certificates
	port := "80"
	if u.Scheme == "https" {
		port = "443"
		certificates = &link.Certificates{CA: c.CA, Cert: c.Cert, Key: c.Key, Name: cmp.Or(c.ServerName, u.Hostname())}
	}
	return append(list, reach(ctx, "central service", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)), certificates)...)
}

// secret looks whether a file with a password can be read. It shows nothing of it.
func (doctor) secret(what, path string) []finding {
	if path == "" {
		return nil
	}
	if _, err := link.FirstLine(path); err != nil {
		return []finding{found(what, "", err)}
	}
	return nil
}

// reach connects, and greets by TLS where the link does.
func reach(ctx context.Context, what, address string, certificates *link.Certificates) []finding {
	dialer := link.Dialer(doctorPatience/2, doctorPatience/2)
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return []finding{{broken, what, fmt.Sprintf("%s is not reached: %v; check the cable, the address and the firewall", address, err)}}
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	if certificates == nil {
		return []finding{{doubt, what, address + " answers, without TLS"}}
	}
	c, ours, err := certificates.Config()
	if err = errors.Join(err, ours); err != nil {
		return []finding{found(what, "", err)}
	}
	t := tls.Client(conn, c)
	if err := t.HandshakeContext(ctx); err != nil {
		return []finding{{broken, what, fmt.Sprintf("%s: TLS: %v; check ca, the name and the clock", address, err)}}
	}
	return expiry(what, address+" answers over TLS; its certificate", t.ConnectionState().PeerCertificates[0])
}

// expiry says how long a certificate holds yet.
func expiry(what, about string, c *x509.Certificate) []finding {
	const soon = 14 * 24 * time.Hour
	if dates := link.WrongDates(c, time.Now()); dates != "" {
		return []finding{{broken, what, about + " " + dates}}
	}
	f := finding{well, what, fmt.Sprintf("%s holds until %s", about, c.NotAfter.Format(time.DateOnly))}
	if time.Until(c.NotAfter) < soon {
		f.verdict = doubt
		f.detail += ": renew it"
	}
	return []finding{f}
}

// pages looks at the certificate that browsers see.
func (d doctor) pages(context.Context) []finding {
	w := d.config.Web
	if w.TLSCert == "" {
		return []finding{{doubt, "pages", "are served without TLS: staff type the PIN in clear (set tls_cert and tls_key)"}}
	}
	pair, err := tls.LoadX509KeyPair(w.TLSCert, w.TLSKey)
	if err != nil {
		return []finding{found("pages", "", fmt.Errorf("certificate %s: %w", w.TLSCert, err))}
	}
	return expiry("pages", "the certificate "+w.TLSCert, pair.Leaf)
}
