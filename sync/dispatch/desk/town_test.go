package desk

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/command"
	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testPassword = "correct horse"
	otherSecret  = "battery staple"
)

// signer stands for the keys of dispatch: what is signed is not the concern of
// these pages.
type signer struct{}

// Sign returns something of the right form.
func (signer) Sign(c command.Claims) (string, error) {
	b, err := json.Marshal(c)
	return "test." + string(b) + ".test", err
}

// town is a real store with two schools, two operators, an admin and teams.
type town struct {
	t     testing.TB
	store *store.Store

	mu  sync.Mutex // guards both
	seq map[store.Gateway]uint64
	now func() time.Time
}

func school() store.Gateway  { return store.Gateway{Site: "school-12", ID: "main"} }
func library() store.Gateway { return store.Gateway{Site: "library", ID: "hall"} }

func newTown(t testing.TB) *town {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "dispatch.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &town{t: t, store: s, seq: make(map[store.Gateway]uint64), now: time.Now}
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.AddGateway(ctx, school(), "Школа № 12", "test")
	must(err)
	_, err = s.AddGateway(ctx, library(), "Библиотека им. Абая", "test")
	must(err)
	must(s.AddOperator(ctx, store.Operator{ID: "aigerim", Name: "Айгерим Сапарова", Role: store.AdminRole}, testPassword, "test"))
	must(s.AddOperator(ctx, store.Operator{ID: "boris", Name: "Борис Ким", Role: store.OperatorRole}, otherSecret, "test"))
	_, err = s.PutTeam(ctx, store.Team{Name: "Группа 3", Phone: "+7 700 000 00 03"}, "test")
	must(err)
	return w
}

func (w *town) ctx() context.Context { return context.Background() }

