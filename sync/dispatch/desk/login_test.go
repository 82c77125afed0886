package desk

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"nabat/sync/dispatch/store"
)

func TestNothingIsShownWithoutALogin(t *testing.T) {
	w := newTown(t)
	w.press(press{id: "alert-1", number: 1, kind: "fire", level: 2})
	v := open(t, w.desk(nil))
	for _, path := range []string{"/dispatch", one("alert-1"), one("alert-1") + "/cap", "/dispatch/gateways", "/dispatch/gateways/school-12/main", "/dispatch/history", "/dispatch/history.csv", "/dispatch/audit", "/dispatch/audit.csv", "/dispatch/people"} {
		status, body := v.get(path)
		if status != http.StatusSeeOther || strings.Contains(body, "204") {
			t.Errorf("GET %s: %d %.200s", path, status, body)
		}
	}
	if status, body := v.get("/dispatch/events"); status != http.StatusUnauthorized || strings.Contains(body, "alert") {
		t.Errorf("the stream: %d %.200s", status, body)
	}
	for _, path := range posts() {
		if status, body := v.form(path, nil, "number", "1"); status != http.StatusUnauthorized {
			t.Errorf("POST %s: %d %.200s", path, status, body)
		}
	}
}

// posts are all addresses that change something.
func posts() []string {
	g := "/dispatch/gateways/school-12/main"
	return []string{one("alert-1") + "/take", one("alert-1") + "/team", one("alert-1") + "/arrived", one("alert-1") + "/clear", g + "/announce", g + "/drill", g + "/config",
		"/dispatch/operators", "/dispatch/teams", "/dispatch/logout", "/dispatch/alive"}
}

func TestAFormWithoutItsTokenIsRefused(t *testing.T) {
	w := newTown(t)
	w.press(press{id: "alert-1", number: 1, kind: "fire", level: 2})
	v := open(t, w.desk(nil)).in("aigerim", testPassword)
	for _, path := range posts() {
		for _, token := range []string{"", "0000", strings.Repeat("0", 48)} {
			if status, body := v.form(path, nil, "token", token, "number", "1", "outcome", "resolved", "why", "x"); status != http.StatusForbidden {
				t.Errorf("POST %s with token %q: %d %.200s", path, token, status, body)
			}
		}
	}
	token := v.token()
	foreign := func(r *http.Request) {
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	if status, _ := v.form(one("alert-1")+"/take", foreign, "token", token, "number", "1"); status != http.StatusForbidden {
		t.Errorf("another site's form: %d", status)
	}
	if status, _ := v.form(one("alert-1")+"/take", func(r *http.Request) { r.Host = "evil.example" }, "token", token, "number", "1"); status != http.StatusMisdirectedRequest {
		t.Errorf("another name (DNS rebinding): %d", status)
	}
	if status, body := v.form(one("alert-1")+"/take", nil, "token", token, "number", "1"); status != http.StatusOK {
		t.Errorf("our own form: %d %s", status, body)
	}
	if c, err := w.store.CommandsOf(t.Context(), school(), "alert-1", 10); err != nil || len(c) != 1 {
		t.Errorf("commands after one good form: %d, %v", len(c), err)
	}
}

func TestOnlyAnAdminManagesPeopleAndSettings(t *testing.T) {
	w := newTown(t)
	v := open(t, w.desk(nil)).in("boris", otherSecret)
	for _, path := range []string{"/dispatch/audit", "/dispatch/audit.csv", "/dispatch/people"} {
		if status, _ := v.get(path); status != http.StatusForbidden {
			t.Errorf("GET %s: %d", path, status)
		}
	}
	token := v.token()
	for _, path := range []string{"/dispatch/operators", "/dispatch/teams", "/dispatch/gateways/school-12/main/config"} {
		if status, _ := v.form(path, nil, "token", token, "do", "add", "id", "eve", "role", "admin", "password", "0123456789", "toml", "x=1", "name", "x"); status != http.StatusForbidden {
			t.Errorf("POST %s: %d", path, status)
		}
	}
	if _, err := w.store.Operator(t.Context(), "eve"); err == nil {
		t.Error("an operator made an admin")
	}
}

func TestAWrongPasswordTellsNothingAndLocks(t *testing.T) {
	w := newTown(t)
	v := open(t, w.desk(nil))
	_, known := v.form("/dispatch/login?lang=en", nil, "name", "aigerim", "password", "wrong password")
	_, unknown := v.form("/dispatch/login?lang=en", nil, "name", "aigerix", "password", "wrong password")
	if strings.ReplaceAll(known, "aigerim", "") != strings.ReplaceAll(unknown, "aigerix", "") {
		t.Error("the answers for a known and an unknown name differ")
	}
	for range freeTries - 2 {
		if status := v.login("aigerim", "wrong password"); status != http.StatusForbidden {
			t.Errorf("a wrong password: %d", status)
		}
	}
	if status := v.login("aigerim", testPassword); status != http.StatusTooManyRequests {
		t.Errorf("the right password after %d wrong ones: %d", freeTries, status)
	}
	list, err := w.store.AuditLog(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, e := range list {
		if e.What == "login refused" {
			refused++
		}
		if strings.Contains(e.Detail+e.Object+e.Who, "wrong password") {
			t.Error("a password is in the audit log")
		}
	}
	if refused != freeTries {
		t.Errorf("%d refused logins in the audit log, want %d", refused, freeTries)
	}
}

func TestAGuesserElsewhereDoesNotLockTheOperatorOut(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	tr := newTries(func() time.Time { return now })
	desk, guesser := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("2001:db8::1")
	tr.begin(desk, "boris")
	tr.right(desk, "Boris")
	for i := range 50 {
		// One host may use any address of its /64.
		tr.begin(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)}), "boris")
	}
	if tr.wait(guesser, "boris") == 0 || tr.wait(guesser, "aigerim") == 0 || tr.wait(netip.MustParseAddr("192.0.2.1"), "BORIS") == 0 {
		t.Error("the guesser, or the name from an unknown place, does not have to wait")
	}
	if d := tr.wait(desk, "boris"); d != 0 {
		t.Errorf("the operator has to wait %s at their own desk", d)
	}
	if d := tr.wait(guesser, "boris"); d > longestLock {
		t.Errorf("locked for %s", d)
	}
	now = now.Add(2 * longestLock)
	if d := tr.wait(guesser, "boris"); d != 0 {
		t.Errorf("still locked for %s long after", d)
	}
}

