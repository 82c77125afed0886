package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

type certVerb struct {
	configFlag
	Host []string `help:"Names or addresses in the new certificate (repeat it); without it, those of the old one."`
}

// Run renews the server's certificate. The running service uses it for the next
// connection.
func (v certVerb) Run(stdout io.Writer) error {
	s, err := loadConfig(v.Config)
	if err != nil {
		return err
	}
	dir := filepath.Dir(v.Config)
	if s.TLSCert != filepath.Join(dir, serverFile) || s.TLSKey != filepath.Join(dir, serverKeyFile) {
		return errors.New("the certificate of this service was not made by init; whoever made it renews it")
	}
	hosts := v.Host
	if len(hosts) == 0 {
		der, err := readPEM(s.TLSCert)
		if err != nil {
			return err
		}
		old, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("read the old certificate (give its names with --host): %w", err)
		}
		for _, ip := range old.IPAddresses {
			hosts = append(hosts, ip.String())
		}
		hosts = append(hosts, old.DNSNames...)
	}
	if len(hosts) == 0 {
		return errors.New("the old certificate has no name: give some with --host")
	}
	if err := makeServer(dir, hosts); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s is good for %d days, for %v.\n", s.TLSCert, serverDays, hosts)
	return err
}
