package mqtt

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxCommand is the largest command in bytes.
	maxCommand = 16 << 10
	// maxCommands is how many may wait. Dispatch sends again what gets no answer.
	maxCommands = 64
)

// commands keeps what comes on the command topic until somebody has time for
// it, so that a handler never blocks and a flood costs no memory.
type commands struct {
	queue chan command
	log   *slog.Logger

	mu      sync.Mutex // guards the fields below
	limit   *rate.Limiter
	dropped uint64
}

type command struct {
	payload  []byte
	retained bool
}

func newCommands(log *slog.Logger) *commands {
	return &commands{
		queue: make(chan command, maxCommands), log: log,
		limit: rate.NewLimiter(rate.Every(5*time.Minute), 3),
	}
}

// add takes one message over. It never blocks.
func (c *commands) add(payload []byte, retained bool) {
	if len(payload) > maxCommand {
		c.drop("too large", len(payload))
		return
	}
	select {
	case c.queue <- command{payload, retained}:
	default:
		c.drop("too many wait", len(payload))
	}
}

func (c *commands) drop(why string, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped++
	if c.limit.Allow() {
		c.log.Warn("command dropped unread", "why", why, "bytes", size, "dropped_in_all", c.dropped)
	}
}

// run tells until ctx ends.
func (c *commands) run(ctx context.Context, tell func([]byte, bool)) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-c.queue:
			tell(m.payload, m.retained)
		}
	}
}

// Dropped returns how many commands were dropped because they were too large
// or too many. Any goroutine may call it.
func (p *Publisher) Dropped() uint64 {
	p.commands.mu.Lock()
	defer p.commands.mu.Unlock()
	return p.commands.dropped
}
