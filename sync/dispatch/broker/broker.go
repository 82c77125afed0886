// Package broker is a small MQTT broker inside the dispatch service, for one
// desk or a demonstration: its accounts are the registered gateways, and it
// passes messages between them and dispatch, to nobody else.
//
// A broker of its own kind acknowledges a message when it has it in memory, and
// loses it with the process. This one gives PUBACK for an event when dispatch
// has committed it and not before, so that PUBACK and receipt say the same.
// Receipts that it retains are forgotten when it ends; dispatch gives them
// again to every gateway that comes back.
package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/time/rate"

	"nabat/sync/dispatch/store"
)

// Bounds of what clients may do.
const (
	maxPacket     = 320 << 10 // an event of 256 KiB and its topic
	maxClients    = 5000
	maxOfOne      = 4 // connections of one gateway: a cloned card shows as such
	writeTimeout  = 5 * time.Second
	acceptPause   = 50 * time.Millisecond
	queuedAcks    = 1 << 14
	recheckEvery  = 15 * time.Second
	guessEvery    = 3 * time.Second // one wrong password more from an address
	guessBurst    = 20
	maxGuessers   = 10_000
	authenticates = 5 * time.Second // one question to the registry
)

// Accounts knows the gateways and their tokens. It may be called from any
// goroutine.
type Accounts interface {
	// Authenticate returns nil when token belongs to the gateway, and wraps
	// store.ErrDenied when it does not.
	Authenticate(ctx context.Context, g store.Gateway, token string) error
}

// Options says where the broker listens and what it works for.
type Options struct {
	// Listen is host:port; port 0 takes a free one.
	Listen string
	// TLS is needed unless Listen is a loopback address.
	TLS      *tls.Config
	Accounts Accounts
	// Take gets every message of a gateway, and calls done once, from any
	// goroutine: with nil when the message is stored for good, so that it may be
	// acknowledged. It may wait until ctx ends; the gateway then waits.
	Take func(ctx context.Context, topic string, payload []byte, done func(error))
	Log  *slog.Logger
}

// Broker is the embedded broker. Its methods may be called from any goroutine.
type Broker struct {
	o       Options
	server  *mqtt.Server
	address string
	acks    chan acknowledgement
	life    context.Context // ends when Close was called
	end     context.CancelFunc
	closing sync.Once
	closed  error

	mu       sync.Mutex // guards the fields below
	members  map[*mqtt.Client]member
	owners   map[string]*mqtt.Client // by client id
	guessers map[string]*rate.Limiter
}

// member is a client that has proved who it is.
type member struct{ site, gateway, token string }

// acknowledgement is a message whose sender may be told that it is stored.
type acknowledgement struct {
	client *mqtt.Client
	id     uint16
}

// New opens the port and starts nothing else: connections wait for Run. Whoever
// does not come to call Run calls Close.
func New(ctx context.Context, o Options) (*Broker, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("open the broker's address %s: %w", o.Listen, err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); o.TLS == nil && (!ok || !a.IP.IsLoopback()) {
		_ = l.Close()
		return nil, fmt.Errorf("the broker would listen on %s without TLS: give it a certificate, or a loopback address", l.Addr())
	}
	b := &Broker{
		o: o, address: l.Addr().String(), acks: make(chan acknowledgement, queuedAcks),
		members: make(map[*mqtt.Client]member), owners: make(map[string]*mqtt.Client), guessers: make(map[string]*rate.Limiter),
	}
	b.life, b.end = context.WithCancel(context.WithoutCancel(ctx))
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumClients, caps.MaximumPacketSize, caps.MinimumProtocolVersion = maxClients, maxPacket, 4
	caps.SharedSubAvailable = 0
	b.server = mqtt.New(&mqtt.Options{InlineClient: true, Capabilities: caps, Logger: slog.New(slog.DiscardHandler)})
	if err := b.server.AddHook(&doorkeeper{b: b}, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("guard the broker: %w", err), l.Close())
	}
	l = patientListener{l}
	if o.TLS != nil {
		l = tls.NewListener(l, o.TLS)
	}
	if err := b.server.AddListener(listeners.NewNet("gateways", l)); err != nil {
		return nil, errors.Join(fmt.Errorf("open the broker: %w", err), l.Close())
	}
	return b, nil
}

