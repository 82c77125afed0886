package web

import (
	"net"
	"sync"
)

// maxPeers is how many connections one listener has at once: more than all
// streams together, far fewer than the file descriptors that the journal and
// the wall need too. Whoever comes later waits in the kernel's queue. A host
// that keeps taking every seat can keep new pages out, never end open ones;
// a seat where nothing is asked is free again after the server's time-outs.
const maxPeers = 512

// seats lets only so many peers in.
type seats struct {
	net.Listener
	free  chan struct{}
	once  sync.Once
	ended chan struct{}
}

func newSeats(l net.Listener, n int) *seats {
	return &seats{Listener: l, free: make(chan struct{}, n), ended: make(chan struct{})}
}

// Accept waits for a free seat and then for a peer.
func (l *seats) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.ended:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &seated{Conn: c, leave: sync.OnceFunc(func() { <-l.free })}, nil
}

// Close ends Accept, also one that waits for a seat.
func (l *seats) Close() error {
	l.once.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

// seated is a connection that gives its seat back when it is closed.
type seated struct {
	net.Conn
	leave func()
}

// Close ends the connection.
func (c *seated) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
