// Package desk is a dispatch desk small enough for a demonstration: a broker
// inside the process, a memory of events, receipts for them, and one page.
//
// It keeps everything in memory and forgets it at the end. The real far end
// stores before it gives a receipt.
package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// Bounds of the desk's memory.
const (
	keptEvents = 200  // events that the page lists
	queued     = 4096 // messages between the broker and the desk
	maxAbove   = 500  // events beyond the high-water mark in one receipt
)

// Username is what the gateway of the demonstration calls itself.
const Username = "gateway"

// Options says where the desk listens and for whom.
type Options struct {
	// Listen is the loopback address of the broker; port 0 takes a free one.
	Listen string
	// Topics are those of the one gateway that may connect.
	Topics event.Topics
	// Now is the desk's clock; nil is the wall clock.
	Now func() time.Time
	Log *slog.Logger
}

// Desk is a broker with a dispatch operator's view behind it. Its methods may
// be called from any goroutine.
type Desk struct {
	topics   event.Topics
	now      func() time.Time
	log      *slog.Logger
	server   *mqtt.Server
	address  string
	password string
	messages chan []byte

	mu     sync.Mutex // guards the fields below
	state  alert.State
	marks  map[string]*mark // by epoch
	events []Entry          // the newest last
	total  int
	again  int
}

// Entry is one event as the desk first received it.
type Entry struct {
	Event event.Event
	Alert alert.Event
	At    time.Time
}

// mark is what the desk has of one epoch.
type mark struct {
	through uint64
	above   map[uint64]bool
}

// New opens the broker's port and starts nothing else. The password of the
// one account is made anew each time.
func New(ctx context.Context, o Options) (*Desk, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("open the demonstration broker's port: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		_ = l.Close()
		return nil, fmt.Errorf("the demonstration broker has no TLS and listens on loopback only, not on %s", l.Addr())
	}
	d := &Desk{
		topics: o.Topics, now: o.Now, log: o.Log,
		address: l.Addr().String(), password: rand.Text(),
		messages: make(chan []byte, queued), marks: make(map[string]*mark),
	}
	d.server = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	ledger := &auth.Ledger{
		Auth: auth.AuthRules{{Username: Username, Password: auth.RString(d.password), Allow: true}},
		ACL: auth.ACLRules{{Username: Username, Filters: auth.Filters{
			auth.RString(o.Topics.Events()):  auth.WriteOnly,
			auth.RString(o.Topics.Status()):  auth.WriteOnly,
			auth.RString(o.Topics.Receipt()): auth.ReadOnly,
			auth.RString(o.Topics.Command()): auth.ReadOnly,
		}}},
	}
	if err := d.server.AddHook(new(auth.Hook), &auth.Options{Ledger: ledger}); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("give the demonstration broker its one account: %w", err)
	}
	if err := d.server.AddListener(listeners.NewNet("loopback", l)); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("open the demonstration broker: %w", err)
	}
	return d, nil
}

// Address returns host:port of the broker.
func (d *Desk) Address() string { return d.address }

// Password returns the password of Username. It is good for this run only.
func (d *Desk) Password() string { return d.password }

// Run serves the broker and the desk until ctx ends, then returns nil.
func (d *Desk) Run(ctx context.Context) error {
	if err := d.server.Serve(); err != nil {
		return fmt.Errorf("start the demonstration broker: %w", err)
	}
	err := d.server.Subscribe(d.topics.Events(), 1, func(_ *mqtt.Client, _ packets.Subscription, pk packets.Packet) {
		select {
		case d.messages <- slices.Clone(pk.Payload):
		default: // no receipt is given, so that nothing is claimed
		}
	})
	if err != nil {
		return errors.Join(fmt.Errorf("subscribe the desk: %w", err), d.server.Close())
	}
	for {
		select {
		case <-ctx.Done():
			if err := d.server.Close(); err != nil {
				return fmt.Errorf("close the demonstration broker: %w", err)
			}
			return nil
		case payload := <-d.messages:
			d.take(payload)
		}
	}
}

// take remembers one message and everything that waits behind it, then gives
// receipts for the epochs that it saw.
func (d *Desk) take(payload []byte) {
	seen := make(map[string]bool)
	for {
		e, err := event.Decode(payload)
		if err != nil {
			d.log.Warn("the desk could not read an event", "error", err)
		} else {
			d.store(e)
			seen[e.Ref.Epoch] = true
		}
		select {
		case payload = <-d.messages:
			continue
		default:
		}
		break
	}
	for epoch := range seen {
		if err := d.server.Publish(d.topics.Receipt(), d.receipt(epoch).Encode(), false, 1); err != nil {
			d.log.Warn("the desk could not give a receipt", "error", err)
		}
	}
}

func (d *Desk) store(e event.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.marks[e.Ref.Epoch]
	if m == nil {
		m = &mark{above: make(map[uint64]bool)}
		d.marks[e.Ref.Epoch] = m
	}
	if e.Ref.Seq <= m.through || m.above[e.Ref.Seq] {
		d.again++
		return
	}
	a, err := e.Alert()
	if err != nil {
		d.log.Warn("the desk could not read an event's data", "error", err)
		return
	}
	m.above[e.Ref.Seq] = true
	for m.above[m.through+1] {
		m.through++
		delete(m.above, m.through)
	}
	d.total++
	d.state = d.state.Next(a)
	d.events = append(d.events, Entry{Event: e, Alert: a, At: d.now()})
	if len(d.events) > keptEvents {
		d.events = slices.Clone(d.events[len(d.events)-keptEvents:])
	}
}

func (d *Desk) receipt(epoch string) event.Receipt {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.marks[epoch]
	r := event.Receipt{Epoch: epoch}
	if m == nil {
		return r
	}
	r.Through = m.through
	for seq := range m.above {
		r.Above = append(r.Above, seq)
	}
	slices.Sort(r.Above)
	if len(r.Above) > maxAbove { // the newest matter: older ones were receipted before
		r.Above = r.Above[len(r.Above)-maxAbove:]
	}
	return r
}
