package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/url"
	"os"

	"nabat/sync/dispatch/store"
	"nabat/sync/dispatch/webhook"
)

// wire makes one webhook of its settings.
func (w webhookSettings) wire(db *store.Store, address string, log *slog.Logger) (*webhook.Webhook, error) {
	secret, err := os.ReadFile(w.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("the secret of webhook %s: %w", w.Name, err)
	}
	o := webhook.Options{Name: w.Name, URL: w.URL, Secret: bytes.TrimSpace(secret), AllowPrivate: w.AllowPrivate, Outbox: db, Log: log}
	if address != "" {
		o.Link = func(g store.Gateway, alertID string) string {
			return "https://" + address + "/dispatch/alerts/" + url.PathEscape(g.Site) + "/" + url.PathEscape(g.ID) + "/" + url.PathEscape(alertID) + "/cap"
		}
	}
	if w.CA != "" {
		pem, err := os.ReadFile(w.CA)
		if err != nil {
			return nil, fmt.Errorf("the CA of webhook %s: %w", w.Name, err)
		}
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
		if !o.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the CA of webhook %s, %s, holds no certificate", w.Name, w.CA)
		}
	}
	return webhook.New(o)
}
