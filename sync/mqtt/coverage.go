package mqtt

import (
	"slices"
	"sort"
	"sync"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// maxEpochs bounds of how many epochs is remembered what dispatch has.
const maxEpochs = 16

// coverage is everything that dispatch said to have stored, over all sessions
// of this process. Any goroutine may use it. What it forgets, because there is
// too much of it, is sent once more and told again.
type coverage struct {
	mu     sync.Mutex
	epochs []stored // guarded by mu; the one that spoke last comes first
}

// stored is what dispatch has of one epoch.
type stored struct {
	epoch string
	spans spans
}

// add takes a receipt that is trusted.
func (c *coverage) add(r event.Receipt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.epochs, func(s stored) bool { return s.epoch == r.Epoch })
	one := stored{epoch: r.Epoch}
	switch {
	case i >= 0:
		one = c.epochs[i]
	case len(c.epochs) < maxEpochs:
		i = len(c.epochs)
		c.epochs = append(c.epochs, stored{})
	default:
		i = maxEpochs - 1
	}
	if r.Through > 0 {
		one.spans = one.spans.add(1, r.Through)
	}
	for _, n := range r.Above {
		one.spans = one.spans.add(n, n)
	}
	copy(c.epochs[1:i+1], c.epochs[:i])
	c.epochs[0] = one
}

// covers reports whether dispatch has the event.
func (c *coverage) covers(ref alert.Ref) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.epochs {
		if s.epoch == ref.Epoch {
			return s.spans.has(ref.Seq)
		}
	}
	return false
}

// maxSpans bounds the memory of one epoch to half a megabyte.
const maxSpans = 1 << 15

// spans is a set of sequences, none of them zero, as ascending ranges that
// neither overlap nor touch.
type spans []span

type span struct{ from, to uint64 }

// add returns the set with from to to in it; it may change s. Of too many
// ranges the highest go: the lowest are what a lane waits for.
func (s spans) add(from, to uint64) spans {
	// The first range that begins or ends where this one begins, or later; then
	// the first that lies beyond it.
	i := sort.Search(len(s), func(i int) bool { return s[i].to >= from-1 })
	j := i + sort.Search(len(s)-i, func(j int) bool { return s[i+j].from-1 > to })
	if i < j {
		from, to = min(from, s[i].from), max(to, s[j-1].to)
	}
	s = slices.Replace(s, i, j, span{from, to})
	return s[:min(len(s), maxSpans)]
}

func (s spans) has(n uint64) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].to >= n })
	return i < len(s) && s[i].from <= n
}
