package mqtt

import (
	"slices"
	"sync"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// coverage is everything that dispatch said to have stored, over all sessions
// of this process. Any goroutine may use it.
type coverage struct {
	mu     sync.Mutex
	epochs []event.Receipt // guarded by mu; the one that spoke last comes first
}

// add takes a receipt that is trusted. The epoch that was silent for longest is
// forgotten where there are too many: its rows are then sent once more.
func (c *coverage) add(r event.Receipt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.epochs, func(o event.Receipt) bool { return o.Epoch == r.Epoch })
	switch {
	case i >= 0:
		r = c.epochs[i].Merge(r)
	case len(c.epochs) < maxEpochs:
		i = len(c.epochs)
		c.epochs = append(c.epochs, event.Receipt{})
	default:
		i = maxEpochs - 1
	}
	copy(c.epochs[1:i+1], c.epochs[:i])
	c.epochs[0] = r
}

// covers reports whether dispatch has the event.
func (c *coverage) covers(ref alert.Ref) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.epochs {
		if r.Epoch != ref.Epoch {
			continue
		}
		if ref.Seq <= r.Through {
			return true
		}
		_, ok := slices.BinarySearch(r.Above, ref.Seq)
		return ok
	}
	return false
}
