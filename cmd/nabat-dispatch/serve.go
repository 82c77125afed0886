package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"nabat/docs"
)

// Bounds of every HTTP connection; handlers that need longer extend them.
const (
	headerTime  = 10 * time.Second
	readTime    = 90 * time.Second
	writeTime   = 120 * time.Second
	idleTime    = 2 * time.Minute
	maxHeader   = 32 << 10
	maxOpen     = 8192 // connections at a time
	stopPatient = 10 * time.Second
)

// listen opens the address of pages and gate.
func (svc *service) listen(ctx context.Context) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", svc.s.Listen)
	if err != nil {
		return nil, fmt.Errorf("open the address %s (listen): %w", svc.s.Listen, err)
	}
	l = newBounded(l, maxOpen)
	if svc.s.TLSCert == "" {
		return l, nil
	}
	c, err := svc.tlsConfig(true)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return tls.NewListener(l, c), nil
}

// tlsConfig reads the certificate for each connection, so that a renewed one is
// used without a restart.
func (svc *service) tlsConfig(pages bool) (*tls.Config, error) {
	cert, key := svc.s.TLSCert, svc.s.TLSKey
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		return nil, fmt.Errorf("load the certificate %s (`nabat-dispatch cert` renews it): %w", cert, err)
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				return nil, fmt.Errorf("load the certificate %s: %w", cert, err)
			}
			return &pair, nil
		},
	}
	if pages {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	if pages && svc.s.ClientCA != "" {
		pem, err := os.ReadFile(svc.s.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("read client_ca: %w", err)
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("client_ca %s holds no certificate", svc.s.ClientCA)
		}
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c, nil
}

// contract hands out what gateways and other systems are promised.
func contract(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.FileServerFS(docs.Contract).ServeHTTP(w, r)
}

// serve answers HTTP until ctx ends.
func (svc *service) serve(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("/v1/", svc.gate)
	mux.HandleFunc("GET /healthz", svc.healthz)
	mux.HandleFunc("GET /metrics", svc.metrics)
	for _, name := range []string{"openapi.yaml", "asyncapi.yaml", "schemas.yaml"} {
		mux.HandleFunc("GET /"+name, contract)
	}
	mux.Handle("GET /{$}", http.RedirectHandler("/dispatch", http.StatusSeeOther))
	mux.Handle("/", svc.desk.Handler())
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    slog.NewLogLogger(svc.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(svc.pages) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve pages: %w", err)
	case <-ctx.Done():
	}
	// Batches on their way are answered; polls and streams end with their
	// requests' context.
	calm := time.AfterFunc(time.Second, end)
	defer calm.Stop()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatient)
	defer cancel()
	err := srv.Shutdown(patience)
	if err != nil {
		err = srv.Close()
	}
	<-served
	return err
}
