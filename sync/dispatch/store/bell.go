package store

import "sync"

// bell tells whoever waits that something has changed.
type bell struct {
	mu sync.Mutex
	ch [topics]chan struct{} // guarded by mu; closed and replaced at each ring
}

func (b *bell) wait(t Topic) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch[t] == nil {
		b.ch[t] = make(chan struct{})
	}
	return b.ch[t]
}

func (b *bell) ring(t Topic) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch[t] != nil {
		close(b.ch[t])
		b.ch[t] = nil
	}
}
