package link

import (
	"context"
	"sync"

	"nabat/sync/event"
)

// maxEpochs bounds how many epochs may wait to be told.
const maxEpochs = 16

// Receipts joins what dispatch says until somebody has time to hear it, so that
// who brings a receipt never blocks and a flood of them costs no memory.
type Receipts struct {
	news chan struct{}

	mu      sync.Mutex
	waiting map[string]event.Receipt // guarded by mu; by epoch
}

// NewReceipts returns a Receipts in which nothing waits.
func NewReceipts() *Receipts { return &Receipts{news: make(chan struct{}, 1)} }

// Add takes one receipt. Any goroutine may call it.
func (r *Receipts) Add(one event.Receipt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.waiting[one.Epoch]
	switch {
	case ok:
		one = old.Merge(one)
	case len(r.waiting) >= maxEpochs:
		return
	case r.waiting == nil:
		r.waiting = make(map[string]event.Receipt)
	}
	r.waiting[one.Epoch] = one
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// Run tells receipts until ctx ends. tell may be nil.
func (r *Receipts) Run(ctx context.Context, tell func(epoch string, through uint64, above []uint64)) {
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
		for epoch, one := range all {
			if tell != nil {
				tell(epoch, one.Through, one.Above)
			}
		}
	}
}
