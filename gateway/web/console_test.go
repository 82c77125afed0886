package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/pin"
	"nabat/gateway/web/staff"
)

// ask sends one request to the handler.
func ask(s *Server, method, path, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "192.168.1.20:40000"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func login(s *Server, pin, role string) *httptest.ResponseRecorder {
	form := url.Values{"pin": {pin}, "role": {role}, "lang": {"ru"}}.Encode()
	return ask(s, http.MethodPost, "/console/login", form, func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	})
}

// staffOf logs in and returns what makes a request that of a staff member.
func staffOf(t *testing.T, s *Server, role string) func(*http.Request) {
	t.Helper()
	w := login(s, testPIN, role)
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	cookie := w.Result().Cookies()[0]
	return func(r *http.Request) {
		r.AddCookie(cookie)
		r.Header.Set("Content-Type", "application/json")
	}
}

func decideBody(number uint64, outcome alert.Outcome) string {
	b, err := json.Marshal(decision{Number: number, Outcome: outcome, Why: "проверено на месте"})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func code(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var said map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	s, _ := said["error"].(string)
	return s
}

func TestConsoleShowsAndDoesNothingWithoutThePIN(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	a := h.press(raise{kind: alert.Help, place: "secret", level: alert.LevelHelp})
	stale := func(r *http.Request) {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: strings.Repeat("A", 43)})
		r.Header.Set("Content-Type", "application/json")
	}
	for _, who := range []func(*http.Request){nil, stale} {
		for path, body := range map[string]string{
			"GET /api/v1/state?audience=console": "", "GET /api/v1/events?audience=console": "",
			"POST /api/v1/alerts/" + a.ID + "/acknowledge": decideBody(a.Last.Number, ""),
			"POST /api/v1/alerts/" + a.ID + "/clear":       decideBody(a.Last.Number, alert.Resolved),
		} {
			method, path, _ := strings.Cut(path, " ")
			w := ask(s, method, path, body, who)
			if w.Code != http.StatusUnauthorized || code(t, w) != "no-session" {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		w := ask(s, http.MethodGet, "/console", "", who)
		if !strings.Contains(w.Body.String(), `name="pin"`) || strings.Contains(w.Body.String(), "alerts-title") {
			t.Errorf("/console shows more than the login: %s", w.Body)
		}
	}
	if len(h.decisions()) != 0 {
		t.Error("a decision was taken without a session")
	}
	if w := ask(s, http.MethodGet, "/api/v1/state?audience=console", "", staffOf(t, s, "duty")); !strings.Contains(w.Body.String(), "Кабинет психолога") {
		t.Errorf("staff do not see the quiet alert: %s", w.Body)
	}
}

func TestLogin(t *testing.T) {
	s := newTestServer(t, newHouse(), nil)
	if w := login(s, testPIN, "pupil"); w.Code != http.StatusBadRequest {
		t.Errorf("an unknown role: %d", w.Code)
	}
	if w := login(s, "000000", "duty"); w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 || !strings.Contains(w.Body.String(), "Неверный PIN-код") {
		t.Errorf("a wrong PIN: %d %s", w.Code, w.Body)
	}
	w := login(s, testPIN, "duty")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/console?lang=ru" {
		t.Fatalf("the right PIN: %d %s", w.Code, w.Header().Get("Location"))
	}
	c := w.Result().Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.MaxAge != int(staff.Lifetime/time.Second) {
		t.Errorf("cookie over plain HTTP: %+v", c)
	}
	form := url.Values{"pin": {testPIN}, "role": {"duty"}}.Encode()
	secure := ask(s, http.MethodPost, "https://gateway/console/login", form, func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	})
	if !secure.Result().Cookies()[0].Secure {
		t.Error("the cookie over TLS is not Secure")
	}
	me := func(r *http.Request) { r.AddCookie(c) }
	if w := ask(s, http.MethodPost, "/console/logout", "", me); w.Code != http.StatusSeeOther {
		t.Errorf("logout: %d", w.Code)
	}
	if w := ask(s, http.MethodGet, "/api/v1/state?audience=console", "", me); w.Code != http.StatusUnauthorized {
		t.Errorf("after logout: %d", w.Code)
	}
}

