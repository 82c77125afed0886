package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/cursor/cursortest"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

// counter is a subscriber that does little, so that it costs both sides of a
// comparison the same.
type counter struct {
	client paho.Client

	mu       sync.Mutex
	n        int
	want     int
	done     chan struct{}
	payloads [][]byte // kept only if keep is set
	keep     bool
	arrived  chan time.Time
	every    chan int // the count, at every 200; nil where nobody gives receipts
}

func newCounter(b *testing.B, addr string, keep bool) *counter {
	b.Helper()
	c := &counter{keep: keep, arrived: make(chan time.Time, 1)}
	c.client = barePaho(b, addr, "counter")
	if tok := c.client.Subscribe("nabat/1/#", 0, c.hear); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		b.Fatal(tok.Error())
	}
	return c
}

func (c *counter) hear(_ paho.Client, m paho.Message) {
	if strings.HasSuffix(m.Topic(), "/status") || strings.HasSuffix(m.Topic(), "/receipt") {
		return
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keep {
		c.payloads = append(c.payloads, m.Payload())
	}
	if c.n++; c.n == c.want {
		close(c.done)
	}
	if c.every != nil && c.n%200 == 0 {
		c.every <- c.n
	}
	select {
	case c.arrived <- now:
	default:
	}
}

// speak gives a receipt for every 200 events of one epoch that came in order.
func (c *counter) speak(b *testing.B, addr, epoch string) (stop func()) {
	b.Helper()
	client := barePaho(b, addr, "clerk")
	c.every = make(chan int, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range c.every {
			client.Publish("nabat/1/school-12/main/receipt", 1, true, event.Receipt{Epoch: epoch, Through: uint64(n)}.Encode()).WaitTimeout(10 * time.Second)
		}
	}()
	return func() {
		c.mu.Lock()
		close(c.every)
		c.every = nil
		c.mu.Unlock()
		<-done
	}
}

func (c *counter) expect(n int) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n, c.want, c.done, c.payloads = 0, n, make(chan struct{}), nil
	return c.done
}

func barePaho(b *testing.B, addr, id string) paho.Client {
	b.Helper()
	o := paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(id).SetCleanSession(true).
		SetAutoReconnect(false).SetOrderMatters(id == "counter")
	c := paho.NewClient(o)
	if tok := c.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		b.Fatal(tok.Error())
	}
	b.Cleanup(func() { c.Disconnect(1000) })
	return c
}

const benchDetail = 330 // makes an event of 600 bytes on the wire

func benchEvent() alert.Event {
	return alert.Event{Type: alert.PointFault, Subject: "point-204", Fault: "lost", Detail: strings.Repeat("x", benchDetail)}
}

// benchFeed fills a journal with n routine events.
func benchFeed(b *testing.B, g *gateway, n int) {
	b.Helper()
	var wg sync.WaitGroup
	wg.Add(n)
	for range n {
		g.j.Append(benchEvent(), func(_ alert.Ref, err error) {
			if err != nil {
				b.Error(err)
			}
			wg.Done()
		})
	}
	wg.Wait()
}

func productionTiming(o *Options) { o.Timing, o.Recorder, o.Status = Timing{}, nil, nil }

// BenchmarkDrain measures, against one broker with one subscriber, how long a
// backlog of 100,000 events of 600 bytes takes after an outage, and how long a
// bare paho publisher with 16 in flight takes for the same bytes.
func BenchmarkDrain(b *testing.B) { benchDrain(b, productionTiming, false) }

// BenchmarkDrainByReceipt is BenchmarkDrain with a subscriber that gives a
// receipt for every 200 events, each of which moves the cursor. It ends with
// the last event, as the other does.
func BenchmarkDrainByReceipt(b *testing.B) {
	benchDrain(b, func(o *Options) {
		byReceipt(o)
		productionTiming(o)
	}, true)
}

func benchDrain(b *testing.B, change func(*Options), receipts bool) {
	b.Helper()
	const n = 100_000
	var ours, bare time.Duration
	lost, disorder, size := 0, 0, 0
	for b.Loop() {
		broker := brokertest.Start(b, brokertest.Options{})
		g := newGateway(b, "tcp://"+broker.Addr(), change)
		benchFeed(b, g, n)
		c := newCounter(b, broker.Addr(), true)
		hush := func() {}
		if receipts {
			hush = c.speak(b, broker.Addr(), g.j.Epoch())
		}

		done := c.expect(n)
		begun := time.Now()
		g.start()
		select {
		case <-done:
		case <-time.After(2 * time.Minute):
		}
		ours += time.Since(begun)
		if receipts {
			until(b, "all is receipted", func() bool { return g.waiting() == 0 })
		}
		g.stop()
		hush()
		c.mu.Lock()
		payloads := c.payloads
		c.mu.Unlock()
		l, d := audit(b, payloads, n)
		lost, disorder, size = lost+l, disorder+d, len(payloads[0])

		done = c.expect(n)
		begun = time.Now()
		barePublish(b, broker.Addr(), payloads)
		<-done
		bare += time.Since(begun)
		c.client.Disconnect(1000)
		broker.Kill()
	}
	total := float64(n) * float64(b.N)
	b.ReportMetric(total/ours.Seconds(), "events/s")
	b.ReportMetric(total/bare.Seconds(), "bare-events/s")
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(float64(disorder), "out-of-order")
	b.ReportMetric(float64(size), "bytes/event")
	b.ReportMetric(0, "ns/op")
	if lost > 0 || disorder > 0 {
		b.Errorf("%d lost, %d out of order", lost, disorder)
	}
}

