// Package seats lets only so many peers into a listener at once; whoever comes
// later waits in the kernel's queue.
package seats

import (
	"net"
	"sync"
)

// Listen returns l with n seats. A connection gives its seat back when it is
// closed, once however often that is. Close ends Accept, also one that waits
// for a seat. The listener and its connections may be used from any goroutine.
func Listen(l net.Listener, n int) net.Listener {
	return &listener{Listener: l, free: make(chan struct{}, n), ended: make(chan struct{})}
}

type listener struct {
	net.Listener
	free  chan struct{} // holds one word for each seat that is taken
	once  sync.Once
	ended chan struct{}
}

// Accept waits for a free seat and then for a peer.
func (l *listener) Accept() (net.Conn, error) {
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
func (l *listener) Close() error {
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
