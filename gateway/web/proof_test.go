package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/web/screens"
)

// withScreens gives the site two screens, one of them watched.
func withScreens(o *Options) {
	o.Site.Screens = []alert.Screen{{ID: "hall", Watched: true}, {ID: "guard"}}
}

// secretOf opens a stream of a screen and returns what its proofs have to bear.
func secretOf(ctx context.Context, t *testing.T, client *http.Client, address string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var m message
			if err := json.Unmarshal([]byte(data), &m); err != nil {
				t.Fatal(err)
			}
			return m.Page
		}
	}
	t.Fatalf("no message: %s", answer.Status)
	return ""
}

func TestAScreenProvesItselfOverHTTP(t *testing.T) {
	s := newTestServer(t, newHouse(), withScreens)
	srv := serve(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	secret := secretOf(ctx, t, srv.Client(), srv.URL+"/api/v1/events?screen=hall")
	for _, other := range []string{"", "?screen=nothing"} {
		if got := secretOf(ctx, t, srv.Client(), srv.URL+"/api/v1/events"+other); got != "" {
			t.Errorf("a page of no screen %q is to prove something", other)
		}
	}
	good := fmt.Sprintf(`{"page":%q,"frames":3,"painted":"x","hidden":false,"width":1920,"height":1080}`, secret)
	post := func(screen, body, kind string, change func(*http.Request)) (status int, answer string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/api/v1/screens/"+screen+"/heartbeat", strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:5000"
		r.Header.Set("Content-Type", kind)
		if change != nil {
			change(r)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	const js = "application/json"
	for name, c := range map[string]struct {
		screen, body, kind string
		change             func(*http.Request)
		want               int
	}{
		"a form of another site":   {"hall", good, "text/plain", nil, http.StatusUnsupportedMediaType},
		"a script of another site": {"hall", good, js, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, http.StatusForbidden},
		"another origin":           {"hall", good, js, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, http.StatusForbidden},
		"another name":             {"hall", good, js, func(r *http.Request) { r.Host = "evil.example.org" }, http.StatusMisdirectedRequest},
		"another host":             {"hall", good, js, func(r *http.Request) { r.RemoteAddr = "10.9.8.7:5000" }, http.StatusNotFound},
		"a guessed secret":         {"hall", strings.Replace(good, secret, strings.Repeat("0", 32), 1), js, nil, http.StatusNotFound},
		"another screen":           {"guard", good, js, nil, http.StatusNotFound},
		"no such screen":           {"cellar", good, js, nil, http.StatusNotFound},
		"a huge body":              {"hall", `{"page":"` + strings.Repeat("a", 1<<20) + `"}`, js, nil, http.StatusBadRequest},
		"no body":                  {"hall", "", js, nil, http.StatusBadRequest},
		"two bodies":               {"hall", good + good, js, nil, http.StatusBadRequest},
	} {
		if status, body := post(c.screen, c.body, c.kind, c.change); status != c.want {
			t.Errorf("%s: %d %s, want %d", name, status, body, c.want)
		}
	}
	if got := s.Screens()[0]; !got.Seen.IsZero() {
		t.Errorf("an attack counts as a proof: %+v", got)
	}
	// Whoever asks learns nothing: screens that exist answer like those that do not.
	_, there := post("guard", good, js, nil)
	if _, nowhere := post("cellar", good, js, nil); there != nowhere {
		t.Errorf("%q and %q differ", there, nowhere)
	}
	if status, body := post("hall", good, js, nil); status != http.StatusNoContent || body != "" {
		t.Errorf("a proof: %d %s", status, body)
	}
	s.screens.Look()
	if got := s.Screens()[0]; got.Seen.IsZero() || got.State != screens.OK || got.Width != 1920 {
		t.Errorf("after a proof: %+v", got)
	}
	// A flood: one counts, the others are answered cheaply, and nothing is kept of them.
	flood := map[int]int{}
	for i := range 2000 {
		body := good
		if i%2 == 0 {
			body = strings.Replace(good, secret, fmt.Sprintf("%032d", i), 1)
		}
		status, _ := post("hall", body, js, nil)
		flood[status]++
	}
	if flood[http.StatusNoContent] > 10 || flood[http.StatusNotFound] != 1000 {
		t.Errorf("the flood: %v", flood)
	}
	cancel()
	until(t, func() bool { s.screens.Look(); return s.Screens()[0].Pages == 0 && s.streams.count(toLobby) == 0 })
	if status, _ := post("hall", good, js, nil); status != http.StatusNotFound {
		t.Errorf("a proof of a page that has gone: %d", status)
	}
}

// A screen's page gets a secret, and with it no sign of quiet alerts.
func TestTheConsoleShowsScreens(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, withScreens)
	duty := staffOf(t, s, "duty")
	w := ask(s, http.MethodGet, "/api/v1/state?audience=console", "", duty)
	for _, want := range []string{`"screens":[{"id":"hall","state":"waiting","watched":true`, `{"id":"guard"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in %s", want, w.Body)
		}
	}
	for _, l := range alert.Languages() {
		for _, key := range []string{"screen.waiting", "screen.ok", "screen.dark", "screen.frozen", "condition." + screens.ConditionDark, "condition." + screens.ConditionFrozen} {
			if s.words[l].Get(key) == key {
				t.Errorf("no words for %s in %s", key, l)
			}
		}
	}
}
