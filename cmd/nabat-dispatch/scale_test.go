package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"nabat/sync/central"
	"nabat/sync/dispatch/scaletest"
	"nabat/sync/dispatch/store"
	"nabat/sync/dispatch/store/storetest"
	"nabat/sync/mqtt"
	"nabat/sync/mqtt/brokertest"
)

// How large the region is: `make scale` asks for 1,000 gateways.
var (
	scaleGateways = flag.Int("gateways", 150, "gateways that come back at once")
	scaleEach     = flag.Int("each", 40, "events in the journal of each")
)

// scalePatience bounds the whole storm: what takes seconds on a machine of its
// own may take minutes on one that others use.
const scalePatience = 8 * time.Minute

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

// TestARegionLosesABrokerAndADispatchProcess is the storm of docs/scale.md:
// every gateway comes back at once with a full journal; in the middle of it the
// broker node that leads and the dispatch process that has the subscription are
// killed. Nothing is lost, nothing is stored twice, every gateway is told so.
func TestARegionLosesABrokerAndADispatchProcess(t *testing.T) {
	gateways, each := *scaleGateways, *scaleEach
	if testing.Short() { // the race detector sees the gateways only
		gateways, each = 20, 20
	}
	ctx, cancel := context.WithTimeout(t.Context(), scalePatience)
	defer cancel()
	r := newRegion(t, ctx)
	crowd := r.crowd(ctx, gateways, each)
	r.start(ctx, crowd)

	db, err := pgx.Connect(ctx, r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(ctx))
	stored := func() (n int) {
		if err := db.QueryRow(ctx, "SELECT count(*) FROM event").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	reach := func(share float64) {
		want := int(share * float64(crowd.Events()))
		last := time.Now()
		err := scaletest.Await(ctx, fmt.Sprintf("%d stored events", want), func() (bool, error) {
			n := stored()
			if time.Since(last) > 10*time.Second {
				last = time.Now()
				t.Logf("%d stored, %d confirmed", n, crowd.Delivered())
			}
			return n >= want, r.alive()
		})
		if err != nil {
			r.explain()
			t.Fatalf("%v; %d of %d stored, %d confirmed", err, stored(), crowd.Events(), crowd.Delivered())
		}
	}

	storm, calm := context.WithCancel(ctx)
	over := make(chan error, 1)
	begun := time.Now()
	go func() { over <- crowd.Run(storm) }()
	joined := false
	join := func() error {
		calm()
		if joined {
			return nil
		}
		joined = true
		return <-over
	}
	defer join()

	reach(0.25)
	name, err := r.cluster.KillLeader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	killedBroker := stored()
	r.note("%d of %d events stored: %s, which led the stream of messages, is killed", killedBroker, crowd.Events(), name)
	reach(0.5)
	holder := r.holder()
	r.dispatch[holder].kill()
	killedDispatch := stored()
	r.note("%d stored: dispatch %d, which has the subscription, is killed", killedDispatch, holder+1)
	if killedDispatch == crowd.Events() {
		t.Error("everything was stored before dispatch was killed: the storm is too small to show anything")
	}
	r.dispatch = append(r.dispatch[:holder], r.dispatch[holder+1:]...)
	reach(1)
	took := time.Since(begun)
	err = scaletest.Await(ctx, "receipts for everything", func() (bool, error) { return crowd.Delivered() == crowd.Events(), r.alive() })
	if err != nil {
		r.explain()
		t.Fatalf("%v; %d of %d confirmed", err, crowd.Delivered(), crowd.Events())
	}
	confirmed := time.Since(begun)
	if err := join(); err != nil {
		t.Error(err)
	}
	if err := crowd.Check(); err != nil {
		t.Error(err)
	}
	r.verify(ctx, db, crowd, each)
	r.note("%d events of %d gateways: the last stored after %v (%.0f/s), the last receipt after %v", crowd.Events(), len(crowd), took.Round(time.Millisecond), float64(crowd.Events())/took.Seconds(), confirmed.Round(time.Millisecond))
	r.compare(ctx, db, took)
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
func newRegion(t *testing.T, ctx context.Context) *region {
	t.Helper()
	r := &region{t: t}
	t.Cleanup(func() { goleak.VerifyNone(t, goleak.IgnoreCurrent()) })
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

// verify asks the database itself.
func (r *region) verify(ctx context.Context, db *pgx.Conn, crowd scaletest.Crowd, each int) {
	r.t.Helper()
	open, number := scaletest.Open(each)
	for _, q := range []struct {
		what, query string
		want        int64
	}{
		{"events", "SELECT count(*) FROM event", int64(crowd.Events())},
		{"different events", "SELECT count(DISTINCT (stream, seq)) FROM event", int64(crowd.Events())},
		{"different bytes of events", "SELECT count(DISTINCT md5(raw)) FROM event", int64(crowd.Events())},
		{"epochs", "SELECT count(*) FROM stream", int64(len(crowd))},
		{"gateways with an epoch", "SELECT count(DISTINCT gateway) FROM stream", int64(len(crowd))},
		{"marks that go through to the end without a gap", fmt.Sprintf("SELECT count(*) FROM stream WHERE have = '1-%d' AND events = %d", each, each), int64(len(crowd))},
		{"streams of events without a gap", fmt.Sprintf("SELECT count(*) FROM (SELECT FROM event GROUP BY stream HAVING min(seq) = 1 AND max(seq) = %d AND count(*) = %d) s", each, each), int64(len(crowd))},
		{"refused events", "SELECT count(*) FROM event WHERE refused <> ''", 0},
		{"events under another's id", "SELECT count(*) FROM stray", 0},
		{"copied disks", "SELECT count(*) FROM stream WHERE forked <> 0", 0},
		{"alerts", "SELECT count(*) FROM alert", int64(len(crowd)) * int64(number)},
		{"open alerts", "SELECT count(*) FROM standing WHERE stands = 1", int64(len(crowd) * open)},
		{"open alerts of the last press", fmt.Sprintf("SELECT count(*) FROM alert a JOIN standing s ON s.gateway = a.gateway AND s.id = a.id WHERE s.stands = 1 AND a.last_number = %d", number), int64(len(crowd) * open)},
	} {
		var n int64
		if err := db.QueryRow(ctx, q.query).Scan(&n); err != nil {
			r.t.Fatalf("%s: %v", q.what, err)
		}
		if n != q.want {
			r.t.Errorf("%s: %d, want %d", q.what, n, q.want)
		}
	}
	var inversions, deliveries int64
	if err := db.QueryRow(ctx, `SELECT count(*) FROM (SELECT at, lag(at) OVER (PARTITION BY stream, alarm, link ORDER BY seq) AS before FROM event) x WHERE at < before`).Scan(&inversions); err != nil {
		r.t.Fatal(err)
	}
	if err := db.QueryRow(ctx, "SELECT count(*) FROM delivery").Scan(&deliveries); err != nil {
		r.t.Fatal(err)
	}
	r.note("%d events arrived before one that stands before them in their lane; %d arrived by the second link as well", inversions, deliveries)
}

// compare copies the very same rows, bare, into a table with the same indexes.
func (r *region) compare(ctx context.Context, db *pgx.Conn, took time.Duration) {
	r.t.Helper()
	rows, err := db.Query(ctx, "SELECT stream, seq, at, link, alarm, subject, refused, raw FROM event ORDER BY stream, seq")
	if err != nil {
		r.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := db.Exec(ctx, "CREATE TABLE bare (LIKE event INCLUDING ALL)"); err != nil {
		r.t.Fatal(err)
	}
	begun := time.Now()
	n, err := db.CopyFrom(ctx, pgx.Identifier{"bare"}, []string{"stream", "seq", "at", "link", "alarm", "subject", "refused", "raw"}, pgx.CopyFromRows(all))
	if err != nil || int(n) != len(all) {
		r.t.Fatalf("copied %d: %v", n, err)
	}
	bare := time.Since(begun)
	r.note("a bare COPY of the same rows: %v (%.0f/s); the storm took %.0f times as long", bare.Round(time.Millisecond), float64(n)/bare.Seconds(), took.Seconds()/bare.Seconds())
}
