package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"nabat/gateway/seats"
)

// maxPeers is how many connections one listener has at once: more than all
// streams together, far fewer than the file descriptors that the journal and
// the wall need too. A host that keeps taking every seat can keep new pages
// out, never end open ones; a seat where nothing is asked is free again after
// the server's time-outs.
const maxPeers = 512

const (
	sweepEvery = 30 * time.Second
	// stopWithin outlasts a decision that is waiting for the disk.
	stopWithin = decideWithin + time.Second
)

// Serve serves the pages on ln until ctx ends, and returns nil then. It closes
// ln. Streams end at once; a decision that is being written may finish. It may
// run for several listeners at the same time; each call does the house-keeping.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second, // streams set their own, message by message
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		// net/http's own log lines hold addresses of people's devices.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(seats.Listen(ln, s.peers)) }()
	keeping, stopKeeping := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() { defer close(kept); s.keepEveryday(keeping) }()
	defer func() { stopKeeping(); <-kept }()
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-served: // it ended by itself: the listener broke
			return fmt.Errorf("serve pages on %s: %w", ln.Addr(), err)
		case <-ticker.C:
			s.sweep()
		case <-ctx.Done():
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
			defer cancel()
			err := srv.Shutdown(stop)
			if err != nil {
				err = errors.Join(fmt.Errorf("stop serving pages on %s: %w", ln.Addr(), err), srv.Close())
			}
			<-served
			return err
		}
	}
}

func (s *Server) sweep() {
	if s.gate == nil {
		return
	}
	if s.gate.Sweep() {
		s.opt.Health.Set(conditionGuessing, "many wrong staff PINs from unknown addresses; find out who is on the network")
	} else {
		s.opt.Health.Clear(conditionGuessing)
	}
}
