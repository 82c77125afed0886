package desk

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("this did not come: %s", what)
		}
	}
}

// open makes a desk for the gateway school-12/main.
func open(t *testing.T) *Desk {
	t.Helper()
	topics, err := event.NewTopics("school-12", "main")
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(t.Context(), Options{Listen: "127.0.0.1:0", Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

// run runs d until the end of the test.
func run(t *testing.T, d *Desk) *Desk {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return d
}

// gateway is a real client of the desk's broker.
type gateway struct {
	t      *testing.T
	client paho.Client
	topics event.Topics
	gone   chan struct{} // closed when the broker ended the connection

	mu       sync.Mutex // guards the fields below
	receipts []event.Receipt
}

// dial begins to connect; the token tells the outcome.
func dial(t *testing.T, d *Desk, id, password string) (*gateway, paho.Token) {
	t.Helper()
	g := &gateway{t: t, topics: d.topics, gone: make(chan struct{})}
	o := paho.NewClientOptions().AddBroker("tcp://" + d.Address()).SetClientID(id).SetUsername(Username).SetPassword(password).
		SetAutoReconnect(false).SetConnectTimeout(patience).
		SetConnectionLostHandler(func(paho.Client, error) { close(g.gone) })
	g.client = paho.NewClient(o)
	t.Cleanup(func() { g.client.Disconnect(50) })
	return g, g.client.Connect()
}

func settle(t *testing.T, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("the broker said %v", token.Error())
	}
}

// connect is dial with the right password, and listens to receipts.
func connect(t *testing.T, d *Desk) *gateway {
	t.Helper()
	g, token := dial(t, d, "main", d.Password())
	settle(t, token)
	settle(t, g.client.Subscribe(d.topics.Receipt(), 1, func(_ paho.Client, m paho.Message) {
		r, err := event.ParseReceipt(m.Payload())
		if err != nil {
			t.Errorf("receipt %s: %v", m.Payload(), err)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.receipts = append(g.receipts, r)
	}))
	return g
}

func (g *gateway) got() []event.Receipt {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.receipts)
}

// send publishes bytes as an event and waits for the broker's acknowledgement.
func (g *gateway) send(payload []byte) {
	g.t.Helper()
	topic, err := g.topics.Event(alert.Raised)
	if err != nil {
		g.t.Fatal(err)
	}
	settle(g.t, g.client.Publish(topic, 1, false, payload))
}

// pressed is a raised alert as it travels.
func pressed(t *testing.T, epoch string, seq uint64) []byte {
	t.Helper()
	data, err := json.Marshal(alert.Event{
		Numbering: "n", Number: seq, Kind: alert.Medical, Level: alert.LevelEmergency, Status: alert.Actual,
		Place: &alert.Location{ID: "room-204", Path: []string{"Main building", "Room 204"}}, Point: "button-204",
	})
	if err != nil {
		t.Fatal(err)
	}
	return event.Append(nil, event.Source("school-12", "main"), journal.Row{
		Ref: alert.Ref{Epoch: epoch, Seq: seq}, Type: alert.Raised, Subject: "0197-alert",
		At: alert.Stamp{Wall: time.Now().UTC()}, Data: data,
	})
}
