package main

import (
	"context"
	"sync"
)

// address is where the pages are, once their port is open. The zero address is
// not known yet.
type address struct {
	mu    sync.Mutex // guards the fields below
	at    string
	known chan struct{}
}

func (a *address) set(at string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := a.at == ""
	a.at = at
	if first {
		close(a.channel())
	}
}

// wait returns the address, or "" when ctx ends before it is known.
func (a *address) wait(ctx context.Context) string {
	a.mu.Lock()
	known := a.channel()
	a.mu.Unlock()
	select {
	case <-known:
	case <-ctx.Done():
		return ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at
}

// channel is called with mu held.
func (a *address) channel() chan struct{} {
	if a.known == nil {
		a.known = make(chan struct{})
	}
	return a.known
}
