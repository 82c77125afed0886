package subscriber

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/command"
	"nabat/sync/dispatch/intake"
	"nabat/sync/dispatch/store"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 60 * time.Second

// rig is dispatch behind a real broker, with a real database.
type rig struct {
	t      *testing.T
	broker *brokertest.Broker
	store  *store.Store
	intake *intake.Intake
	sign   *command.Signer
	main   store.Gateway
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, broker: brokertest.Start(t, brokertest.Options{}), main: store.Gateway{Site: "school-12", ID: "main"}}
	var err error
	if r.store, err = store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "d.db")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	key, err := command.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	if r.sign, err = command.NewSigner(key); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.AddGateway(t.Context(), r.main, "", "test"); err != nil {
		t.Fatal(err)
	}
	r.intake = intake.New(r.store, intake.Options{})
	r.job(r.intake.Run)
	return r
}

// job runs something until the test, or the returned function, ends it.
func (r *rig) job(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				r.t.Error(err)
			}
		})
	}
	r.t.Cleanup(stop)
	return stop
}

// dispatch runs a subscriber; in is what takes the events.
func (r *rig) dispatch(in Intake, lease Lease) (s *Subscriber, stop func()) {
	r.t.Helper()
	post := NewPost(PostOptions{Intake: in, Store: r.store, Signer: r.sign})
	s, err := New(Options{Broker: "tcp://" + r.broker.Addr(), ClientID: "nabat-dispatch", Lease: lease}, post)
	if err != nil {
		r.t.Fatal(err)
	}
	endPost := r.job(post.Run)
	endSession := r.job(s.Run)
	return s, func() { endSession(); endPost() }
}

func (r *rig) waitUntil(what string, ok func() bool) {
	r.t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			r.t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// gateway is a client as a gateway is one.
type gateway struct {
	client paho.Client
	topics event.Topics

	mu       sync.Mutex
	receipts []event.Receipt
	commands []string
}

func (r *rig) gateway(name string) *gateway {
	r.t.Helper()
	g := &gateway{}
	var err error
	if g.topics, err = event.NewTopics(r.main.Site, r.main.ID); err != nil {
		r.t.Fatal(err)
	}
	g.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + r.broker.Addr()).SetClientID(name).SetAutoReconnect(false))
	r.done(g.client.Connect())
	r.t.Cleanup(func() { g.client.Disconnect(0) })
	r.done(g.client.Subscribe(g.topics.Receipt(), 1, func(_ paho.Client, m paho.Message) {
		one, err := event.ParseReceipt(m.Payload())
		g.mu.Lock()
		defer g.mu.Unlock()
		if err == nil {
			g.receipts = append(g.receipts, one)
		}
	}))
	r.done(g.client.Subscribe(g.topics.Command(), 1, func(_ paho.Client, m paho.Message) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.commands = append(g.commands, string(m.Payload()))
	}))
	return g
}

func (r *rig) done(t paho.Token) {
	r.t.Helper()
	if !t.WaitTimeout(patience) || t.Error() != nil {
		r.t.Fatalf("the broker does not answer: %v", t.Error())
	}
}

func (r *rig) publish(g *gateway, source string, from, to uint64) {
	r.t.Helper()
	topic, err := g.topics.Event(alert.GatewayStarted)
	if err != nil {
		r.t.Fatal(err)
	}
	for n := from; n <= to; n++ {
		row := journal.Row{Ref: alert.Ref{Epoch: "e1", Seq: n}, Type: alert.GatewayStarted, Data: []byte(`{}`)}
		r.done(g.client.Publish(topic, 1, false, event.Append(nil, source, row)))
	}
}

func (r *rig) stored() uint64 {
	info, err := r.store.GatewayInfo(context.Background(), r.main)
	if err != nil {
		r.t.Error(err)
	}
	return info.Events
}

func (g *gateway) through() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.receipts) == 0 {
		return 0
	}
	return g.receipts[len(g.receipts)-1].Through
}

const source = "/sites/school-12/gateways/main"

