package mqtt

import (
	"context"
	"sync"

	"nabat/sync/event"
)

// maxEpochs bounds how many epochs may wait to be told.
const maxEpochs = 16

// receipts joins what dispatch says until somebody has time to hear it, so
// that a handler never blocks and a flood of receipts costs no memory.
type receipts struct {
	news chan struct{}

	mu      sync.Mutex
	waiting map[string]event.Receipt // guarded by mu; by epoch
}

// add takes one message. A malformed one says nothing; the next one will.
func (r *receipts) add(b []byte) {
	one, err := event.ParseReceipt(b)
	if err != nil {
		return
	}
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

func (r *receipts) run(ctx context.Context, tell func(event.Receipt)) {
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