func TestTheSessionsCookieIsOurs(t *testing.T) {
	w := newTown(t)
	srv := httptest.NewTLSServer(w.desk(func(o *Options) { o.Insecure = false }).Handler())
	defer srv.Close()
	v := enter(t, srv)
	before, _ := v.get("/dispatch/login")
	if before != http.StatusOK {
		t.Fatalf("login page: %d", before)
	}
	req, err := http.NewRequest(http.MethodPost, srv.URL+"/dispatch/login", strings.NewReader("name=boris&password="+strings.ReplaceAll(otherSecret, " ", "+")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// A session that somebody else had and planted must not become the victim's.
	attacker := enter(t, srv).in("aigerim", testPassword)
	address, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	planted := attacker.client.Jar.Cookies(address)[0]
	req.AddCookie(planted)
	answer, _ := v.do(req)
	if status, _ := attacker.get("/dispatch"); status != http.StatusSeeOther {
		t.Errorf("the planted session still opens something: %d", status)
	}
	cookies := answer.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	c := cookies[0]
	if c.Name != planted.Name || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.Value == planted.Value || c.MaxAge != 0 {
		t.Errorf("cookie %+v", c)
	}
	page, err := v.client.Get(srv.URL + "/dispatch")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	csp := page.Header.Get("Content-Security-Policy")
	if page.StatusCode != http.StatusOK || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") || page.Header.Get("Strict-Transport-Security") == "" || page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d, headers %v", page.StatusCode, page.Header)
	}
}

func TestASessionEndsWithItsAccount(t *testing.T) {
	w := newTown(t)
	s := w.desk(nil)
	for name, end := range map[string]func(v *visit) error{
		"disabled": func(*visit) error {
			return w.store.SetOperator(t.Context(), store.Operator{ID: "boris", Name: "Борис Ким", Role: store.OperatorRole, Disabled: time.Now()}, "test")
		},
		"another password": func(*visit) error {
			return w.store.SetPassword(t.Context(), "boris", otherSecret, "test")
		},
		"logged out": func(v *visit) error {
			v.form("/dispatch/logout", nil, "token", v.token())
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := w.store.SetOperator(t.Context(), store.Operator{ID: "boris", Name: "Борис Ким", Role: store.OperatorRole}, "test"); err != nil {
				t.Fatal(err)
			}
			v := open(t, s).in("boris", otherSecret)
			if status, _ := v.get("/dispatch"); status != http.StatusOK {
				t.Fatalf("after the login: %d", status)
			}
			if err := end(v); err != nil {
				t.Fatal(err)
			}
			if status, _ := v.get("/dispatch"); status != http.StatusSeeOther {
				t.Errorf("after it: %d", status)
			}
		})
	}
}

func TestTheDemoOperatorIsForThisMachineOnly(t *testing.T) {
	w := newTown(t)
	s := w.desk(func(o *Options) { o.Demo = "boris" })
	ask := func(remote, host, header string) int {
		r := httptest.NewRequest(http.MethodGet, "/dispatch", nil)
		r.RemoteAddr, r.Host = remote, host
		if header != "" {
			r.Header.Set(header, "for=10.0.0.1")
		}
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, r)
		return rec.Code
	}
	for _, c := range []struct {
		remote, host, header string
		want                 int
	}{
		{"127.0.0.1:5000", "127.0.0.1:8090", "", http.StatusOK},
		{"[::1]:5000", "localhost:8090", "", http.StatusOK},
		{"10.0.0.5:5000", "127.0.0.1:8090", "", http.StatusSeeOther},
		{"127.0.0.1:5000", "127.0.0.1:8090", "X-Forwarded-For", http.StatusSeeOther},
		{"127.0.0.1:5000", "dispatch", "", http.StatusSeeOther},
		{"127.0.0.1:5000", "evil.example", "", http.StatusMisdirectedRequest},
	} {
		if got := ask(c.remote, c.host, c.header); got != c.want {
			t.Errorf("from %s to %s %s: %d, want %d", c.remote, c.host, c.header, got, c.want)
		}
	}
	if got := func() int { s = w.desk(nil); return ask("127.0.0.1:5000", "127.0.0.1:8090", "") }(); got != http.StatusSeeOther {
		t.Errorf("without the option: %d", got)
	}
}

func FuzzWhereToGoAfterTheLogin(f *testing.F) {
	for _, s := range []string{"/dispatch", "/dispatch/history?kind=fire", "//evil.example", "/dispatch/../../evil", "https://evil.example", "/dispatch\\evil", "/dispatchevil", "/dispatch/login?next=/dispatch", "/dispatch\r\nX: y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, to string) {
		got := localPath(to)
		if !strings.HasPrefix(got, "/dispatch") || strings.ContainsAny(got, "\r\n\\") || len(got) > 9 && !strings.ContainsAny(got[9:10], "/?") {
			t.Errorf("%q leads to %q", to, got)
		}
	})
}
