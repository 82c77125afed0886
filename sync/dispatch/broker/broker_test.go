package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"nabat/sync/dispatch/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 60 * time.Second

// accounts are two gateways; a real registry stands behind the broker in the
// tests of cmd/nabat-dispatch.
type accounts struct{}

func (accounts) Authenticate(_ context.Context, g store.Gateway, token string) error {
	if g.Site == "s" && token == "token-"+g.ID {
		return nil
	}
	return fmt.Errorf("test: %w", store.ErrDenied)
}

// taken is a message that the broker handed over.
type taken struct {
	topic string
	done  func(error)
}

type rig struct {
	t *testing.T
	b *Broker

	mu    sync.Mutex
	taken []taken
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t}
	var err error
	r.b, err = New(t.Context(), Options{Listen: "127.0.0.1:0", Accounts: accounts{}, Take: func(_ context.Context, topic string, _ []byte, done func(error)) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.taken = append(r.taken, taken{topic, done})
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.b.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) topics() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, m := range r.taken {
		list = append(list, m.topic)
	}
	return list
}

func (r *rig) waitUntil(what string, ok func() bool) {
	r.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
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

func options(r *rig, id, user, password string) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker("tcp://" + r.b.Address()).SetClientID(id).SetUsername(user).SetPassword(password).
		SetAutoReconnect(false).SetConnectRetry(false).SetProtocolVersion(4).SetConnectTimeout(patience)
}

// connect connects and reports whether the broker let it.
func (r *rig) connect(o *paho.ClientOptions) (paho.Client, error) {
	c := paho.NewClient(o)
	token := c.Connect()
	if !token.WaitTimeout(patience) {
		return nil, errors.New("no answer")
	}
	r.t.Cleanup(func() { c.Disconnect(0) })
	return c, token.Error()
}

func (r *rig) must(o *paho.ClientOptions) paho.Client {
	r.t.Helper()
	c, err := r.connect(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

const raised = "nabat/1/s/a/event/alert.raised"

func TestNothingIsAcknowledgedBeforeItIsStored(t *testing.T) {
	r := newRig(t)
	c := r.must(options(r, "a", "s/a", "token-a"))
	first, second := c.Publish(raised, 1, false, "one"), c.Publish(raised, 1, false, "two")
	r.waitUntil("both messages", func() bool { return len(r.topics()) == 2 })
	select {
	case <-first.Done():
		t.Error("PUBACK came before the commit")
	default:
	}
	r.taken[1].done(nil)
	if !second.WaitTimeout(patience) || second.Error() != nil {
		t.Fatalf("the second, which is stored: %v", second.Error())
	}
	select {
	case <-first.Done():
		t.Error("PUBACK came for the other one")
	default:
	}
	// What cannot be stored ends the connection, so that it comes again.
	r.taken[0].done(errors.New("disk"))
	r.waitUntil("end of the connection", func() bool { return !c.IsConnectionOpen() })
}

func TestOnlyRegisteredGatewaysComeIn(t *testing.T) {
	r := newRig(t)
	r.must(options(r, "mine", "s/a", "token-a"))
	for name, o := range map[string]*paho.ClientOptions{
		"a wrong token":              options(r, "x", "s/a", "token-b"),
		"no account":                 options(r, "x", "", ""),
		"no gateway":                 options(r, "x", "admin", "token-a"),
		"another's client id":        options(r, "mine", "s/b", "token-b"),
		"a session that stays":       options(r, "x", "s/a", "token-a").SetCleanSession(false),
		"a will about another":       options(r, "x", "s/a", "token-a").SetWill("nabat/1/s/b/status", "{}", 1, true),
		"a will that is a command":   options(r, "x", "s/a", "token-a").SetWill("nabat/1/s/a/command", "{}", 1, true),
		"an older protocol, 3.1":     options(r, "x", "s/a", "token-a").SetProtocolVersion(3),
		"a user of three parts":      options(r, "x", "s/a/b", "token-a"),
		"a user with a wildcard, so": options(r, "x", "s/+", "token-+"),
	} {
		if _, err := r.connect(o); err == nil {
			t.Errorf("%s came in", name)
		}
	}
}

func TestAGatewayReachesItsOwnTopicsOnly(t *testing.T) {
	r := newRig(t)
	for _, topic := range []string{
		"nabat/1/s/b/event/alert.raised", "nabat/1/s/a/receipt", "nabat/1/s/a/command", "nabat/1/s/b/status", "x", "nabat/1/s/a/event/a/b",
	} {
		c := r.must(options(r, "w", "s/a", "token-a"))
		c.Publish(topic, 1, true, "x")
		r.waitUntil("end of the connection after "+topic, func() bool { return !c.IsConnectionOpen() })
	}
	if list := r.topics(); len(list) != 0 {
		t.Errorf("handed over: %q", list)
	}
	c := r.must(options(r, "r", "s/a", "token-a"))
	for filter, want := range map[string]byte{
		"nabat/1/s/a/receipt": 1, "nabat/1/s/a/command": 1, "nabat/1/s/b/command": 0x80, "nabat/1/s/a/#": 0x80, "#": 0x80, "nabat/1/+/+/receipt": 0x80,
		"$SYS/#": 0x80, "nabat/1/s/a/status": 0x80, "$share/g/nabat/1/s/a/command": 0x80,
	} {
		token := c.Subscribe(filter, 1, nil)
		if !token.WaitTimeout(patience) {
			t.Fatalf("%s: no answer", filter)
		}
		// The client names a shared one by its last part.
		for _, got := range token.(*paho.SubscribeToken).Result() {
			if got != want {
				t.Errorf("subscribe %s: %#x, want %#x", filter, got, want)
			}
		}
	}
}

func TestReceiptsAreRetained(t *testing.T) {
	r := newRig(t)
	if err := r.b.Send(t.Context(), "nabat/1/s/a/receipt", []byte("stored"), true); err != nil {
		t.Fatal(err)
	}
	if err := r.b.Send(t.Context(), "nabat/1/s/a/command", []byte("old"), false); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	c := r.must(options(r, "a", "s/a", "token-a"))
	for _, topic := range []string{"nabat/1/s/a/command", "nabat/1/s/a/receipt"} {
		if token := c.Subscribe(topic, 1, func(_ paho.Client, m paho.Message) { got <- string(m.Payload()) }); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	select {
	case text := <-got:
		if text != "stored" {
			t.Errorf("got %q", text)
		}
	case <-time.After(patience):
		t.Error("no receipt")
	}
}

func TestAWillIsTakenLikeAStatus(t *testing.T) {
	r := newRig(t)
	r.must(options(r, "a", "s/a", "token-a").SetWill("nabat/1/s/a/status", `{"online":false}`, 1, true))
	r.must(options(r, "a", "s/a", "token-a")) // takes the first one's place
	r.waitUntil("the will", func() bool { l := r.topics(); return len(l) == 1 && l[0] == "nabat/1/s/a/status" })
}

func TestPlainIsForThisMachineOnly(t *testing.T) {
	if b, err := New(t.Context(), Options{Listen: "0.0.0.0:0", Accounts: accounts{}}); err == nil {
		_ = b.Close()
		t.Error("a broker without TLS listens for everybody")
	}
}
