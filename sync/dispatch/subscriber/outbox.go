package subscriber

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// Bounds of what goes out.
const (
	sending  = 64               // messages on their way to the broker
	perRound = 200              // commands that are fetched at once
	leased   = 30 * time.Second // how long a fetched command is hidden from others
	look     = 2 * time.Second  // how often commands are looked for without a bell
)

// Sender gives a message to a broker.
type Sender interface {
	// Send returns nil when the broker has the message. It may be called from
	// many goroutines.
	Send(ctx context.Context, topic string, payload []byte, retained bool) error
}

// outbox holds the latest receipt of each gateway's epochs that has not gone
// out: however many events arrive meanwhile, there is one to send.
type outbox struct {
	mu       sync.Mutex // guards receipts
	receipts map[store.Gateway]map[string]event.Receipt
	news     chan struct{}
}

func (b *outbox) init() {
	b.receipts = make(map[store.Gateway]map[string]event.Receipt)
	b.news = make(chan struct{}, 1)
}

func (b *outbox) put(g store.Gateway, r event.Receipt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.receipts[g] == nil {
		b.receipts[g] = make(map[string]event.Receipt)
	}
	if old, ok := b.receipts[g][r.Epoch]; ok {
		r = old.Merge(r)
	}
	b.receipts[g][r.Epoch] = r
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// take empties the outbox.
func (b *outbox) take() map[store.Gateway]map[string]event.Receipt {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.receipts
	b.receipts = make(map[store.Gateway]map[string]event.Receipt)
	return list
}

// forget drops what another process now says better.
func (p *Post) forget() { p.out.take() }

// Serve sends receipts and commands until ctx ends, or until a message cannot
// be sent; then it returns why, and keeps what did not go out.
func (p *Post) Serve(ctx context.Context, to Sender) error {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		changed := p.o.Store.Changed(store.CommandsChanged)
		if err := p.sendReceipts(ctx, to); err != nil {
			return ended(ctx, err)
		}
		if err := p.sendCommands(ctx, to); err != nil {
			return ended(ctx, err)
		}
		// Receipts are many: for them alone the commands are not read again.
	calm:
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-p.out.news:
				if err := p.sendReceipts(ctx, to); err != nil {
					return ended(ctx, err)
				}
			case <-changed:
				break calm
			case <-ticker.C:
				break calm
			}
		}
	}
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// sendReceipts sends every receipt that waits, retained.
func (p *Post) sendReceipts(ctx context.Context, to Sender) error {
	list := p.out.take()
	var jobs errgroup.Group
	jobs.SetLimit(sending)
	for g, epochs := range list {
		jobs.Go(func() error {
			t, err := event.NewTopics(g.Site, g.ID)
			if err != nil {
				return nil // the store has no such gateway
			}
			for _, r := range epochs {
				if err := to.Send(ctx, t.Receipt(), r.Encode(), true); err != nil {
					for _, again := range epochs {
						p.out.put(g, again)
					}
					return fmt.Errorf("give %s its receipt: %w", g, err)
				}
			}
			return nil
		})
	}
	return jobs.Wait()
}

// sendCommands sends the commands that no broker has had. They are not
// retained: a gateway that is away gets them signed anew when it comes back.
func (p *Post) sendCommands(ctx context.Context, to Sender) error {
	for {
		list, err := p.o.Store.Unpublished(ctx, leased, perRound)
		if err != nil {
			if ctx.Err() == nil {
				p.o.Log.Warn("commands could not be read", "error", err)
			}
			return nil // receipts can go on
		}
		for _, c := range list {
			t, err := event.NewTopics(c.Gateway.Site, c.Gateway.ID)
			if err != nil {
				continue
			}
			if err := to.Send(ctx, t.Command(), []byte(c.JWS), false); err != nil {
				return fmt.Errorf("give %s its command: %w", c.Gateway, err)
			}
			if err := p.o.Store.Published(ctx, c.Gateway, c.Claims.ID, c.Claims.Counter); err != nil {
				p.o.Log.Warn("a command went out, but that could not be noted", "gateway", c.Gateway.String(), "error", err)
			}
		}
		if len(list) < perRound {
			return nil
		}
	}
}
