package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/gateway/journal"
	"nabat/sync/command"
	"nabat/sync/dispatch/gate"
	"nabat/sync/dispatch/intake"
	"nabat/sync/dispatch/store"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

// centralService is the real central service's door for gateways, over a
// database of its own.
type centralService struct {
	store  *store.Store
	server *httptest.Server
	ca     *brokertest.Authority
	token  string // the file
}

func startCentral(t *testing.T) *centralService {
	t.Helper()
	s := &centralService{ca: brokertest.NewAuthority(t), token: filepath.Join(t.TempDir(), "token")}
	var err error
	if s.store, err = store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "dispatch.db")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	key, err := command.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := command.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	in := intake.New(s.store, intake.Options{})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	token, err := s.store.AddGateway(t.Context(), store.Gateway{Site: "school-12", ID: "main"}, "", "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.token, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, certKey := s.ca.Issue(t, "127.0.0.1", brokertest.Day())
	pair, err := tls.LoadX509KeyPair(cert, certKey)
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewUnstartedServer(gate.New(gate.Options{Intake: in, Store: s.store, Signer: signer}))
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

func (s *centralService) section() string {
	return fmt.Sprintf("[central]\nurl = %q\ntoken_file = %q\nca = %q\n", s.server.URL, s.token, s.ca.File)
}

func linkUp(name string) func(control.Status) bool {
	return func(s control.Status) bool {
		return slices.ContainsFunc(s.Links, func(l control.Link) bool { return l.Name == name && l.Up })
	}
}

func drained(consumer string) func(control.Status) bool {
	return func(s control.Status) bool {
		seen := false
		for _, q := range s.Queue {
			if q.Consumer == consumer {
				seen = true
				if q.Depth > 0 {
					return false
				}
			}
		}
		return seen
	}
}

func TestAlarmsGoOutOnBothLinks(t *testing.T) {
	broker, service := brokertest.Start(t, brokertest.Options{}), startCentral(t)
	far := subscribe(t, broker.Addr())
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"gym"}, mqttSection(broker)+service.section())
	p := start(t, path, dir)
	p.waitFor(t, "both links", func(s control.Status) bool { return linkUp("mqtt")(s) && linkUp("central")(s) })
	p.press(t, "gym")
	// Nobody gives receipts over MQTT here: this word is the service's.
	p.waitFor(t, "received", hasTruth(alert.TruthReceived))
	waitUntil(t, "the alarm over MQTT", func() bool { return far.count(alert.Raised) == 1 })
	p.waitFor(t, "both queues empty", func(s control.Status) bool { return drained("mqtt")(s) && drained("central")(s) })
}

func TestOneLinkDoesNotWaitForTheOther(t *testing.T) {
	broker, service := brokertest.Start(t, brokertest.Options{}), startCentral(t)
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"gym"}, mqttSection(broker)+service.section())
	broker.Kill()
	p := start(t, path, dir)
	p.press(t, "gym")
	p.waitFor(t, "received over the link that is there", hasTruth(alert.TruthReceived))
	p.waitFor(t, "the other one is named", func(s control.Status) bool {
		return !linkUp("mqtt")(s) && !drained("mqtt")(s) && drained("central")(s)
	})
	broker.Restart()
	p.waitFor(t, "the other one has caught up", func(s control.Status) bool { return linkUp("mqtt")(s) && drained("mqtt")(s) })
}

func stats(epoch string, last uint64) func() journal.Stats {
	return func() journal.Stats { return journal.Stats{Epoch: epoch, LastSeq: last} }
}

func TestAReceiptThatCannotBeOurs(t *testing.T) {
	c := &receiptCheck{stats: stats("ours", 10)}
	for _, one := range []struct {
		r    event.Receipt
		want bool
	}{
		{event.Receipt{Epoch: "ours", Through: 10}, true},
		{event.Receipt{Epoch: "ours", Through: 3, Above: []uint64{9, 10}}, true},
		{event.Receipt{Epoch: "another", Through: 1000}, true},
		{event.Receipt{Epoch: "ours", Through: 3, Above: []uint64{9, 11}}, false},
		{event.Receipt{Epoch: "ours", Through: 1}, false}, // nothing of it is believed any more
		{event.Receipt{Epoch: "another", Through: 1}, true},
	} {
		if got := c.trust(one.r); got != one.want {
			t.Errorf("%+v: %v, want %v", one.r, got, one.want)
		}
	}
	c = &receiptCheck{stats: stats("ours", 10)}
	if c.trust(event.Receipt{Epoch: "ours", Through: 11}) {
		t.Error("a mark beyond the journal is believed")
	}
}
