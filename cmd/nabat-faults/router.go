package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// router passes connections on, and can forget those that it has: they stay
// open, nothing comes through in either direction, and new ones work. No toxic
// of toxiproxy tells old connections from new ones.
type router struct {
	address string

	wg    sync.WaitGroup
	mu    sync.Mutex // guards the fields below
	flows []*flow
	ended bool
}

// flow is one connection, from both sides.
type flow struct {
	near, far net.Conn
	forgotten atomic.Bool
}

// startRouter opens the way to a server until the world ends.
func (w *world) startRouter(ctx context.Context, server string) (*router, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a router: %w", err)
	}
	r := &router{address: l.Addr().String()}
	r.wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return // closed below
			}
			d := net.Dialer{Timeout: 5 * time.Second}
			far, err := d.DialContext(ctx, "tcp", server)
			if err != nil {
				_ = near.Close() // the server is down: the peer sees that
				continue
			}
			r.join(&flow{near: near, far: far})
		}
	})
	w.atEnd(func() error {
		err := l.Close()
		r.mu.Lock()
		r.ended = true
		for _, f := range r.flows {
			f.close()
		}
		r.mu.Unlock()
		r.wg.Wait()
		return err
	})
	return r, nil
}

func (r *router) join(f *flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		f.close()
		return
	}
	r.flows = append(r.flows, f)
	r.wg.Go(func() { f.pass(f.near, f.far) })
	r.wg.Go(func() { f.pass(f.far, f.near) })
}

// forget lets nothing more through the connections that there are.
func (r *router) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.flows {
		f.forgotten.Store(true)
	}
}

// pass copies one direction until its end, which a forgotten flow hides.
func (f *flow) pass(to io.Writer, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if f.forgotten.Load() {
			if err != nil {
				return
			}
			continue
		}
		if n > 0 && err == nil {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			f.close()
			return
		}
	}
}

func (f *flow) close() {
	_ = f.near.Close() // it may be closed already
	_ = f.far.Close()
}
