package subscriber

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync/atomic"
	"time"
)

// Lease says which process has the subscription. Hold waits until this process
// has it, and returns a context that ends when it is lost, and a function that
// gives it back.
type Lease interface {
	Hold(ctx context.Context) (held context.Context, release func(), err error)
}

// Options says where the broker is. Broker and ClientID are needed.
type Options struct {
	// Broker is "tls://host:8883", or "tcp://127.0.0.1:1883" on this machine.
	Broker string
	// AllowPlaintext permits tcp:// to another machine.
	AllowPlaintext bool
	// ClientID names the session at the broker. All processes that share a
	// database have the same one, and nobody else has it.
	ClientID string
	// User and the first line of PasswordFile go to the broker.
	User, PasswordFile string
	// CAFile holds the certificates that may have signed the broker's; empty
	// means those of the system. CertFile and KeyFile are our own. All files are
	// read anew for each connection.
	CAFile, CertFile, KeyFile string
	// Lease may be nil: this process is then the only one.
	Lease Lease
	Log   *slog.Logger
	// Timeout bounds dialling, handshakes and one answer of the broker; zero
	// means 10 s.
	Timeout time.Duration
}

// Subscriber keeps one connection to the broker for as long as it runs.
type Subscriber struct {
	o         Options
	post      *Post
	target    target
	connected atomic.Bool
	holding   atomic.Bool
}

// New checks the options. It starts nothing and reads no file. The post must be
// run beside the subscriber.
func New(o Options, post *Post) (*Subscriber, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	t, err := o.check()
	if err != nil {
		return nil, fmt.Errorf("subscribe to the broker: %w", err)
	}
	return &Subscriber{o: o, post: post, target: t}, nil
}

// Connected reports whether the broker has this process's subscription.
func (s *Subscriber) Connected() bool { return s.connected.Load() }

// Holding reports whether this process has the lease.
func (s *Subscriber) Holding() bool { return s.holding.Load() }

// Bounds of the pauses between attempts.
const (
	shortest = 200 * time.Millisecond
	longest  = 15 * time.Second
)

// Run keeps the subscription until ctx ends, and returns nil.
func (s *Subscriber) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		held, release, err := s.lease(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.o.Log.Warn("the lease of the subscription cannot be asked for", "error", err)
				wait(ctx, jitter(longest/5))
			}
			continue
		}
		s.holding.Store(true)
		s.post.forget() // receipts of an earlier time would go back in time
		s.hold(held)
		s.holding.Store(false)
		release()
	}
	return nil
}

func (s *Subscriber) lease(ctx context.Context) (context.Context, func(), error) {
	if s.o.Lease == nil {
		return ctx, func() {}, nil
	}
	return s.o.Lease.Hold(ctx)
}

// hold connects again and again until ctx ends.
func (s *Subscriber) hold(ctx context.Context) {
	pause := shortest
	for ctx.Err() == nil {
		begun := time.Now()
		err := s.session(ctx)
		s.connected.Store(false)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begun) > 2*longest {
			pause = shortest
		}
		s.o.Log.Warn("no connection to the broker", "broker", s.target.host, "error", err, "again", pause)
		wait(ctx, jitter(pause))
		pause = min(2*pause, longest)
	}
}

// jitter returns a random part of d, so that processes do not come together.
func jitter(d time.Duration) time.Duration {
	n, _ := rand.Int(rand.Reader, big.NewInt(int64(d)+1)) // never fails: it ends the process instead
	return time.Duration(n.Int64())
}

var (
	errSilent = errors.New("the broker does not answer")
	errOther  = errors.New("the client asked for a second connection")
)
