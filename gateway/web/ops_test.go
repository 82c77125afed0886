package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
)

func TestEveryAnswerIsHardened(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, func(o *Options) { o.Wall = newTestWall() })
	for _, path := range []string{"/", "/lobby", "/console", "/wall", "/healthz", "/metrics", "/api/v1/state", "/nowhere", "/static/" + s.assets.version + "/lobby.js"} {
		w := ask(s, http.MethodGet, path, "", nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
	for _, must := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "script-src 'self'", "style-src 'self'"} {
		if !strings.Contains(policy, must) {
			t.Errorf("the policy lacks %s", must)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("the policy is not strict: %s", policy)
	}
}

func TestHealthzNamesStalledJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, newHouse(), nil)
		pulse := s.opt.Health.Pulse("journal", 5*time.Second)
		if w := ask(s, http.MethodGet, "/healthz", "", nil); w.Code != http.StatusOK || w.Body.String() != "ok\n" {
			t.Errorf("%d %q", w.Code, w.Body)
		}
		<-time.After(6 * time.Second)
		if w := ask(s, http.MethodGet, "/healthz", "", nil); w.Code != http.StatusServiceUnavailable || w.Body.String() != "stalled: journal\n" {
			t.Errorf("%d %q", w.Code, w.Body)
		}
		pulse.Beat()
		if w := ask(s, http.MethodGet, "/healthz", "", nil); w.Code != http.StatusOK {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
}

func TestMetricsAreForThisMachineOrTheToken(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, func(o *Options) {
		o.MetricsToken = "t0ken"
		o.Metrics = func(w io.Writer) { _, _ = io.WriteString(w, "nabat_other 1\n") }
	})
	h.press(raise{kind: alert.Help, place: "secret", level: alert.LevelHelp})
	local := func(r *http.Request) { r.RemoteAddr = "127.0.0.1:4000" }
	proxied := func(r *http.Request) {
		local(r)
		r.Header.Set("X-Forwarded-For", "192.168.1.9")
	}
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	for i, c := range []struct {
		who  func(*http.Request)
		want int
	}{{nil, 403}, {proxied, 403}, {bearer("wrong"), 403}, {bearer(""), 403}, {local, 200}, {bearer("t0ken"), 200}} {
		w := ask(s, http.MethodGet, "/metrics", "", c.who)
		if w.Code != c.want {
			t.Errorf("case %d: %d, want %d", i, w.Code, c.want)
		}
		if c.want != 200 {
			continue
		}
		for _, line := range []string{
			`nabat_points_armed 10`, `nabat_link_up{link="mqtt"} 1`, `nabat_other 1`,
		} {
			if !slices.Contains(strings.Split(w.Body.String(), "\n"), line) {
				t.Errorf("no line %q in\n%s", line, w.Body)
			}
		}
		// The kiosk's own browser is on this machine: it learns of no quiet call,
		// neither by its count nor by a figure that steps with every event.
		trusted := i == 5
		for line, want := range map[string]bool{
			`nabat_alerts_open{level="help",status="Actual"} 1`: trusted, `nabat_alerts_open{status="Actual"} 1`: false, `nabat_alerts_open{status="Actual"} 0`: !trusted,
			`nabat_alerts_open{level=`: trusted, "nabat_view_version": trusted, "nabat_journal_sequence 1042": trusted,
			"nabat_link_waiting": trusted, "nabat_link_oldest": trusted, `nabat_decisions_total{decision="cleared"}`: trusted, `{decision="acknowledged"}`: trusted,
		} {
			if strings.Contains(w.Body.String(), line) != want {
				t.Errorf("case %d: %q is there: %v, want %v", i, line, !want, want)
			}
		}
	}
	empty := newTestServer(t, h, nil)
	if w := ask(empty, http.MethodGet, "/metrics", "", bearer("")); w.Code != http.StatusForbidden {
		t.Errorf("an empty token opens the metrics: %d", w.Code)
	}
}

func TestWall(t *testing.T) {
	w := newTestWall()
	s := newTestServer(t, newHouse(), func(o *Options) { o.Wall = w })
	for path, want := range map[string]int{"button-gym/press": 200, "button-gym/release": 200, "button-gym/tamper": 200, "lamp-gym/unplug": 200, "nothing/press": 404, "button-gym/burn": 404} {
		if got := ask(s, http.MethodPost, "/api/v1/wall/"+path, "", nil).Code; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	var gym wallPlace
	for _, p := range s.wallNow(alert.English).Places {
		if p.ID == "gym" {
			gym = p
		}
	}
	if len(gym.Buttons) != 1 || !gym.Buttons[0].Tampered || gym.Buttons[0].Hold != "Medical emergency (emergency)" || len(gym.Lamps) != 1 || !gym.Lamps[0].Unplugged {
		t.Errorf("gym %+v", gym)
	}
	none := newTestServer(t, newHouse(), nil)
	for _, path := range []string{"/wall", "/api/v1/state?audience=wall", "/api/v1/events?audience=wall"} {
		if got := ask(none, http.MethodGet, path, "", nil).Code; got != http.StatusNotFound {
			t.Errorf("without a simulated board %s answers %d", path, got)
		}
	}
	if got := ask(none, http.MethodPost, "/api/v1/wall/button-gym/press", "", nil).Code; got != http.StatusNotFound && got != http.StatusMethodNotAllowed {
		t.Errorf("without a simulated board a press answers %d", got)
	}
}

func TestStreamsOutliveTheServersTimeOutsForRequests(t *testing.T) {
	srv := httptest.NewUnstartedServer(newTestServer(t, newHouse(), nil).Handler())
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	srv.Start()
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := listen(ctx, t, srv.Client(), srv.URL+"/api/v1/events", "")
	for range 3 { // state, beat, and the beat after 2 s
		next(t, events)
	}
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	s := newTestServer(t, newHouse(), nil)
	s.peers = 2
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	var peers []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		peers = append(peers, c)
	}
	late := peers[2]
	if _, err := io.WriteString(late, "GET /healthz HTTP/1.1\r\nHost: nabat\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 15)
	_ = late.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := late.Read(answer); err == nil {
		t.Errorf("a third peer was let in: %q", answer[:n])
	}
	peers[0].Close()
	_ = late.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(late, answer); err != nil || string(answer) != "HTTP/1.1 200 OK" {
		t.Errorf("after a peer has left: %q, %v", answer, err)
	}
	// The seat must be that of the one who left: after 5 s the idle one is sent away too.
	_ = peers[1].SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := peers[1].Read(answer[:1]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Logf("nothing is shown: this machine was too slow (%v)", err)
	}
	refill, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer refill.Close()
	cancel() // also while Accept waits for a seat
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeEndsWithItsContextThoughStreamsAreOpen(t *testing.T) {
	s := newTestServer(t, newHouse(), nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	events := listen(t.Context(), t, client, "http://"+ln.Addr().String()+"/api/v1/events", "")
	next(t, events)
	begun := time.Now()
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if d := time.Since(begun); d > stopWithin {
		t.Errorf("stopping took %s", d)
	}
	broken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broken.Close()
	if err := s.Serve(t.Context(), broken); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a broken listener: %v", err)
	}
}