// send stores an event as if the gateway had sent it now.
func (w *town) send(g store.Gateway, e alert.Event) {
	w.t.Helper()
	w.mu.Lock()
	w.seq[g]++
	ref := alert.Ref{Epoch: "epoch-" + g.Site, Seq: w.seq[g]}
	w.mu.Unlock()
	data, err := json.Marshal(e)
	if err != nil {
		w.t.Fatal(err)
	}
	raw := event.Append(nil, event.Source(g.Site, g.ID), journal.Row{Ref: ref, Type: e.Type, Subject: e.Subject, At: e.At, Data: data})
	decoded, err := event.Decode(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := w.store.Ingest(w.ctx(), []store.Arrival{{Gateway: g, Event: decoded, Raw: raw, Link: "mqtt", At: w.now()}})
	if err != nil || len(r.Refusals) > 0 {
		w.t.Fatalf("ingest: %v %v", err, r.Refusals)
	}
}

// press is one press of a button.
type press struct {
	gateway  store.Gateway
	id       string
	number   uint64
	kind     alert.Kind
	level    alert.Level
	status   alert.Status
	place    alert.Location
	ago      time.Duration
	unsynced bool
}

func (w *town) press(p press) {
	w.t.Helper()
	if p.gateway == (store.Gateway{}) {
		p.gateway = school()
	}
	if p.status == "" {
		p.status = alert.Actual
	}
	if p.place.ID == "" {
		p.place = alert.Location{ID: "room-204", Path: []string{"Главное здание", "2 этаж", "Кабинет 204"}}
	}
	at := w.now().UTC().Add(-p.ago)
	stamp := alert.Stamp{Wall: at.Add(4 * time.Millisecond), Boot: "boot-1", Mono: time.Hour - p.ago, Synced: !p.unsynced}
	if p.unsynced {
		at, stamp.Wall, stamp.Boot = time.Unix(3600, 0).UTC(), time.Unix(3600, 0).UTC(), "boot-0"
	}
	w.send(p.gateway, alert.Event{
		Type: alert.Raised, Subject: p.id, At: stamp, Numbering: "numbering", Number: p.number, Kind: p.kind, Level: p.level, Status: p.status,
		Place: &p.place, Point: "button-" + strings.TrimPrefix(p.place.ID, "room-"), Gesture: alert.Tap, PressedAt: at, PressedMono: time.Hour - p.ago,
	})
}

// heard lets a gateway speak.
func (w *town) heard(g store.Gateway, at time.Time, queue uint64, conditions ...health.Condition) {
	w.t.Helper()
	_, err := w.store.Heard(w.ctx(), store.Word{Gateway: g, Link: "mqtt", At: at, Status: event.Status{
		Online: true, Session: "session-1", Epoch: "epoch-" + g.Site, QueueDepth: queue, OldestAgeSeconds: int64(queue) * 30, Conditions: conditions,
		Clock: event.Clock{Wall: at, Synced: true, Boot: "boot-1", Mono: time.Hour},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) desk(change func(*Options)) *Server {
	w.t.Helper()
	o := Options{Store: w.store, Signer: signer{}, Name: "Диспетчерская района", Sender: "dispatch.test", Zone: time.UTC, Insecure: true}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// visit is a browser without a screen.
type visit struct {
	t      testing.TB
	base   string
	client *http.Client
}

func open(t testing.TB, s *Server) *visit {
	t.Helper()
	return enter(t, serve(t, s))
}

// serve serves the pages; open streams end with the test.
func serve(t testing.TB, s *Server) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv
}

func enter(t testing.TB, srv *httptest.Server) *visit {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // a test server's own certificate
	t.Cleanup(transport.CloseIdleConnections)
	return &visit{t: t, base: srv.URL, client: &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v *visit) do(req *http.Request) (*http.Response, string) {
	v.t.Helper()
	answer, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer, string(b)
}

func (v *visit) get(path string) (int, string) {
	v.t.Helper()
	req, err := http.NewRequest(http.MethodGet, v.base+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	answer, body := v.do(req)
	return answer.StatusCode, body
}

func (v *visit) form(path string, change func(*http.Request), fields ...string) (int, string) {
	v.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, v.base+path, strings.NewReader(values.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if change != nil {
		change(req)
	}
	answer, body := v.do(req)
	return answer.StatusCode, body
}

func (v *visit) login(name, password string) int {
	v.t.Helper()
	status, _ := v.form("/dispatch/login?lang=en", nil, "name", name, "password", password)
	return status
}

var tokenInPage = regexp.MustCompile(`data-token="([0-9a-f]+)"`)

// token returns the token that the pages' own forms carry.
func (v *visit) token() string {
	v.t.Helper()
	_, body := v.get("/dispatch")
	m := tokenInPage.FindStringSubmatch(body)
	if m == nil {
		v.t.Fatalf("no token in %.300s", body)
	}
	return m[1]
}

// in logs a person in.
func (v *visit) in(name, password string) *visit {
	v.t.Helper()
	if status := v.login(name, password); status != http.StatusSeeOther {
		v.t.Fatalf("log in as %s: %d", name, status)
	}
	return v
}

func one(id string) string {
	return fmt.Sprintf("/dispatch/alerts/%s/%s/%s", school().Site, school().ID, id)
}

// busy fills the town with what a night shift may see.
func (w *town) busy() {
	w.heard(school(), w.now(), 0)
	w.heard(library(), w.now().Add(-14*time.Minute), 0, health.Condition{Name: "disk-full", Detail: "12 MiB left"})
	w.press(press{id: "alert-1", number: 1, kind: alert.Intruder, level: alert.LevelEmergency, ago: 95 * time.Second})
	w.press(press{id: "alert-1", number: 2, kind: alert.Intruder, level: alert.LevelEmergency, ago: 40 * time.Second})
	w.press(press{gateway: library(), id: "alert-2", number: 1, kind: alert.Medical, level: alert.LevelEmergency, ago: 17 * time.Minute,
		place: alert.Location{ID: "hall-1", Path: []string{"Библиотека", "1 этаж", "Читальный зал"}}})
	w.press(press{id: "alert-3", number: 3, kind: alert.Fire, level: alert.LevelEmergency, status: alert.Exercise, ago: 50 * time.Second,
		place: alert.Location{ID: "gym", Path: []string{"Главное здание", "1 этаж", "Спортзал"}}})
	w.press(press{id: "alert-4", number: 4, kind: alert.Help, level: alert.LevelHelp, ago: 20 * time.Second,
		place: alert.Location{ID: "room-108", Path: []string{"Главное здание", "1 этаж", "Кабинет 108"}}})
}
