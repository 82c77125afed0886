package mqtt

import (
	"context"
	"sync"

	"nabat/sync/event"
)

const (
	// maxEpochs bounds of how many epochs is remembered what dispatch has.
	maxEpochs = 16
	// maxWaiting bounds how many receipts may wait to be told.
	maxWaiting = 64
	// maxJoined is how many single events two receipts may name together and be
	// made one: more would not fit, and something that was said would be lost.
	maxJoined = 512
)

// receipts joins what dispatch says until somebody has time to hear it, so
// that a handler never blocks and a flood of receipts costs no memory.
type receipts struct {
	news chan struct{}

	mu      sync.Mutex
	waiting []event.Receipt // guarded by mu
}

// add takes one message. A malformed one says nothing; the next one will.
func (r *receipts) add(b []byte) {
	one, err := event.ParseReceipt(b)
	if err != nil {
		return
	}
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
