package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/sync/central"
	"nabat/sync/dispatch/scaletest"
	"nabat/sync/dispatch/store"
	"nabat/sync/dispatch/store/storetest"
	"nabat/sync/mqtt"
	"nabat/sync/mqtt/brokertest"
)

// region is everything that docs/scale.md puts together, on loopback.
type region struct {
	t        *testing.T
	pg       *storetest.Server
	url      string
	cluster  *scaletest.Cluster
	mqtt     *scaletest.Front // before the brokers
	https    *scaletest.Front // before the dispatch processes
	ca       string
	dispatch []*process
	log      []string
}

func (r *region) note(format string, a ...any) {
	line := fmt.Sprintf(format, a...)
	r.log = append(r.log, line)
	r.t.Log(line)
}

// alive reports whether a process that was not killed has ended.
func (r *region) alive() error {
	for _, p := range r.dispatch {
		if len(p.ended) > 0 {
			return fmt.Errorf("a dispatch process ended\n%s", p.log)
		}
	}
	return nil
}

// explain shows what the processes said.
func (r *region) explain() {
	for i, p := range r.dispatch {
		r.t.Logf("dispatch %d:\n%s", i+1, tail(p.log.String()))
	}
	r.cluster.Stop()
	r.t.Logf("brokers:\n%s", tail(r.cluster.Log()))
}

func tail(s string) string {
	const most = 6000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

// holder returns the process that has the subscription: it was the last to say so.
func (r *region) holder() int {
	for i, p := range r.dispatch {
		if strings.Contains(p.log.String(), "this process has the subscription") {
			return i
		}
	}
	r.t.Fatal("nobody has the subscription")
	return 0
}

// newRegion starts the database and prepares the rest.
func newRegion(ctx context.Context, t *testing.T) *region {
	t.Helper()
	r := &region{t: t}
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	var err error
	if r.pg, err = storetest.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	if r.url, err = r.pg.Create(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

// crowd registers the gateways and makes their journals. Every twentieth uses
// both links, and one more in twenty HTTPS alone.
func (r *region) crowd(ctx context.Context, gateways, each int) scaletest.Crowd {
	r.t.Helper()
	db, err := store.Open(ctx, store.Options{URL: r.url})
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	dir := r.t.TempDir()
	authority := brokertest.NewAuthority(r.t)
	r.ca = authority.File
	cert, key := authority.Issue(r.t, "127.0.0.1", brokertest.Day())

	var crowd scaletest.Crowd
	accounts := []scaletest.Account{{User: "dispatch", Password: rand.Text()}}
	secrets := make(map[*scaletest.Gateway]string)
	for i := range gateways + gateways/20 {
		id := fmt.Sprintf("g%04d", i)
		token, err := db.AddGateway(ctx, store.Gateway{Site: "region", ID: id}, "", "test")
		if err != nil {
			r.t.Fatal(err)
		}
		g, err := scaletest.NewGateway("region", id, newEpoch(), each, time.Now())
		if err != nil {
			r.t.Fatal(err)
		}
		secrets[g] = filepath.Join(dir, id)
		if err := os.WriteFile(secrets[g], []byte(token+"\n"), 0o600); err != nil {
			r.t.Fatal(err)
		}
		crowd = append(crowd, g)
		accounts = append(accounts, scaletest.Account{User: g.String(), Password: token, Site: g.Site, Gateway: g.ID})
	}
	r.startCluster(ctx, accounts, cert, key)
	r.makeDispatch(ctx, accounts[0], cert, key)
	for i, g := range crowd {
		if i < gateways {
			err = g.OverMQTT(mqtt.Options{Broker: "tls://" + r.mqtt.Address(), CAFile: r.ca, User: g.String(), PasswordFile: secrets[g]})
		}
		if i >= gateways || i%20 == 0 {
			err = errors.Join(err, g.OverHTTPS(central.Options{URL: "https://" + r.https.Address(), CAFile: r.ca, TokenFile: secrets[g]}))
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return crowd
}

func newEpoch() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// startCluster starts the brokers with the documented configuration.
func (r *region) startCluster(ctx context.Context, accounts []scaletest.Account, cert, key string) {
	r.t.Helper()
	binary, err := scaletest.FindServer()
	if err != nil {
		r.t.Fatal(err)
	}
	config, err := os.ReadFile("../../docs/scale/nats-server.conf")
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := scaletest.Accounts(accounts)
	if err != nil {
		r.t.Fatal(err)
	}
	r.cluster = &scaletest.Cluster{Binary: binary, Dir: r.t.TempDir(), Config: config, Accounts: text, Cert: cert, Key: key, CA: r.ca}
	r.t.Cleanup(r.cluster.Stop)
	if err := r.cluster.Start(ctx); err != nil {
		r.t.Fatal(err)
	}
	r.mqtt = r.front(ctx, r.cluster.MQTT()...)
}

func (r *region) front(ctx context.Context, targets ...string) *scaletest.Front {
	r.t.Helper()
	f, err := scaletest.NewFront(ctx, targets...)
	if err != nil {
		r.t.Fatal(err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- f.Run(running) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	})
	return f
}

// makeDispatch writes the configurations of two processes that share the
// database and the broker.
func (r *region) makeDispatch(ctx context.Context, account scaletest.Account, cert, key string) {
	r.t.Helper()
	first := filepath.Join(r.t.TempDir(), "first")
	must(r.t, "init", "--dir", first, "--host", "127.0.0.1", "--listen", freeAddress(r.t), "--broker", "none", "--database", r.url)
	password := filepath.Join(r.t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(account.Password), 0o600); err != nil {
		r.t.Fatal(err)
	}
	var addresses []string
	for i := range 2 {
		address := freeAddress(r.t)
		addresses = append(addresses, address)
		text := fmt.Sprintf("listen = %q\ntls_cert = %q\ntls_key = %q\nca = %q\ndatabase = %q\nkeys = %q\n[mqtt]\nurl = %q\nusername = %q\npassword_file = %q\nca = %q\n",
			address, cert, key, r.ca, r.url, filepath.Join(first, "keys"), "mqtts://"+r.mqtt.Address(), account.User, password, r.ca)
		if err := os.WriteFile(filepath.Join(first, fmt.Sprintf("region-%d.toml", i)), []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	for i := range 2 {
		r.dispatch = append(r.dispatch, run(r.t, "nabat-dispatch", "run", "-c", filepath.Join(first, fmt.Sprintf("region-%d.toml", i))))
	}
	r.https = r.front(ctx, addresses...)
}

// start waits until both processes stand and one of them is subscribed.
func (r *region) start(ctx context.Context, crowd scaletest.Crowd) {
	r.t.Helper()
	err := scaletest.Await(ctx, "two dispatch processes, one of them subscribed", func() (bool, error) {
		ready, subscribed := 0, 0
		for _, p := range r.dispatch {
			text := p.log.String()
			ready += strings.Count(text, "msg=ready")
			subscribed += strings.Count(text, "msg=subscribed")
		}
		return ready == len(r.dispatch) && subscribed > 0, r.alive()
	})
	if err != nil {
		r.explain()
		r.t.Fatal(err)
	}
	r.note("%d gateways with %d events come back at once", len(crowd), crowd.Events())
}
