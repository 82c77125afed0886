package mqtt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

// quick are times with which a test needs no patience.
func quick() Timing {
	return Timing{
		KeepAlive: 2 * time.Second, Timeout: time.Second, Patience: time.Second, Unacked: time.Second,
		Heartbeat: 100 * time.Millisecond, Settle: 50 * time.Millisecond, Steady: 2 * time.Second,
		Backoff: cursor.Backoff{
			Base: 50 * time.Millisecond, Cap: 200 * time.Millisecond, Urgent: 100 * time.Millisecond,
			Refused: 200 * time.Millisecond, Gap: 10 * time.Millisecond, RefusedGap: 20 * time.Millisecond,
		},
	}
}

// gateway is a real journal with a publisher. Its methods are for the test's
// goroutine.
type gateway struct {
	t       testing.TB
	j       *journal.Journal
	health  *health.Registry
	log     *lockedBuffer
	options Options
	p       *Publisher // the last one that was started
	stop    func()     // of the publisher; waits

	mu       sync.Mutex
	receipts []event.Receipt
	sent     map[alert.Ref]bool
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newGateway(t testing.TB, broker string, change func(*Options)) *gateway {
	t.Helper()
	g := &gateway{t: t, health: new(health.Registry), log: new(lockedBuffer), sent: make(map[alert.Ref]bool)}
	j, err := journal.Open(journal.Options{
		Path: filepath.Join(t.TempDir(), "journal.db"), Consumers: []string{"mqtt"}, Ballast: -1,
		PendingRoutine: 1 << 20, PendingAlarms: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.j = j
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("journal: %v", err)
		}
	})
	lane := func(l journal.Lane) cursor.Lane {
		return cursor.Lane{Source: j.Cursor("mqtt", l), Appended: func() <-chan struct{} { return j.Appended(l) }}
	}
	g.options = Options{
		Site: "school-12", Gateway: "main", Broker: broker, Alarm: lane(journal.Alarm), Routine: lane(journal.Routine),
		Health: g.health, Recorder: j, Log: slog.New(slog.NewTextHandler(g.log, nil)), Timing: quick(),
		Status: func() event.Status {
			s := j.Stats()
			return event.Status{Epoch: s.Epoch, LastSeq: s.LastSeq}
		},
		Sent: func(r alert.Ref) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.sent[r] = true
		},
		Received: func(epoch string, through uint64, above []uint64) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.receipts = append(g.receipts, event.Receipt{Epoch: epoch, Through: through, Above: above})
		},
	}
	if change != nil {
		change(&g.options)
	}
	return g
}

// start runs the publisher until stop or the end of the test.
func (g *gateway) start() {
	g.t.Helper()
	g.prepare()
	g.run()
}

// prepare makes a publisher that does not run yet.
func (g *gateway) prepare() {
	g.t.Helper()
	var err error
	if g.p, err = New(g.options); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) run() {
	p := g.p
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	var once sync.Once
	g.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				g.t.Errorf("Run: %v", err)
			}
		})
	}
	g.t.Cleanup(g.stop)
}

// feed appends n events of a type and waits until they are committed.
func (g *gateway) feed(typ alert.Type, n int) {
	g.t.Helper()
	var wg sync.WaitGroup
	wg.Add(n)
	for i := range n {
		g.j.Append(alert.Event{
			Type: typ, Subject: fmt.Sprint(i), Number: uint64(i), Numbering: "n",
			Detail: "this is about as long as what a technician wants to know about a point of the wall that went away",
		}, func(_ alert.Ref, err error) {
			if err != nil {
				g.t.Errorf("append: %v", err)
			}
			wg.Done()
		})
	}
	wg.Wait()
}

func (g *gateway) holds(condition string) bool {
	return slices.ContainsFunc(g.health.List(), func(c health.Condition) bool { return c.Name == condition })
}

// waiting returns how many rows the cursors have not passed.
func (g *gateway) waiting() (n int64) {
	for _, c := range g.j.Stats().Cursors {
		n += c.Depth
	}
	return n
}

// until waits for a state that must come.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never so: %s", what)
		}
	}
}

