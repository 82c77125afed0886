package central

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

func TestTheJournalArrivesAndReceiptsComeBack(t *testing.T) {
	s := newService(t, brokertest.Day())
	g := newGateway(t, s, s.server.URL+"/", nil)
	g.feed(alert.PointFault, 1200)
	g.feed(alert.Raised, 30)
	g.feed(alert.PointRestored, 300)
	c := g.start()
	s.complete(g, 0)
	g.quiet()
	if up, since := c.State(); !up || since.IsZero() {
		t.Errorf("up %v since %v", up, since)
	}
	until(t, "each alarm counts as sent and a receipt has come", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.sent) == 30 && slices.ContainsFunc(g.receipts, func(r event.Receipt) bool { return r.Through >= 1530 })
	})
	until(t, "the cursors have moved", func() bool {
		return !slices.ContainsFunc(g.j.Stats().Cursors, func(c journal.CursorStats) bool { return c.Depth > 0 })
	})
	g.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.status[len(s.status)-1]; last.Online || !s.status[0].Online || last.Session != s.status[0].Session {
		t.Errorf("the first status is %+v, the last %+v", s.status[0], last)
	}
	if s.zipped == 0 || s.posts > 100 {
		t.Errorf("%d requests, %d of them compressed", s.posts, s.zipped)
	}
	if strings.Contains(g.log.String(), testToken) {
		t.Error("the token is in the log")
	}
}

// knowing is a writer that puts the journal's epoch where EPOCH stands.
type knowing struct {
	http.ResponseWriter
	epoch string
}

func (k knowing) Write(b []byte) (int, error) {
	_, err := k.ResponseWriter.Write(bytes.ReplaceAll(b, []byte("EPOCH"), []byte(k.epoch)))
	return len(b), err
}

// Each of these has answered in place of a central service somewhere.
func TestNothingIsLostToWhateverAnswers(t *testing.T) {
	html := func(status int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>Welcome to the hotel. Log in first.</html>"))
		}
	}
	text := func(status int, body string, header ...string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			answerJSON(w, status, body)
		}
	}
	for name, c := range map[string]struct {
		path      string
		answer    func(http.ResponseWriter, *http.Request)
		condition string
		words     []string
	}{
		"a captive portal":                {"", html(200), conditionPortal, []string{"log-in page"}},
		"a captive portal in the middle":  {"/events", html(200), conditionPortal, []string{"log-in page"}},
		"a portal that says so":           {"/events", html(511), conditionPortal, nil},
		"an accepted that is not a reply": {"/events", text(202, `{}`), conditionPortal, nil},
		"a 200 without content":           {"/events", text(200, ``), conditionPortal, nil},
		"a reply with too little":         {"/events", text(200, `{"received":100}`), conditionPortal, nil},
		"a reply about another journal":   {"/events", text(200, `{"epoch":"another","received":100000,"rejected":[]}`), conditionPortal, []string{"another journal"}},
		"a reply that has nothing":        {"/events", text(200, `{"epoch":"EPOCH","received":0,"rejected":[]}`), conditionDown, []string{"has not stored"}},
		"a reply that is not called JSON": {"/events", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(`{"epoch":"EPOCH","received":100000,"rejected":[]}`))
		}, conditionPortal, []string{"log-in page"}},
		"a reply of two megabytes":              {"/events", text(200, strings.Repeat(" ", 2<<20)), conditionPortal, []string{"more than"}},
		"an internal error":                     {"/events", text(500, `{"error":"disk full"}`), conditionDown, []string{"disk full"}},
		"a bad gateway":                         {"/events", html(502), conditionDown, []string{"502"}},
		"a 400 of a machine on the way":         {"/events", html(400), conditionDown, []string{"400"}},
		"a token that is not known":             {"", text(401, `{"error":"unknown token"}`), conditionRefused, []string{"token file", "unknown token"}},
		"a token without rights":                {"/events", text(403, `{}`), conditionRefused, []string{"token file"}},
		"an address that is not known":          {"", text(404, `{}`), conditionRefused, []string{"school-12"}},
		"busy for a negative time":              {"/events", text(429, `{}`, "Retry-After", "-5"), conditionDown, []string{"busy"}},
		"busy for 56 years":                     {"/events", text(503, `{}`, "Retry-After", "Sun, 21 Nov 2082 08:15:03 GMT"), conditionDown, []string{"busy"}},
		"busy for longer than the universe":     {"/events", text(429, `{}`, "Retry-After", "999999999999999999"), conditionDown, []string{"busy"}},
		"busy from the start":                   {"/status", text(503, `{}`, "Retry-After", "999999999"), conditionDown, []string{"busy"}},
		"a service that hangs up":               {"/events", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, conditionDown, nil},
		"a redirection on the same host":        {"/events", text(307, `{}`, "Location", "/elsewhere"), conditionRefused, []string{"does not follow"}},
		"a redirection at the status":           {"/status", text(302, `{}`, "Location", "https://evil.example/x"), conditionRefused, []string{"https://evil.example"}},
		"receipts in a form that nobody agreed": {"/status", text(200, `{"receipts":[{"epoch":"e"}]}`), conditionPortal, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, brokertest.Day())
			g := newGateway(t, s, s.server.URL, nil)
			s.misbehave(only(c.path, -1, func(w http.ResponseWriter, r *http.Request) {
				c.answer(knowing{w, g.j.Epoch()}, r)
			}))
			g.feed(alert.PointFault, 40)
			g.feed(alert.Raised, 3)
			g.start()
			g.complains(c.condition, c.words...)
			if _, ok := g.holds(conditionDown); !ok {
				t.Error("the link does not count as down")
			}
			if n := s.count(); n != 0 {
				t.Errorf("%d events stored", n)
			}
			g.mu.Lock()
			if len(g.sent) != 0 {
				t.Errorf("%d alarms count as sent", len(g.sent))
			}
			g.mu.Unlock()
			s.misbehave(nil)
			s.complete(g, 0)
			g.quiet()
			if n := g.parked(); n != 0 {
				t.Errorf("%d rows parked", n)
			}
		})
	}
}