func TestEventsComeInAndReceiptsAndCommandsGoOut(t *testing.T) {
	r := newRig(t)
	s, stop := r.dispatch(r.intake, nil)
	r.waitUntil("subscription", s.Connected)
	g := r.gateway("main")
	r.publish(g, source, 1, 50)
	r.waitUntil("receipt for all", func() bool { return g.through() == 50 })
	// In the name of another: neither stored nor in the way.
	r.publish(g, "/sites/school-13/gateways/main", 51, 51)
	r.publish(g, source, 51, 52)
	r.waitUntil("receipt after a foreign event", func() bool { return g.through() == 52 })
	if n := r.stored(); n != 52 {
		t.Errorf("%d events are stored", n)
	}
	c, err := r.store.Issue(t.Context(), r.main, command.Claims{Verb: command.Announce, Who: "op", Text: &alert.Text{RU: "а", KK: "ә", EN: "a"}, Seconds: 60}, "op", r.sign)
	if err != nil {
		t.Fatal(err)
	}
	r.waitUntil("command", func() bool { g.mu.Lock(); defer g.mu.Unlock(); return len(g.commands) == 1 && g.commands[0] == c.JWS })
	// A gateway that comes back finds the receipt, but no old command.
	again := r.gateway("again")
	r.waitUntil("retained receipt", func() bool { return again.through() == 52 })
	status, err := event.Status{Online: true, Session: "s2", Epoch: "e1", LastSeq: 52}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r.done(again.client.Publish(again.topics.Status(), 1, true, status))
	r.waitUntil("command that was signed anew", func() bool {
		again.mu.Lock()
		defer again.mu.Unlock()
		return len(again.commands) == 1 && again.commands[0] != c.JWS
	})
	stop()
}

// broken is an intake whose process dies before the commit.
type broken struct{ began chan struct{} }

func (b *broken) Submit(ctx context.Context, _ []store.Arrival) ([]store.Receipt, []store.Refusal, error) {
	select {
	case b.began <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return nil, nil, ctx.Err()
}

// TestWhatWasNotCommittedComesAgain ends the service while it has messages that
// are not stored: the broker still has them, because nobody acknowledged them.
func TestWhatWasNotCommittedComesAgain(t *testing.T) {
	r := newRig(t)
	b := &broken{began: make(chan struct{}, 1)}
	s, stop := r.dispatch(b, nil)
	r.waitUntil("subscription", s.Connected)
	g := r.gateway("main")
	r.publish(g, source, 1, 15)
	<-b.began
	stop()
	r.publish(g, source, 16, 30) // while nobody is there
	_, stop = r.dispatch(r.intake, nil)
	r.waitUntil("all events", func() bool { return r.stored() == 30 })
	r.waitUntil("receipt", func() bool { return g.through() == 30 })
	stop()
}

// token is a lease that one process at a time can hold.
type token chan struct{}

func (l token) Hold(ctx context.Context) (context.Context, func(), error) {
	select {
	case l <- struct{}{}:
		held, end := context.WithCancel(ctx)
		return held, func() { end(); <-l }, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func TestAnotherProcessTakesOver(t *testing.T) {
	r := newRig(t)
	lease := make(token, 1)
	first, stopFirst := r.dispatch(r.intake, lease)
	r.waitUntil("first", first.Connected)
	second, stopSecond := r.dispatch(r.intake, lease)
	g := r.gateway("main")
	r.publish(g, source, 1, 10)
	r.waitUntil("receipt", func() bool { return g.through() == 10 })
	if second.Holding() {
		t.Error("two processes hold one lease")
	}
	stopFirst()
	r.publish(g, source, 11, 20)
	r.waitUntil("receipt from the second", func() bool { return g.through() == 20 })
	if !second.Connected() {
		t.Error("the second is not connected")
	}
	stopSecond()
}

func TestABrokerThatComesBackIsFound(t *testing.T) {
	r := newRig(t)
	s, stop := r.dispatch(r.intake, nil)
	r.waitUntil("subscription", s.Connected)
	r.broker.Kill()
	r.waitUntil("loss", func() bool { return !s.Connected() })
	r.broker.Restart()
	r.waitUntil("subscription again", s.Connected)
	g := r.gateway("main")
	r.publish(g, source, 1, 3)
	r.waitUntil("receipt", func() bool { return g.through() == 3 })
	stop()
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"nothing":                   {},
		"plain to another machine":  {Broker: "tcp://broker.example:1883", ClientID: "d"},
		"a password in the address": {Broker: "tls://u:p@broker.example", ClientID: "d"},
		"no client id":              {Broker: "tls://broker.example"},
		"a certificate alone":       {Broker: "tls://broker.example", ClientID: "d", CertFile: "c.pem"},
	} {
		if _, err := New(o, nil); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzTopic(f *testing.F) {
	f.Add("nabat/1/school-12/main/event/alert.raised")
	f.Add("nabat/1/a/b/status")
	f.Add("nabat/1/+/#/event/x")
	f.Fuzz(func(t *testing.T, topic string) {
		g, kind, err := parseTopic(topic)
		if err != nil {
			return
		}
		if want := "nabat/1/" + g.Site + "/" + g.ID + "/"; topic != want+"status" && topic != want+"event/"+kind {
			t.Errorf("%q is %s, %q", topic, g, kind)
		}
	})
}