func TestWrongPINsLockAndSayUntilWhen(t *testing.T) {
	s := newTestServer(t, newHouse(), nil)
	for range 3 {
		if w := login(s, "000000", "duty"); w.Code != http.StatusForbidden {
			t.Fatalf("a wrong PIN: %d", w.Code)
		}
	}
	w := login(s, testPIN, "duty")
	wait, err := strconv.Atoi(w.Header().Get("Retry-After"))
	if w.Code != http.StatusTooManyRequests || err != nil || wait < 25 || wait > 30 {
		t.Fatalf("the fourth try: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if !strings.Contains(w.Body.String(), "через "+strconv.Itoa(wait)+" секунд") {
		t.Errorf("the page does not say when: %s", w.Body)
	}
}

func TestWithoutAPINTheConsoleStaysClosed(t *testing.T) {
	s := newTestServer(t, newHouse(), func(o *Options) { o.PINHash = "" })
	if w := ask(s, http.MethodGet, "/console", "", nil); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), `name="pin"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := login(s, "", "duty"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("login: %d", w.Code)
	}
	if list := s.opt.Health.List(); len(list) != 1 || list[0].Name != conditionNoPIN {
		t.Errorf("conditions %+v", list)
	}
	if _, err := New(Options{Site: testSite(), Source: newHouse(), Now: newHouse().now, PINHash: "1234"}); !errors.Is(err, pin.ErrHash) {
		t.Errorf("a PIN that is not a hash: %v", err)
	}
	if _, err := New(Options{}); !errors.Is(err, ErrOptions) {
		t.Errorf("empty options: %v", err)
	}
}

func TestDecisions(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	nurse := staffOf(t, s, "nurse")
	a := h.press(raise{kind: alert.Medical, place: "gym", level: alert.LevelEmergency})
	address := "/api/v1/alerts/" + a.ID

	if w := ask(s, http.MethodPost, address+"/acknowledge", decideBody(a.Last.Number, ""), nurse); w.Code != http.StatusOK {
		t.Fatalf("acknowledge: %d %s", w.Code, w.Body)
	}
	want := alert.Decision{Alert: a.ID, Number: a.Last.Number, Origin: "console", Who: "nurse", Why: "проверено на месте"}
	if got := h.decisions(); len(got) != 1 || got[0] != want {
		t.Errorf("the desk was asked %+v, want %+v", got, want)
	}
	state := s.consoleNow(alert.Kazakh, h.now())
	if m := state.Alerts[0].Accepted; m == nil || m.Who != "Медицина қызметкері" {
		t.Errorf("accepted by %+v", m)
	}

	// A press that the person did not see is not covered by their clear.
	newer := h.press(raise{kind: alert.Medical, place: "gym", level: alert.LevelEmergency})
	w := ask(s, http.MethodPost, address+"/clear", decideBody(a.Last.Number, alert.Resolved), nurse)
	var said decided
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || w.Code != http.StatusOK || !said.Open || !said.Newer {
		t.Fatalf("clear of an old press: %d %s", w.Code, w.Body)
	}
	if len(h.View().State.Open()) != 1 {
		t.Fatal("the newer press was cleared")
	}
	if w := ask(s, http.MethodPost, address+"/clear", decideBody(newer.Last.Number+1, alert.Resolved), nurse); w.Code != http.StatusBadRequest {
		t.Errorf("a press that never was: %d", w.Code)
	}
	w = ask(s, http.MethodPost, address+"/clear", decideBody(newer.Last.Number, alert.FalsePress), nurse)
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || w.Code != http.StatusOK || said.Open || said.Newer {
		t.Fatalf("clear: %d %s", w.Code, w.Body)
	}
	if len(h.View().State.Open()) != 0 {
		t.Error("the alert is still open")
	}
	// The second of two people hears who was first.
	w = ask(s, http.MethodPost, address+"/clear?lang=en", decideBody(newer.Last.Number, alert.Resolved), staffOf(t, s, "head"))
	if w.Code != http.StatusConflict || code(t, w) != "already-cleared" || !strings.Contains(w.Body.String(), "Nurse") || !strings.Contains(w.Body.String(), "False press") {
		t.Errorf("the second clear: %d %s", w.Code, w.Body)
	}
	if w := ask(s, http.MethodPost, "/api/v1/alerts/nobody/clear", decideBody(1, alert.Resolved), nurse); w.Code != http.StatusNotFound {
		t.Errorf("an unknown alert: %d", w.Code)
	}
}

func TestTwoPeopleClearAtOnce(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	a := h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
	h.stalled = make(chan struct{})
	var group sync.WaitGroup
	codes := make([]int, 2)
	for i, role := range []string{"duty", "head"} {
		me := staffOf(t, s, role)
		group.Go(func() {
			codes[i] = ask(s, http.MethodPost, "/api/v1/alerts/"+a.ID+"/clear", decideBody(a.Last.Number, alert.Resolved), me).Code
		})
	}
	until(t, func() bool { return len(h.decisions()) == 2 })
	close(h.stalled)
	group.Wait()
	if !slices.Equal(codes, []int{200, 200}) || len(h.View().State.Open()) != 0 {
		t.Errorf("answers %v, open %d", codes, len(h.View().State.Open()))
	}
}

func TestAClearThatWasNotWrittenSaysSo(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	me := staffOf(t, s, "duty")
	a := h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
	h.broken = errors.New("disk full")
	w := ask(s, http.MethodPost, "/api/v1/alerts/"+a.ID+"/clear", decideBody(a.Last.Number, alert.Resolved), me)
	if w.Code != http.StatusServiceUnavailable || code(t, w) != "not-saved" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if len(h.View().State.Open()) != 1 {
		t.Error("the alert was closed")
	}
}

func TestADecisionInMemoryOnlySaysSo(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, func(o *Options) { o.Desk = memoryDesk{h} })
	a := h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
	w := ask(s, http.MethodPost, "/api/v1/alerts/"+a.ID+"/clear", decideBody(a.Last.Number, alert.Resolved), staffOf(t, s, "duty"))
	var said decided
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || w.Code != http.StatusOK || said.Open || !said.Memory {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// memoryDesk decides without a disk.
type memoryDesk struct{ *house }

func (d memoryDesk) Clear(ctx context.Context, x alert.Decision) error {
	return errors.Join(d.house.Clear(ctx, x), fmt.Errorf("%w", alert.ErrNotDurable))
}

// The desk refuses the slower of two people whose clears met at the disk.
func TestTheSlowerOfTwoPeopleHearsWhoWasFaster(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, func(o *Options) { o.Desk = overtakenDesk{h} })
	a := h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
	w := ask(s, http.MethodPost, "/api/v1/alerts/"+a.ID+"/clear", decideBody(a.Last.Number, alert.Resolved), staffOf(t, s, "duty"))
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Руководитель") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type overtakenDesk struct{ *house }

func (d overtakenDesk) Clear(ctx context.Context, x alert.Decision) error {
	x.Who = "head"
	return errors.Join(d.house.Clear(ctx, x), errors.New("no such open alert"))
}

func TestALampThatDoesNotFollowIsAFault(t *testing.T) {
	h := newHouse()
	h.change(func(v *alert.View) {
		for _, l := range testSite().Lamps {
			delete(v.Points, l.ID) // as the engine does: nobody reads a lamp
		}
	})
	s := newTestServer(t, h, nil)
	s.opt.Health.Set("lamp-fault:lamp-gym", "lamp lamp-gym does not follow: no such device")
	state := s.consoleNow(alert.English, h.now())
	if p := state.Points[0]; p.ID != "lamp-gym" || p.Armed || p.Fault == "" {
		t.Errorf("first point %+v", p)
	}
	for _, p := range state.Points[1:] {
		if !p.Armed || p.Fault != "" {
			t.Errorf("point %+v", p)
		}
	}
	if c := state.Conditions[0]; c.Title != "A lamp does not follow: Gym (lamp-gym)" || !strings.Contains(c.Remedy, "Check the lamp") {
		t.Errorf("condition %+v", c)
	}
}

func TestADiskThatDoesNotAnswerIsNotCalledDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		s := newTestServer(t, h, nil)
		me := staffOf(t, s, "duty")
		a := h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
		h.stalled = make(chan struct{})
		// The browser leaves at once; the decision is not its to take back.
		gone, leave := context.WithCancel(t.Context())
		leave()
		begun := time.Now()
		w := ask(s, http.MethodPost, "/api/v1/alerts/"+a.ID+"/clear", decideBody(a.Last.Number, alert.Resolved), func(r *http.Request) {
			me(r)
			*r = *r.WithContext(gone)
		})
		if d := time.Since(begun); w.Code != http.StatusGatewayTimeout || code(t, w) != "unsure" || d != decideWithin {
			t.Errorf("%d %s after %s", w.Code, w.Body, d)
		}
	})
}

func TestOtherSitesCannotDecide(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, func(o *Options) { o.Wall = newTestWall() })
	me := staffOf(t, s, "duty")
	a := h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
	attack := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			me(r)
			r.Header.Set(name, value)
		}
	}
	for _, path := range []string{"/api/v1/alerts/" + a.ID + "/clear", "/console/login", "/console/logout", "/api/v1/wall/button-gym/press"} {
		for _, change := range []func(*http.Request){
			attack("Sec-Fetch-Site", "cross-site"), attack("Sec-Fetch-Site", "same-site"), attack("Origin", "http://evil.test"), attack("Origin", "null"),
		} {
			if w := ask(s, http.MethodPost, path, decideBody(a.Last.Number, alert.Resolved), change); w.Code != http.StatusForbidden {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
	}
	form := ask(s, http.MethodPost, "/api/v1/alerts/"+a.ID+"/clear", decideBody(a.Last.Number, alert.Resolved), attack("Content-Type", "text/plain"))
	if form.Code != http.StatusUnsupportedMediaType {
		t.Errorf("a form: %d", form.Code)
	}
	if len(h.decisions()) != 0 {
		t.Error("a decision was taken")
	}
	own := ask(s, http.MethodPost, "http://gateway.test/api/v1/alerts/"+a.ID+"/clear", decideBody(a.Last.Number, alert.Resolved), attack("Origin", "http://gateway.test"))
	if own.Code != http.StatusOK {
		t.Errorf("our own page over plain HTTP: %d %s", own.Code, own.Body)
	}
}

func TestTheChainClaimsNothingUnproven(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	a := h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency, truth: alert.TruthSaved})
	look := func() string {
		var states []string
		for _, st := range s.consoleNow(alert.English, h.now()).Alerts[0].Chain {
			states = append(states, st.Step+"="+st.State)
		}
		return strings.Join(states, " ")
	}
	if got, want := look(), "raised=done saved=done sent=open received=open accepted=open"; got != want {
		t.Errorf("saved: %s", got)
	}
	if err := h.Acknowledge(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Who: "duty"}); err != nil {
		t.Fatal(err)
	}
	if got, want := look(), "raised=done saved=done sent=open received=open accepted=done"; got != want {
		t.Errorf("accepted on site without a link: %s", got)
	}
	if means := s.consoleNow(alert.English, h.now()).Alerts[0].Means; !strings.Contains(means, "not confirmed") {
		t.Errorf("accepted on site without a link means %q", means)
	}
	h.change(func(v *alert.View) { v.Proofs[a.Key] = alert.TruthReceived })
	if got, want := look(), "raised=done saved=done sent=done received=done accepted=done"; got != want {
		t.Errorf("received and accepted: %s", got)
	}
}

func TestAgesComeFromTheGatewaysClock(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency, ago: 3 * time.Minute})
	now := h.now()
	a := s.consoleNow(alert.English, now).Alerts[0]
	if age := now.Mono.Milliseconds() - a.First; age < 179_000 || age > 181_000 {
		t.Errorf("age %d ms, want 3 min", age)
	}
	// Another boot, both clocks right: by the wall clock.
	before := alert.Stamp{Boot: "boot-0", Mono: 9 * time.Hour, Wall: now.Wall.Add(-2 * time.Hour), Synced: true}
	if age := now.Mono.Milliseconds() - moment(now, before); age < 7_199_000 || age > 7_201_000 {
		t.Errorf("age across boots %d ms, want 2 h", age)
	}
}

// until waits for a condition with a deadline.
func until(t testing.TB, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("not in time")
		}
	}
}

func FuzzDecodeDecision(f *testing.F) {
	for _, s := range []string{
		`{"number":7,"why":"x"}`, `{"number":7,"outcome":"resolved"}`, `{"number":-1}`, `{"number":1e3}`, `{"number":7}{"number":8}`,
		`{"number":7,"who":"admin"}`, `{"number":7,"why":"\u0000"}`, `[]`, ``, `{"number":18446744073709551616}`,
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, body string, clear bool) {
		d, err := decodeDecision(strings.NewReader(body), clear)
		switch {
		case err != nil:
			if !errors.Is(err, errDecision) {
				t.Fatalf("error is not errDecision: %v", err)
			}
		case d.Number == 0 || clear != d.Outcome.Valid() || len([]rune(d.Why)) > maxWhy || strings.ContainsAny(d.Why, "\x00\n\r\x7f"):
			t.Fatalf("accepted %+v", d)
		}
	})
}

func FuzzRequest(f *testing.F) {
	h := newHouse()
	h.press(raise{kind: alert.Help, place: "secret", level: alert.LevelHelp})
	w := newTestWall()
	s := newTestServer(f, h, func(o *Options) { o.Wall = w })
	for _, path := range []string{
		"/", "/lobby?screen=%00&lang=xx", "/console", "/api/v1/state?audience=wall", "/api/v1/alerts/x/clear", "/api/v1/wall/button-gym/press",
		"/static/" + s.assets.version + "/../web.go", "/static/" + s.assets.version + "/base.css", "/healthz", "/metrics",
	} {
		f.Add(http.MethodGet, path, "", "")
		f.Add(http.MethodPost, path, `{"number":1}`, "nabat_staff=x")
	}
	f.Fuzz(func(t *testing.T, method, path, body, cookie string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Host != "" || !strings.HasPrefix(path, "/") || u.Query().Get("audience") == "" && u.Path == "/api/v1/events" {
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // a stream must end at once
		r, err := http.NewRequestWithContext(ctx, method, "http://gateway.test", strings.NewReader(body))
		if err != nil {
			return
		}
		r.URL.Path, r.URL.RawQuery, r.Header = u.Path, u.RawQuery, http.Header{"Cookie": {cookie}}
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, r)
		if rec.Code == http.StatusInternalServerError {
			t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
		}
		answer, err := io.ReadAll(rec.Body)
		if err != nil || strings.Contains(string(answer), "психолог") && !strings.Contains(string(answer), "role.counsellor") && !strings.Contains(path, "console") {
			t.Fatalf("%s %s tells of a quiet alert: %s", method, path, answer)
		}
	})
}
