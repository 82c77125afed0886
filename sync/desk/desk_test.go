package desk

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/sync/event"
)

func TestReceiptsSayWhatIsStored(t *testing.T) {
	d := run(t, open(t))
	g := connect(t, d)
	for _, seq := range []uint64{1, 2, 2, 5, 7} {
		g.send(pressed(t, "e1", seq))
	}
	last := func() event.Receipt {
		list := g.got()
		if len(list) == 0 {
			return event.Receipt{}
		}
		return list[len(list)-1]
	}
	eventually(t, "a receipt for all but the missing", func() bool {
		r := last()
		return r.Epoch == "e1" && r.Through == 2 && slices.Equal(r.Above, []uint64{5, 7})
	})
	if s := d.snapshot(); s.Total != 4 || s.Again != 1 || len(s.Events) != 4 {
		t.Errorf("%d events, %d repeated, %d listed; want 4, 1 and 4", s.Total, s.Again, len(s.Events))
	}
	for _, seq := range []uint64{4, 3} {
		g.send(pressed(t, "e1", seq))
	}
	eventually(t, "the mark moves over what was above it", func() bool {
		r := last()
		return r.Through == 5 && slices.Equal(r.Above, []uint64{7})
	})
}

func TestWhatCannotBeReadGetsNoReceipt(t *testing.T) {
	d := run(t, open(t))
	g := connect(t, d)
	g.send([]byte(`{"specversion":"1.0"`))
	odd := bytes.Replace(pressed(t, "bad", 1), []byte(`"number":1`), []byte(`"number":"one"`), 1)
	if _, err := event.Decode(odd); err != nil {
		t.Fatalf("only the data should be wrong: %v", err)
	}
	g.send(odd)
	for seq := uint64(1); seq <= 2; seq++ {
		g.send(pressed(t, "good", seq))
		eventually(t, "the receipt of what can be read", func() bool {
			return slices.ContainsFunc(g.got(), func(r event.Receipt) bool { return r.Epoch == "good" && r.Through == seq })
		})
	}
	for _, r := range g.got() {
		if r.Epoch != "good" {
			t.Errorf("receipt %+v for an event that nobody could read", r)
		}
	}
	if s := d.snapshot(); s.Total != 2 {
		t.Errorf("%d events stored, want 2", s.Total)
	}
}

// A desk that was started after the gateway misses the beginning of the epoch.
func TestNumbersAboveTheMarkAreBoundedAndEachIsInAReceipt(t *testing.T) {
	d := run(t, open(t))
	g := connect(t, d)
	const first, n = 1000, keptAbove + 2*maxAbove
	topic := strings.TrimSuffix(d.topics.Events(), "#") + "alert.raised"
	var flying []paho.Token
	for seq := uint64(first + n - 1); seq >= first; seq-- { // what comes last is the lowest
		flying = append(flying, g.client.Publish(topic, 1, false, pressed(t, "e1", seq)))
		if len(flying) == 1000 || seq == first {
			for _, token := range flying {
				settle(t, token)
			}
			flying = flying[:0]
		}
	}
	said := make(map[uint64]bool)
	read := 0
	eventually(t, "every number in a receipt", func() bool {
		list := g.got()
		defer func() { read = len(list) }()
		for _, r := range list[read:] {
			if r.Through != 0 || len(r.Above) > maxAbove {
				t.Fatalf("receipt through %d with %d numbers above", r.Through, len(r.Above))
			}
			for _, seq := range r.Above {
				said[seq] = true
			}
		}
		return len(said) == n
	})
	eventually(t, "a bounded memory", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.marks["e1"].above) == keptAbove && len(d.events) == keptEvents && d.total == n
	})
}

func TestCloseDoesNotWaitForABusyDesk(t *testing.T) {
	d := run(t, open(t))
	g := connect(t, d)
	topic := strings.TrimSuffix(d.topics.Events(), "#") + "alert.raised"
	d.mu.Lock() // the desk is busy with the first event
	defer d.mu.Unlock()
	for seq := uint64(1); seq <= 2*queued; seq++ {
		g.client.Publish(topic, 1, false, pressed(t, "e1", seq))
	}
	eventually(t, "the broker waits for the desk", func() bool { return len(d.messages) == queued })
	closed := make(chan error, 1)
	go func() { closed <- d.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	case <-time.After(patience):
		t.Error("Close waits")
	}
}

func TestGatewayThatWaitsAtTheDoorLosesNothing(t *testing.T) {
	d := open(t)
	g, token := dial(t, d, "early", d.Password())
	run(t, d)
	settle(t, token)
	g.send(pressed(t, "e1", 1))
	eventually(t, "the first event", func() bool { return d.snapshot().Total == 1 })
}

func TestWrongPasswordIsRefused(t *testing.T) {
	d := run(t, open(t))
	for _, password := range []string{"", "wrong", d.Password() + "x"} {
		if _, token := dial(t, d, "main", password); !token.WaitTimeout(patience) || token.Error() == nil {
			t.Errorf("password %q was taken", password)
		}
	}
	if other := open(t); other.Password() == d.Password() || d.Password() == "" {
		t.Error("two desks have one password")
	}
}

func TestForeignTopicsAreRefused(t *testing.T) {
	d := run(t, open(t))
	for _, topic := range []string{"nabat/1/school-12/other/event/alert.raised", d.topics.Receipt(), d.topics.Command()} {
		g, token := dial(t, d, "main", d.Password())
		settle(t, token)
		g.client.Publish(topic, 1, false, pressed(t, "e1", 1))
		eventually(t, "the end of whoever publishes to "+topic, func() bool {
			select {
			case <-g.gone:
				return true
			default:
				return false
			}
		})
	}
	g := connect(t, d)
	for _, filter := range []string{"#", d.topics.Events(), "nabat/1/school-12/other/receipt"} {
		token := g.client.Subscribe(filter, 1, func(paho.Client, paho.Message) {})
		if !token.WaitTimeout(patience) {
			t.Fatalf("no answer to a subscription of %s", filter)
		}
		if s, ok := token.(*paho.SubscribeToken); !ok || s.Result()[filter] != 0x80 && token.Error() == nil {
			t.Errorf("%s may be read", filter)
		}
	}
	g.send(pressed(t, "e1", 1))
	eventually(t, "the gateway's own topic", func() bool { return d.snapshot().Total == 1 })
	if s := d.snapshot(); s.Again != 0 {
		t.Error("an event on a foreign topic was stored")
	}
}

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		if _, err := New(t.Context(), Options{Listen: address}); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("listening on %s: %v", address, err)
		}
	}
	if _, err := New(t.Context(), Options{Listen: "127.0.0.1:-1"}); err == nil {
		t.Error("an impossible port is taken")
	}
}

func TestPortIsFreeAfterCloseWithoutRun(t *testing.T) {
	d := open(t)
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	again, err := New(t.Context(), Options{Listen: d.Address(), Topics: d.topics})
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
