package sip_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"nabat/hw/audio/sip"
)

func TestOptionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		o    sip.Options
		want string
	}{
		{sip.Options{URI: "sip:500@10.0.0.9"}, ""},
		{sip.Options{URI: "sip:500@10.0.0.9:5080;transport=tcp"}, ""},
		{sip.Options{URI: "sips:500@phone.school.kz", Transport: "tls"}, ""},
		{sip.Options{URI: "500@10.0.0.9"}, "no SIP address"},
		{sip.Options{URI: ""}, "no SIP address"},
		{sip.Options{URI: "*"}, "no SIP address"},
		{sip.Options{URI: "tel:+77001234567"}, "no SIP address"},
		{sip.Options{URI: "sip:500@[fd00::1]"}, "IPv6"},
		{sip.Options{URI: "sip:500:hunter2@10.0.0.9"}, "password_file"},
		{sip.Options{URI: "sip:500@10.0.0.9\r\nX: y"}, "characters"},
		{sip.Options{URI: "sip:500@10.0.0.9?Subject=x"}, "headers"},
		{sip.Options{URI: "sips:500@10.0.0.9"}, "needs the transport tls"},
		{sip.Options{URI: "sip:500@10.0.0.9", Transport: "ws"}, "udp, tcp or tls"},
		{sip.Options{URI: "sip:500@10.0.0.9", Username: "nabat"}, "belong together"},
		{sip.Options{URI: "sip:500@10.0.0.9", From: "nabat"}, "from"},
	} {
		_, err := sip.New(c.o)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", c.o, err)
		case c.want != "":
			contains(t, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a password is told: %v", err)
		}
	}
}

func TestPasswordFileThatIsMissing(t *testing.T) {
	d, err := sip.New(sip.Options{URI: "sip:500@127.0.0.1:9", Username: "nabat", PasswordFile: t.TempDir() + "/none"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Open(soon(t))
	contains(t, err, "password file")
	contains(t, d.Check(soon(t)), "password file")
}

func TestInterfaceThatIsMissing(t *testing.T) {
	d, err := sip.New(sip.Options{URI: "sip:500@127.0.0.1:9", Interface: "phones0"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Open(soon(t))
	contains(t, err, "phones0", "lo")
}

// sipp is built without TLS here, so that it stands behind a TLS server of ours,
// which takes the encryption off.
func TestTLS(t *testing.T) {
	cert, roots := authority(t)
	p := startPhone(t, "options", "tcp", 0, 40000, 0)
	l, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			relay(c, p.port)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	port := l.Addr().(*net.TCPAddr).Port
	if err := driver(t, port, sip.Options{Transport: "tls"}).Check(soon(t)); err == nil {
		t.Error("a certificate of an unknown authority was taken")
	} else {
		contains(t, err, "certificate")
	}
	if err := driver(t, port, sip.Options{Transport: "tls", TLS: &tls.Config{RootCAs: roots}}).Check(soon(t)); err != nil {
		t.Error(err)
	}
	p.done(t)
	if !strings.Contains(p.heard(), "SIP/2.0/TLS") {
		t.Errorf("it was asked otherwise:\n%s", p.heard())
	}
}

// relay copies until one side closes.
func relay(c net.Conn, port int) {
	defer c.Close()
	if err := c.(*tls.Conn).Handshake(); err != nil {
		return
	}
	to, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return
	}
	defer to.Close()
	back := make(chan struct{})
	go func() {
		defer close(back)
		copyUntilClosed(c, to)
		_ = c.Close()
	}()
	copyUntilClosed(to, c)
	_ = to.Close()
	<-back
}

func copyUntilClosed(to, from net.Conn) {
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// authority makes a certificate for 127.0.0.1, and what trusts it.
func authority(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