// Address returns host:port.
func (b *Broker) Address() string { return b.address }

// Close lets go of the port and of whoever is connected. Run calls it at its
// end. A second call changes nothing.
func (b *Broker) Close() error {
	b.closing.Do(func() {
		b.end()
		if err := b.server.Close(); err != nil {
			b.closed = fmt.Errorf("close the broker: %w", err)
		}
	})
	return b.closed
}

// Run serves until ctx ends, then closes and returns nil. It may be called once.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.server.Serve(); err != nil {
		return errors.Join(fmt.Errorf("start the broker: %w", err), b.Close())
	}
	var checking sync.WaitGroup
	defer checking.Wait()
	side, stop := context.WithCancel(ctx)
	defer stop()
	checking.Go(func() { b.check(side) })
	for {
		select {
		case <-ctx.Done():
			return b.Close()
		case a := <-b.acks:
			b.acknowledge(a)
		}
	}
}

// Send publishes a message to the gateways that have subscribed to its topic.
// A nil error means that the broker has it, which, for a gateway that is not
// connected, is worth nothing unless it is retained.
func (b *Broker) Send(_ context.Context, topic string, payload []byte, retained bool) error {
	if b.life.Err() != nil {
		return fmt.Errorf("publish on %s: %w", topic, net.ErrClosed)
	}
	if err := b.server.Publish(topic, payload, retained, 1); err != nil {
		return fmt.Errorf("publish on %s: %w", topic, err)
	}
	return nil
}

// acknowledge sends PUBACK. Whoever hung up in between sends the event again.
func (b *Broker) acknowledge(a acknowledgement) {
	err := a.client.WritePacket(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: a.id})
	if err != nil {
		a.client.Stop(err)
	}
}

// stored is called when a message is committed, or was not. A message that was
// not is never acknowledged; its sender is sent away, to come again with it.
func (b *Broker) stored(a acknowledgement, err error) {
	if err != nil {
		a.client.Stop(err)
		return
	}
	if a.id == 0 {
		return
	}
	select {
	case b.acks <- a:
	default:
		a.client.Stop(errOverwhelmed)
	}
}

var errOverwhelmed = errors.New("too many acknowledgements wait")

// check looks at the members again and again until ctx ends.
func (b *Broker) check(ctx context.Context) {
	ticker := time.NewTicker(recheckEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			b.recheck(ctx)
		}
	}
}

// recheck sends those away whose token was revoked, and forgets those who went
// before the library had greeted them.
func (b *Broker) recheck(ctx context.Context) {
	b.mu.Lock()
	list := maps.Clone(b.members)
	b.mu.Unlock()
	for c, m := range list {
		if c.Closed() {
			b.dismiss(c)
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, authenticates)
		err := b.o.Accounts.Authenticate(ctx, store.Gateway{Site: m.site, ID: m.gateway}, m.token)
		cancel()
		if errors.Is(err, store.ErrDenied) {
			b.o.Log.Warn("a gateway's token was revoked", "gateway", m.site+"/"+m.gateway)
			c.Stop(err)
		}
	}
}

// patientListener gives every connection a bound for each write: a client that
// does not read must not hold up the acknowledgements of others.
type patientListener struct{ net.Listener }

// Accept implements net.Listener.
func (l patientListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			return &patientConn{c}, nil
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		// Out of files, or a client that went away: the library would never
		// listen again.
		pause := time.NewTimer(acceptPause)
		<-pause.C
	}
}

type patientConn struct{ net.Conn }

// Write implements net.Conn.
func (c *patientConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