// dispatch is an independent subscriber, which keeps what it got over any
// number of connections.
type dispatch struct {
	t      testing.TB
	addr   string
	tls    *tls.Config
	user   string
	pass   string
	client paho.Client
	// misses is asked about each event; one that it picks never came.
	misses func(event.Event) bool

	mu     sync.Mutex
	events []event.Event
	sums   map[string][32]byte
	status []event.Status
	wrong  []string
}

func newDispatch(t testing.TB, b *brokertest.Broker) *dispatch {
	d := &dispatch{t: t, addr: "tcp://" + b.Addr(), sums: make(map[string][32]byte)}
	t.Cleanup(d.leave)
	return d
}

// join connects and subscribes; it returns when the broker has said so.
func (d *dispatch) join() {
	d.t.Helper()
	if c := d.client; c != nil {
		until(d.t, "dispatch has read all that the old broker sent", func() bool { return !c.IsConnectionOpen() })
	}
	d.leave()
	o := paho.NewClientOptions().AddBroker(d.addr).SetClientID("dispatch").SetCleanSession(true).
		SetAutoReconnect(false).SetOrderMatters(true).SetUsername(d.user).SetPassword(d.pass).
		SetTLSConfig(d.tls).SetConnectionLostHandler(func(paho.Client, error) {})
	c := paho.NewClient(o)
	if tok := c.Connect(); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
		d.t.Fatalf("dispatch cannot connect: %v", tok.Error())
	}
	// QoS 0, because a broker that is killed with unread acknowledgements in its
	// socket resets the connection, and the kernel then throws away what it had
	// sent: events that it had acknowledged to the gateway. Receipts exist for
	// that; here it would hide what the gateway did.
	if tok := c.Subscribe("nabat/1/#", 0, d.hear); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
		d.t.Fatalf("dispatch cannot subscribe: %v", tok.Error())
	}
	d.client = c
}

func (d *dispatch) leave() {
	if d.client != nil {
		d.client.Disconnect(1000)
		d.client = nil
	}
}

func (d *dispatch) hear(_ paho.Client, m paho.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch filepath.Base(m.Topic()) {
	case "status":
		s, err := event.DecodeStatus(m.Payload())
		if err != nil {
			d.wrong = append(d.wrong, err.Error())
		}
		d.status = append(d.status, s)
		return
	case "receipt", "command":
		return
	}
	e, err := event.Decode(m.Payload())
	if err != nil {
		d.wrong = append(d.wrong, err.Error())
		return
	}
	if d.misses != nil && d.misses(e) {
		return
	}
	if want := "nabat/1/school-12/main/event/" + e.Type.Short(); m.Topic() != want || m.Retained() {
		d.wrong = append(d.wrong, fmt.Sprintf("event on topic %s, want %s, not retained", m.Topic(), want))
	}
	sum := sha256.Sum256(m.Payload())
	if old, ok := d.sums[e.ID()]; ok && old != sum {
		d.wrong = append(d.wrong, "the same id with other bytes: "+e.ID())
	}
	d.sums[e.ID()] = sum
	e.Data = nil
	d.events = append(d.events, e)
}

func (d *dispatch) count() (all, different int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.events), len(d.sums)
}

func (d *dispatch) list() []event.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.events)
}

func (d *dispatch) lastStatus() event.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.status) == 0 {
		return event.Status{}
	}
	return d.status[len(d.status)-1]
}

// complete waits until every event that the journal accepted has arrived, and
// checks order and repetitions.
func (d *dispatch) complete(g *gateway, parked int) {
	d.t.Helper()
	until(d.t, "every accepted event arrives", func() bool {
		_, n := d.count()
		return uint64(n+parked) >= g.j.Stats().LastSeq
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.wrong {
		d.t.Error(w)
	}
	seen := make(map[alert.Ref]bool)
	var last [2]uint64
	for _, e := range d.events {
		if seen[e.Ref] {
			continue
		}
		seen[e.Ref] = true
		lane := journal.LaneOf(e.Type)
		if e.Ref.Seq <= last[lane] {
			d.t.Errorf("%s lane: %d came first after %d", lane, e.Ref.Seq, last[lane])
		}
		last[lane] = e.Ref.Seq
	}
}