// audit counts what is missing and what overtook, over one lane of one epoch.
func audit(b *testing.B, payloads [][]byte, n int) (lost, disorder int) {
	b.Helper()
	seen := make(map[alert.Ref]bool, n)
	var last uint64
	for _, p := range payloads {
		e, err := event.Decode(p)
		if err != nil {
			b.Fatal(err)
		}
		if seen[e.Ref] {
			continue
		}
		seen[e.Ref] = true
		if e.Ref.Seq < last {
			disorder++
		}
		last = max(last, e.Ref.Seq)
	}
	return n - len(seen), disorder
}

// barePublish sends payloads with 16 in flight and nothing else.
func barePublish(b *testing.B, addr string, payloads [][]byte) {
	b.Helper()
	client := barePaho(b, addr, "bare")
	defer client.Disconnect(1000)
	var flight []paho.Token
	for _, p := range payloads {
		if len(flight) == window {
			<-flight[0].Done()
			if err := flight[0].Error(); err != nil {
				b.Fatal(err)
			}
			flight = slices.Delete(flight, 0, 1)
		}
		flight = append(flight, client.Publish("nabat/1/school-12/main/event/point.fault", 1, false, p))
	}
	for _, t := range flight {
		<-t.Done()
	}
}

// BenchmarkLive measures from handing an alarm to the journal until a
// subscriber has it, against a bare publish of the same bytes, turn by turn.
// It reports the commit apart, which is the disk's.
func BenchmarkLive(b *testing.B) {
	broker := brokertest.Start(b, brokertest.Options{})
	g := newGateway(b, "tcp://"+broker.Addr(), productionTiming)
	e := benchEvent()
	e.Type = alert.Raised
	var mu sync.Mutex
	var committed []time.Duration
	benchLive(b, g, broker, func() {
		begun := time.Now()
		g.j.Append(e, func(alert.Ref, error) {
			mu.Lock()
			defer mu.Unlock()
			committed = append(committed, time.Since(begun))
		})
	})
	mu.Lock()
	defer mu.Unlock()
	b.ReportMetric(quantile(committed, 50), "committed-p50-µs")
}

// BenchmarkLiveLink is BenchmarkLive without the journal: what the runner, the
// session and the wire add to a bare publish.
func BenchmarkLiveLink(b *testing.B) {
	broker := brokertest.Start(b, brokertest.Options{})
	lane := cursortest.NewMemory(journal.Alarm)
	g := newGateway(b, "tcp://"+broker.Addr(), func(o *Options) {
		productionTiming(o)
		o.Alarm = lane.Lane()
	})
	row := benchRow()
	benchLive(b, g, broker, func() {
		row.Ref.Seq++
		lane.Append(row)
	})
}

func benchRow() journal.Row {
	return journal.Row{
		Ref: alert.Ref{Epoch: "3f9c2a7e51d04b68", Seq: 1}, Type: alert.Raised,
		At:   alert.Stamp{Wall: time.Now(), Boot: "7b1f5c1e-0f1d-4b9a-a2b7-6f0a5f0f7f11", Mono: time.Hour},
		Data: fmt.Appendf(nil, `{"detail":%q}`, strings.Repeat("x", benchDetail)),
	}
}

func benchLive(b *testing.B, g *gateway, broker *brokertest.Broker, alarm func()) {
	b.Helper()
	c := newCounter(b, broker.Addr(), false)
	g.start()
	bare := barePaho(b, broker.Addr(), "bare")
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	once := func(send func()) time.Duration {
		// A press comes to a machine that was idle; both sides pay for waking it.
		<-pace.C
		begun := time.Now()
		send()
		select {
		case at := <-c.arrived:
			return at.Sub(begun)
		case <-time.After(30 * time.Second):
			b.Fatal("nothing arrived")
			return 0
		}
	}
	payload := event.Append(nil, "/sites/school-12/gateways/main", benchRow())
	publish := func() { bare.Publish("nabat/1/school-12/main/event/alert.raised", 1, false, payload) }
	once(alarm) // the connection is up from here on
	var ours, floor []time.Duration
	for b.Loop() {
		ours = append(ours, once(alarm))
		floor = append(floor, once(publish))
	}
	g.stop()
	b.ReportMetric(quantile(ours, 50), "p50-µs")
	b.ReportMetric(quantile(ours, 99), "p99-µs")
	b.ReportMetric(quantile(floor, 50), "bare-p50-µs")
	b.ReportMetric(quantile(floor, 99), "bare-p99-µs")
	b.ReportMetric(quantile(ours, 50)/quantile(floor, 50), "ratio-p50")
	b.ReportMetric(0, "ns/op")
}

// quantile returns the q-th percentile in microseconds.
func quantile(d []time.Duration, q int) float64 {
	slices.Sort(d)
	return float64(d[len(d)*q/100].Microseconds())
}