func TestALinkThatTakesNoEventsStaysDown(t *testing.T) {
	s := newService(t, brokertest.Day())
	s.misbehave(only("/events", -1, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 500, `{}`) }))
	g := newGateway(t, s, s.server.URL, func(o *Options) { o.Timing.Heartbeat = time.Hour })
	g.feed(alert.Raised, 1)
	c := g.start()
	g.complains(conditionDown, "500")
	statuses := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.status)
	}
	goal := statuses() + 10
	until(t, "many sessions began", func() bool {
		if up, _ := c.State(); up {
			t.Error("a session that carries nothing counts as up")
		}
		return statuses() >= goal || t.Failed()
	})
	s.misbehave(nil)
	s.complete(g, 0)
	g.quiet()
}

func TestTheTokenDoesNotTravel(t *testing.T) {
	s, other := newService(t, brokertest.Day()), newService(t, brokertest.Day())
	asked := make(chan string, 100)
	other.misbehave(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case asked <- r.Header.Get("Authorization"):
		default:
		}
		return false
	})
	s.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, other.server.URL+r.URL.Path, http.StatusPermanentRedirect)
		return true
	})
	g := newGateway(t, s, s.server.URL, nil)
	g.feed(alert.Raised, 1)
	g.start()
	g.complains(conditionRefused, "does not follow")
	g.stop()
	if len(asked) > 0 {
		t.Errorf("the other host was asked with %q", <-asked)
	}
}

func TestATokenIsReadForEverySession(t *testing.T) {
	s := newService(t, brokertest.Day())
	g := newGateway(t, s, s.server.URL, nil)
	good := g.options.TokenFile
	g.options.TokenFile = good + "-missing"
	g.feed(alert.Raised, 1)
	g.start()
	g.complains(conditionDown, "token file", "no restart")
	symlink(t, good, g.options.TokenFile)
	s.complete(g, 0)
	g.quiet()
}

func TestAForkedJournalDeliversNothing(t *testing.T) {
	s := newService(t, brokertest.Day())
	g := newGateway(t, s, s.server.URL, func(o *Options) {
		o.Trust = func(r event.Receipt) bool { return len(r.Above) == 0 }
	})
	g.feed(alert.Raised, 1)
	g.start()
	g.complains(conditionRefused, "restored from a backup")
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.sent) > 0 {
		t.Error("the alarm counts as sent")
	}
}

func TestCertificateThatIsNotValidYet(t *testing.T) {
	s := newService(t, [2]time.Time{time.Now().Add(time.Hour), time.Now().Add(2 * time.Hour)})
	g := newGateway(t, s, s.server.URL, func(o *Options) {
		o.Now = func() alert.Stamp { return alert.Stamp{Wall: time.Unix(60, 0)} }
	})
	g.feed(alert.Raised, 1)
	g.start()
	g.complains(conditionCertificate, "not synchronised", "1970-01-01", "not valid before")
	// The clock is set: for the test the certificate is renewed instead.
	s.renew(brokertest.Day())
	s.complete(g, 0)
	g.quiet()
}

func TestDiagnosisNamesTheClock(t *testing.T) {
	s := newService(t, brokertest.Day())
	for _, c := range map[string]struct {
		synced bool
		want   string
	}{
		"a clock that is right": {true, "CA file"},
		"a clock that is not":   {false, "clock is not synchronised"},
	} {
		g := newGateway(t, s, s.server.URL, func(o *Options) {
			o.CAFile = brokertest.NewAuthority(t).File
			o.Now = func() alert.Stamp { return alert.Stamp{Wall: time.Now(), Synced: c.synced} }
		})
		g.start()
		g.complains(conditionCertificate, c.want)
		g.stop()
	}
}
