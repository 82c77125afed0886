package gate

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of what is remembered about who asks how often.
const (
	maxCallers  = 20_000
	maxGuessers = 10_000
	guessEvery  = 3 * time.Second // one wrong token more
	guessBurst  = 20
)

// crowd counts requests by gateway and wrong tokens by address.
type crowd struct {
	limits Limits

	mu       sync.Mutex // guards the fields below
	callers  map[string]*rate.Limiter
	guessers map[string]*rate.Limiter
	polls    map[string]chan struct{} // by gateway: closed when a newer poll comes
	batches  map[string]int           // by gateway: how many it sends at this moment
}

func (c *crowd) init(l Limits) {
	c.limits = l
	c.callers, c.guessers, c.polls = make(map[string]*rate.Limiter), make(map[string]*rate.Limiter), make(map[string]chan struct{})
	c.batches = make(map[string]int)
}

// begin notes that the gateway sends a batch; ok is false where it sends as many
// as it may already. The function must be called at the end.
func (c *crowd) begin(name string) (done func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.batches[name] >= c.limits.OfOne {
		return nil, false
	}
	c.batches[name]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.batches[name]--; c.batches[name] <= 0 {
			delete(c.batches, name)
		}
	}, true
}

// wait returns how long the gateway must wait before its next request, and
// counts this one when that is not at all.
func (c *crowd) wait(name string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := of(c.callers, name, maxCallers, rate.Limit(c.limits.Rate), c.limits.Burst)
	r := l.Reserve()
	d := r.Delay()
	if d > 0 {
		r.Cancel()
	}
	return d
}

// guesses reports whether an address has given too many wrong tokens.
func (c *crowd) guesses(host string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.guessers[host]
	return ok && l.Tokens() < 1
}

// guessed counts a wrong token.
func (c *crowd) guessed(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of(c.guessers, host, maxGuessers, rate.Every(guessEvery), guessBurst).Allow()
}

// of returns the limiter of a name. Where there are too many, those that are
// full again, which say nothing, are forgotten; if none is, all are.
func of(m map[string]*rate.Limiter, name string, most int, r rate.Limit, burst int) *rate.Limiter {
	if l, ok := m[name]; ok {
		return l
	}
	if len(m) >= most {
		for k, l := range m {
			if l.Tokens() >= float64(burst) {
				delete(m, k)
			}
		}
		if len(m) >= most {
			clear(m)
		}
	}
	l := rate.NewLimiter(r, burst)
	m[name] = l
	return l
}

// poll makes this the gateway's one waiting poll. The channel is closed when a
// newer one comes: the older is then of a connection that the gateway has given
// up. The function must be called at the end.
func (c *crowd) poll(name string) (superseded <-chan struct{}, done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.polls[name]; ok {
		close(old)
	}
	own := make(chan struct{})
	c.polls[name] = own
	return own, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.polls[name] == own {
			delete(c.polls, name)
		}
	}
}
