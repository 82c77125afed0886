package gate

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// rig is a gate before a real database, behind real TLS.
type rig struct {
	t      *testing.T
	store  *store.Store
	sign   *command.Signer
	server *httptest.Server
	ca     *brokertest.Authority
	main   store.Gateway
	token  string
}

// newRig runs a gate; change may replace what stands behind it.
func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, main: store.Gateway{Site: "school-12", ID: "main"}, ca: brokertest.NewAuthority(t)}
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
	in := intake.New(r.store, intake.Options{})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	o := Options{Intake: in, Store: r.store, Signer: r.sign}
	if change != nil {
		change(&o)
	}
	r.server = httptest.NewUnstartedServer(New(o))
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(r.ca.File)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("no authority: %v", err)
	}
	r.server.TLS = &tls.Config{ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12}
	r.server.StartTLS()
	t.Cleanup(r.server.Close)
	r.token = r.add(r.main)
	return r
}

func (r *rig) add(g store.Gateway) string {
	r.t.Helper()
	token, err := r.store.AddGateway(r.t.Context(), g, "", "test")
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// ask is one request and its answer.
type ask struct {
	method, path, token, media, coding string
	body                               []byte
	client                             *http.Client
}

func (r *rig) do(a ask) (status int, header http.Header, body string) {
	r.t.Helper()
	status, header, body, err := r.try(a)
	if err != nil {
		r.t.Fatal(err)
	}
	return status, header, body
}

// try may be called from any goroutine.
func (r *rig) try(a ask) (status int, header http.Header, body string, err error) {
	if a.method == "" {
		a.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(r.t.Context(), a.method, r.server.URL+a.path, bytes.NewReader(a.body))
	if err != nil {
		return 0, nil, "", err
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	if a.media != "" {
		req.Header.Set("Content-Type", a.media)
	}
	if a.coding != "" {
		req.Header.Set("Content-Encoding", a.coding)
	}
	c := a.client
	if c == nil {
		c = r.server.Client()
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(b), err
}

func path(g store.Gateway, what string) string {
	return "/v1/sites/" + g.Site + "/gateways/" + g.ID + "/" + what
}

// rows are routine events of one epoch.
func rows(epoch string, from, to uint64) []journal.Row {
	var list []journal.Row
	for n := from; n <= to; n++ {
		list = append(list, journal.Row{Ref: alert.Ref{Epoch: epoch, Seq: n}, Type: alert.GatewayStarted, Data: []byte(`{}`), At: alert.Stamp{Wall: time.Now(), Synced: true}})
	}
	return list
}

func batchOf(g store.Gateway, list []journal.Row) []byte {
	return event.AppendBatch(nil, event.Source(g.Site, g.ID), list)
}

// send posts a batch of the rig's gateway and reads the reply.
func (r *rig) send(list []journal.Row) event.Reply {
	r.t.Helper()
	status, _, body := r.do(ask{path: path(r.main, "events"), token: r.token, media: event.BatchType, body: batchOf(r.main, list)})
	if status != http.StatusOK {
		r.t.Fatalf("status %d: %s", status, body)
	}
	reply, err := event.ParseReply([]byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	return reply
}

func (r *rig) statusDocument(s event.Status) []event.Receipt {
	r.t.Helper()
	b, err := s.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	status, _, body := r.do(ask{path: path(r.main, "status"), token: r.token, media: event.JSONType, body: b})
	if status != http.StatusOK {
		r.t.Fatalf("status %d: %s", status, body)
	}
	var raw Receipts
	if err := json.Unmarshal([]byte(body), &raw); err != nil {
		r.t.Fatal(err)
	}
	var list []event.Receipt
	for _, b := range raw.Receipts {
		one, err := event.ParseReceipt(b)
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, one)
	}
	return list
}

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// withCertificate returns a client that shows a certificate for name.
func (r *rig) withCertificate(name string) *http.Client {
	r.t.Helper()
	cert, key := r.ca.Issue(r.t, name, brokertest.Day())
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		r.t.Fatal(err)
	}
	t := r.server.Client().Transport.(*http.Transport).Clone()
	t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	r.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

func (r *rig) issue() store.Command {
	r.t.Helper()
	c, err := r.store.Issue(r.t.Context(), r.main, command.Claims{Verb: command.Announce, Who: "op", Text: &alert.Text{RU: "а", KK: "ә", EN: "a"}, Seconds: 60}, "op", r.sign)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func jsonError(body string) bool {
	var e struct {
		Error string `json:"error"`
	}
	return json.NewDecoder(strings.NewReader(body)).Decode(&e) == nil && e.Error != ""
}
