package scaletest

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Front stands before several processes that do the same, as a load balancer
// for TCP does: each connection goes to the next one that answers. It knows
// nothing of what is said, and ends no encryption.
type Front struct {
	l       net.Listener
	targets []string
	next    atomic.Uint64
}

// NewFront opens a port on loopback. Call Run.
func NewFront(ctx context.Context, targets ...string) (*Front, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a port for the front: %w", err)
	}
	return &Front{l: l, targets: targets}, nil
}

// Address returns host:port.
func (f *Front) Address() string { return f.l.Addr().String() }

// Run hands connections on until ctx ends.
func (f *Front) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = f.l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := f.l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("front: %w", err)
		}
		wg.Go(func() { f.serve(ctx, c) })
	}
}

func (f *Front) serve(ctx context.Context, c net.Conn) {
	defer func() { _ = c.Close() }()
	to := f.dial(ctx)
	if to == nil {
		return
	}
	defer func() { _ = to.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.Close(); _ = to.Close() })
	defer stop()
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, to}, {to, c}} {
		wg.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // either side may go at any time
			_ = c.Close()
			_ = to.Close()
		})
	}
	wg.Wait()
}

// dial reaches the next process that answers, or returns nil.
func (f *Front) dial(ctx context.Context) net.Conn {
	first := f.next.Add(1)
	d := net.Dialer{Timeout: 5 * time.Second}
	for i := range f.targets {
		c, err := d.DialContext(ctx, "tcp", f.targets[(first+uint64(i))%uint64(len(f.targets))])
		if err == nil {
			return c
		}
	}
	return nil
}
