package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// middle stands between a gateway and the central service, and answers in its
// place as foreign networks and broken servers do.
type middle struct {
	w *world
	// url is what the gateway is told.
	url string
	// asked counts requests that carried events.
	asked atomic.Int64

	mu       sync.Mutex // guards misbehave
	trouble  func(w http.ResponseWriter, r *http.Request) bool
	upstream *httputil.ReverseProxy
}

// startMiddle opens the way to the central service at target. With a
// certificate it speaks TLS itself.
func (w *world) startMiddle(ctx context.Context, target string, trust *tls.Config, own *tls.Certificate) (*middle, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("the central service's address: %w", err)
	}
	m := &middle{w: w, upstream: httputil.NewSingleHostReverseProxy(to)}
	m.upstream.Transport = &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: false}
	// While dispatch is down the gateway hears what a real front end would say.
	m.upstream.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen between: %w", err)
	}
	m.url = "http://" + l.Addr().String()
	if own != nil {
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*own}})
		m.url = "https://" + l.Addr().String()
	}
	srv := &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(l) }() // ends with Close below
	w.atEnd(func() error {
		err := srv.Close()
		<-served
		return err
	})
	return m, nil
}

// ServeHTTP implements http.Handler.
func (m *middle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && isEvents(r) {
		m.asked.Add(1)
	}
	m.mu.Lock()
	trouble := m.trouble
	m.mu.Unlock()
	if trouble == nil || !trouble(w, r) {
		m.upstream.ServeHTTP(w, r)
	}
}

// misbehave sets what happens to requests from now on: f reports whether it
// has answered. nil passes everything on.
func (m *middle) misbehave(f func(w http.ResponseWriter, r *http.Request) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble = f
}

// askedAtLeast waits until the gateway has tried to deliver n more times.
func (m *middle) askedAtLeast(ctx context.Context, n int64) error {
	begin := m.asked.Load()
	return m.w.until(ctx, fmt.Sprintf("%d more attempts to deliver", n), func() (bool, error) { return m.asked.Load() >= begin+n, nil })
}

// isEvents reports whether a request carries events.
func isEvents(r *http.Request) bool {
	const end = "/events"
	p := r.URL.Path
	return len(p) > len(end) && p[len(p)-len(end):] == end
}
