package link

import (
	"context"
	"sync"

	"nabat/sync/event"
)

const (
	// maxWaiting bounds how many receipts may wait to be told.
	maxWaiting = 64
	// maxJoined is how many single events two receipts may name together and be
	// made one: more would not fit, and something that was said would be lost.
	maxJoined = 512
)

// Receipts joins what dispatch says until somebody has time to hear it, so that
// who brings a receipt never blocks and a flood of them costs no memory.
type Receipts struct {
	news chan struct{}

	mu      sync.Mutex
	waiting []event.Receipt // guarded by mu
}

// NewReceipts returns a Receipts in which nothing waits.
func NewReceipts() *Receipts { return &Receipts{news: make(chan struct{}, 1)} }

// Add takes one receipt. Any goroutine may call it.
func (r *Receipts) Add(one event.Receipt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := len(r.waiting) - 1
	for i >= 0 && r.waiting[i].Epoch != one.Epoch {
		i--
	}
	full := len(r.waiting) >= maxWaiting
	switch {
	case i >= 0 && (full || len(r.waiting[i].Above)+len(one.Above) <= maxJoined):
		r.waiting[i] = r.waiting[i].Merge(one)
	case full:
		return
	default:
		r.waiting = append(r.waiting, one)
	}
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// Run tells receipts until ctx ends, each in the order in which it came.
func (r *Receipts) Run(ctx context.Context, tell func(event.Receipt)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.news:
		}
		r.mu.Lock()
		all := r.waiting
		r.waiting = nil
		r.mu.Unlock()
		for _, one := range all {
			tell(one)
		}
	}
}
