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
	"maps"
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
	keptAbove  = 4096 // events beyond the high-water mark of an epoch
	queued     = 1000 // messages between the broker and the desk
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
	closing  sync.Once
	ended    chan struct{} // closed by Close
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

// mark is what the desk has of one epoch. A desk that was started after the
// gateway misses the beginning for ever, so that above would grow without end:
// its lowest numbers are forgotten, and count as new if they come again.
type mark struct {
	through uint64
	above   map[uint64]bool
}

// New opens the broker's port and starts nothing else: connections wait for
// Run. The password of the one account is made anew each time. Whoever does not
// come to call Run calls Close.
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
		messages: make(chan []byte, queued), ended: make(chan struct{}), marks: make(map[string]*mark),
	}
	d.server = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	ledger := &auth.Ledger{
		Auth: auth.AuthRules{{Username: Username, Password: auth.RString(d.password), Allow: true}},
		ACL: auth.ACLRules{{Username: Username, Filters: auth.Filters{
			auth.RString(o.Topics.Events()):  auth.WriteOnly,
			auth.RString(o.Topics.Status()):  auth.WriteOnly,
			auth.RString(o.Topics.Receipt()): auth.ReadOnly,
			auth.RString(o.Topics.Command()): auth.ReadOnly,
			// What no filter matches would be allowed.
			"#": auth.Deny,
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

// Close lets go of the port and of whoever is connected. Run calls it at its
// end. A second call changes nothing.
func (d *Desk) Close() (err error) {
	d.closing.Do(func() {
		close(d.ended)
		if err = d.server.Close(); err != nil {
			err = fmt.Errorf("close the demonstration broker: %w", err)
		}
	})
	return err
}

// Run serves the broker and the desk until ctx ends, then closes both and
// returns nil. It may be called once.
func (d *Desk) Run(ctx context.Context) error {
	// The broker acknowledges an event whether or not anybody takes it: the
	// desk has to be there before the first gateway is.
	err := d.server.Subscribe(d.topics.Events(), 1, func(_ *mqtt.Client, _ packets.Subscription, pk packets.Packet) {
		select {
		case d.messages <- slices.Clone(pk.Payload): // while it is full, the gateway waits
		case <-d.ended: // no receipt is given, so that nothing is claimed
		}
	})
	if err != nil {
		return errors.Join(fmt.Errorf("subscribe the desk: %w", err), d.Close())
	}
	if err := d.server.Serve(); err != nil {
		return errors.Join(fmt.Errorf("start the demonstration broker: %w", err), d.Close())
	}
	for {
		select {
		case <-ctx.Done():
			return d.Close()
		case payload := <-d.messages:
			d.take(payload)
		}
	}
}

// take remembers one message and what waits behind it, as much as one receipt
// can list, then gives receipts for the epochs that it saw.
func (d *Desk) take(payload []byte) {
	stored := make(map[string][]uint64) // by epoch
	for n := 1; ; n++ {
		e, err := event.Decode(payload)
		if err == nil {
			err = d.store(e)
		}
		if err != nil {
			d.log.Warn("the desk could not read an event", "error", err)
		} else {
			stored[e.Ref.Epoch] = append(stored[e.Ref.Epoch], e.Ref.Seq)
		}
		if n == maxAbove || len(d.messages) == 0 {
			break
		}
		payload = <-d.messages
	}
	for epoch, numbers := range stored {
		if err := d.server.Publish(d.topics.Receipt(), d.receipt(epoch, numbers).Encode(), false, 1); err != nil {
			d.log.Warn("the desk could not give a receipt", "error", err)
		}
		d.forget(epoch)
	}
}

// store remembers an event; one that is known already is only counted.
func (d *Desk) store(e event.Event) error {
	a, err := e.Alert()
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.marks[e.Ref.Epoch]
	if m == nil {
		m = &mark{above: make(map[uint64]bool)}
		d.marks[e.Ref.Epoch] = m
	}
	if e.Ref.Seq <= m.through || m.above[e.Ref.Seq] {
		d.again++
		return nil
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
	return nil
}

// receipt says what the desk has of an epoch. Where that is more than one
// receipt can list, the numbers that were just stored go before others, which
// were in a receipt of their own, and the higher before the lower.
func (d *Desk) receipt(epoch string, stored []uint64) event.Receipt {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.marks[epoch]
	r := event.Receipt{Epoch: epoch, Through: m.through}
	all := slices.Sorted(maps.Keys(m.above))
	chosen := make(map[uint64]bool)
	for _, n := range stored {
		if n > m.through {
			chosen[n] = true
		}
	}
	for _, n := range slices.Backward(all) {
		if len(chosen) == maxAbove {
			break
		}
		chosen[n] = true
	}
	r.Above = slices.Sorted(maps.Keys(chosen))
	return r
}

// forget drops the lowest numbers above the mark where there are too many. Each
// was in a receipt.
func (d *Desk) forget(epoch string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	above := d.marks[epoch].above
	if len(above) <= keptAbove {
		return
	}
	for _, n := range slices.Sorted(maps.Keys(above))[:len(above)-keptAbove] {
		delete(above, n)
	}
}
