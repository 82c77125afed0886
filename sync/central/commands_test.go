package central

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"nabat/sync/mqtt/brokertest"
)

func (g *gateway) heard() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.commands)
}

func TestCommandsComeOnceAndInOrder(t *testing.T) {
	s := newService(t, brokertest.Day())
	g := newGateway(t, s, s.server.URL, func(o *Options) {
		o.Challenge = func() string { return "a word" }
	})
	words := make(chan string, 1)
	s.misbehave(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("wait") {
			select {
			case words <- r.URL.Query().Get("challenge"):
			default:
			}
		}
		return false
	})
	g.start()
	until(t, "the question is asked", func() bool { return len(words) > 0 })
	if w := <-words; w != "a word" {
		t.Errorf("challenge %q", w)
	}
	s.mu.Lock()
	s.commands = []string{"first", "second"}
	s.mu.Unlock()
	until(t, "both commands", func() bool { return len(g.heard()) == 2 })
	// The gateway never says that it has them: the service repeats them for ever.
	s.mu.Lock()
	s.commands = append(s.commands, "third")
	polls := s.polls
	s.mu.Unlock()
	until(t, "many more polls", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.polls > polls+5
	})
	if got := g.heard(); !slices.Equal(got, []string{"first", "second", "third"}) {
		t.Errorf("commands %q", got)
	}
}

func TestTroubleWithCommandsDoesNotStopEvents(t *testing.T) {
	s := newService(t, brokertest.Day())
	s.misbehave(only("/commands", -1, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 404, `{}`) }))
	g := newGateway(t, s, s.server.URL, nil)
	g.start()
	g.complains(conditionCommands, "commands do not arrive")
	if _, down := g.holds(conditionDown); down {
		t.Error("the link counts as down")
	}
	s.misbehave(nil)
	g.quiet()
}

func TestFetch(t *testing.T) {
	s := newService(t, brokertest.Day())
	g := newGateway(t, s, s.server.URL, nil)
	c, err := New(g.options)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := c.Fetch(t.Context()); err != nil || b != nil {
		t.Errorf("none assigned: %q, %v", b, err)
	}
	serve := func(kind, body string) {
		s.misbehave(only("/config", -1, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(body))
		}))
	}
	serve("application/toml", "site = 1\n")
	if b, err := c.Fetch(t.Context()); err != nil || string(b) != "site = 1\n" {
		t.Errorf("%q, %v", b, err)
	}
	for name, f := range map[string]func(){
		"a portal":                  func() { serve("text/html", "log in") },
		"a portal without a type":   func() { serve("", " <html>") },
		"more than a configuration": func() { serve("application/toml", strings.Repeat("#", maxConfig+1)) },
		"a refusal": func() {
			s.misbehave(only("/config", -1, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 403, `{}`) }))
		},
	} {
		f()
		if b, err := c.Fetch(t.Context()); err == nil || b != nil {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

func TestRefreshTellsSoon(t *testing.T) {
	s := newService(t, brokertest.Day())
	g := newGateway(t, s, s.server.URL, func(o *Options) { o.Timing.Heartbeat = 1 << 40 })
	c := g.start()
	statuses := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.status)
	}
	g.quiet()
	until(t, "the link is up", func() bool { up, _ := c.State(); return up })
	before := statuses()
	c.Refresh()
	until(t, "another status", func() bool { return statuses() > before })
}

func TestALogOfWeeks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(goodOptions())
		if err != nil {
			t.Fatal(err)
		}
		var out lockedBuffer
		c.report.log = logTo(&out)
		for range 10080 { // a week of one trouble
			c.report.down(&problem{trouble: troubleForeign, detail: "x"}, nil)
			pass(1)
		}
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("%d lines for one state", n)
		}
		for range 20000 { // flapping
			c.report.up()
			c.report.down(errClosed, nil)
			pass(0)
		}
		if n := strings.Count(out.String(), "\n"); n > 1+10+200 || !strings.Contains(out.String(), "changes_not_logged") {
			t.Errorf("%d lines for flapping", n)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"receipts":[{"epoch":"e","sequence":5,"above":[7]}]}`), "30")
	f.Add([]byte(`{"commands":[{"counter":2,"jws":"a.b.c"},{"counter":1,"jws":"d.e.f"}]}`), "Sun, 21 Nov 2082 08:15:03 GMT")
	f.Add([]byte(`{"receipts":null,"commands":null,"error":"\u0000"}`), "-1")
	f.Fuzz(func(t *testing.T, b []byte, after string) {
		if list, err := parseReceipts(b); err == nil && len(list) > maxReceipts {
			t.Errorf("%d receipts", len(list))
		}
		if list, err := parseCommands(b); err == nil {
			if len(list) > maxCommands {
				t.Errorf("%d commands", len(list))
			}
			for _, c := range list {
				if c == "" || len(c) > maxCommandSize {
					t.Errorf("a command of %d bytes", len(c))
				}
			}
		}
		h := http.Header{"Retry-After": {after}, "Content-Type": {"application/json"}}
		if d, _ := retryAfter(h, start()); d < 0 || d > maxRetryAfter {
			t.Errorf("waits %v", d)
		}
		a := answer{status: 400, header: h, body: b}
		if r := a.reason(); len([]rune(r)) > 201 || strings.ContainsAny(r, "\n\x00\x1b") {
			t.Errorf("reason %q", r)
		}
	})
}
