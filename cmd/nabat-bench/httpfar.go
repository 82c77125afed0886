package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"nabat/gateway/journal"
	keys "nabat/sync/command"
	"nabat/sync/dispatch/gate"
	"nabat/sync/dispatch/intake"
	far "nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// post is one batch as it came.
type post struct {
	body   []byte
	zipped bool
}

// httpFar is dispatch's way from HTTP to the disk, in this process: its gate,
// intake and SQLite store behind net/http. It keeps the batches that it stored.
type httpFar struct {
	gate      http.Handler
	store     *far.Store
	server    *http.Server
	url       string // of the service
	database  string
	tokenFile string
	token     string
	cancel    context.CancelFunc
	ended     chan error // of three jobs

	mu            sync.Mutex // guards the fields below
	posts         []post
	begun, latest time.Time
}

// openFar opens a far end with an empty database that knows one gateway.
func (b *bench) openFar(ctx context.Context, gateway string) (f *httpFar, err error) {
	dir, err := b.folder("far-" + gateway)
	if err != nil {
		return nil, err
	}
	f = &httpFar{database: "sqlite:" + filepath.Join(dir, "dispatch.db"), tokenFile: filepath.Join(dir, "token"), ended: make(chan error, 3)}
	if f.store, err = far.Open(ctx, far.Options{URL: f.database}); err != nil {
		return nil, fmt.Errorf("open the far end: %w", err)
	}
	ln, err := f.prepare(ctx, gateway)
	if err != nil {
		return nil, errors.Join(err, f.store.Close())
	}
	in := intake.New(f.store, intake.Options{})
	key, err := keys.Generate("")
	if err != nil {
		return nil, errors.Join(err, ln.Close(), f.store.Close())
	}
	sign, err := keys.NewSigner(key)
	if err != nil {
		return nil, errors.Join(err, ln.Close(), f.store.Close())
	}
	f.gate = gate.New(gate.Options{Intake: in, Store: f.store, Signer: sign})
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: answerWithin}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f.cancel = cancel
	go func() { f.ended <- f.store.Run(run) }()
	go func() { f.ended <- in.Run(run) }()
	go func() {
		if err := f.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			f.ended <- err
			return
		}
		f.ended <- nil
	}()
	return f, nil
}

// prepare registers the gateway and opens a port.
func (f *httpFar) prepare(ctx context.Context, gateway string) (ln net.Listener, err error) {
	if f.token, err = f.store.AddGateway(ctx, far.Gateway{Site: benchSite, ID: gateway}, "", "bench"); err != nil {
		return nil, fmt.Errorf("register the gateway: %w", err)
	}
	if err := os.WriteFile(f.tokenFile, []byte(f.token+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write the token: %w", err)
	}
	if ln, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("open the far end's port: %w", err)
	}
	f.url = "http://" + ln.Addr().String()
	return ln, nil
}

// stop ends the far end, after what it has taken is stored.
func (f *httpFar) stop() error {
	err := f.server.Close()
	f.cancel()
	for range cap(f.ended) {
		err = errors.Join(err, <-f.ended)
	}
	return errors.Join(err, f.store.Close())
}

// ServeHTTP hands everything to the gate, and keeps the batches that it took.
func (f *httpFar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/events") {
		f.gate.ServeHTTP(w, r)
		return
	}
	f.mu.Lock()
	if f.begun.IsZero() {
		f.begun = time.Now()
	}
	f.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, event.MaxBatchBytes))
	if err != nil {
		return // the client went away, or the body has no end: no answer, and so nothing is claimed
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	f.gate.ServeHTTP(seen, r)
	if seen.status != http.StatusOK {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest = time.Now()
	f.posts = append(f.posts, post{body, r.Header.Get("Content-Encoding") == "gzip"})
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status and passes it on.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets the gate set its deadlines.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// stored returns the batches in the order in which they were stored, and how
// long it took from the first one's coming to the answer to the last.
func (f *httpFar) stored() ([]post, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.posts, f.latest.Sub(f.begun)
}

// check says whether batches hold n events, each once and in the order of its
// lane.
func check(posts []post, n int) error {
	a := newArrivals()
	for _, p := range posts {
		body := p.body
		if p.zipped {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				return fmt.Errorf("unpack a batch: %w", err)
			}
			if body, err = io.ReadAll(io.LimitReader(z, event.MaxBatchBytes)); err != nil {
				return fmt.Errorf("unpack a batch: %w", err)
			}
		}
		list, err := event.DecodeBatch(body)
		if err != nil {
			return fmt.Errorf("read a batch: %w", err)
		}
		for _, raw := range list {
			e, err := event.Decode(raw)
			a.note(journal.LaneOf(e.Type), e.Ref.Seq, err == nil)
		}
	}
	return a.check(n)
}
