package web

import (
	"net/http"
	"testing"
)

func TestOnlyOwnNamesAreAnswered(t *testing.T) {
	s := newTestServer(t, newHouse(), func(o *Options) { o.Hosts = []string{"Alarm.School12.example"} })
	for host, want := range map[string]int{
		"192.168.1.5": 200, "192.168.1.5:8080": 200, "[fd00::1]": 200, "[fd00::1]:8080": 200, "127.0.0.1:1": 200,
		"localhost": 200, "LOCALHOST:8080": 200, "nabat": 200, "nabat:8080": 200, "nabat.": 200,
		"nabat.local": 200, "Nabat.Local.:80": 200, "alarm.school12.example": 200, "ALARM.school12.example.:8080": 200,
		"evil.example": 421, "evil.example:8080": 421, "x.alarm.school12.example": 421, "local.evil.example": 421,
		"192.168.1.5.evil.example": 421, "nabat.local.evil.example": 421, "localhost.evil.example:80": 421,
		"": 421, ".": 421, ":80": 421, "a:b:80": 421, "[evil.example]": 421, "[nabat]:80": 421,
	} {
		for _, path := range []string{"/lobby", "/api/v1/state", "/healthz"} {
			w := ask(s, http.MethodGet, path, "", func(r *http.Request) { r.Host = host })
			if w.Code != want {
				t.Errorf("Host %q, %s: %d, want %d", host, path, w.Code, want)
			}
			if w.Header().Get("Content-Security-Policy") != policy {
				t.Errorf("Host %q: the answer has no policy", host)
			}
		}
	}
}

func TestARebindingPageDecidesNothing(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	// Its own origin and host agree, which is all that a check of Origin sees.
	w := ask(s, http.MethodPost, "/console/login", "pin="+testPIN+"&role=duty", func(r *http.Request) {
		r.Host = "evil.example"
		r.Header.Set("Origin", "http://evil.example")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	})
	if w.Code != http.StatusMisdirectedRequest || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("%d %q", w.Code, w.Header())
	}
}

func FuzzOurs(f *testing.F) {
	for _, h := range []string{"", "nabat", "[::1]:80", "a.local", "evil.example:80", "[", "]:", "::1%lo", "0:000"} {
		f.Add(h)
	}
	s := newTestServer(f, newHouse(), nil)
	f.Fuzz(func(t *testing.T, name string) {
		if s.ours(name+".evil.example") || s.ours(name+".evil.example:80") {
			t.Errorf("%q is taken for the gateway", name+".evil.example")
		}
	})
}
