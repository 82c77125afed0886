package main

import (
	"net"
	"sync"
)

// boundedConn gives its place back when it is closed.
type boundedConn struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.free })
	return err
}

// bounded accepts so many connections at a time.
type bounded struct {
	net.Listener
	free  chan struct{}
	close sync.Once
	ended chan struct{}
}

func newBounded(l net.Listener, most int) *bounded {
	return &bounded{Listener: l, free: make(chan struct{}, most), ended: make(chan struct{})}
}

// Accept implements net.Listener. It takes a place first: what is above the
// bound waits in the kernel.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.free <- struct{}{}:
	case <-b.ended:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.free
		return nil, err
	}
	return &boundedConn{Conn: c, free: b.free}, nil
}

// Close implements net.Listener.
func (b *bounded) Close() error {
	b.close.Do(func() { close(b.ended) })
	return b.Listener.Close()
}
