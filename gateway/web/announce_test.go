package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"nabat/gateway/alert"
)

// loudspeakers stands for the room that speaks, which this one may not import.
type loudspeakers struct {
	mu      sync.Mutex // guards both
	says    []alert.Sounding
	changed chan struct{}
}

func (l *loudspeakers) Sounding() []alert.Sounding {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.says
}

func (l *loudspeakers) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

func (l *loudspeakers) say(says ...alert.Sounding) {
	l.Changed()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.says = says
	close(l.changed)
	l.changed = nil
}

// withSound gives the site zones, messages and what speaks in them.
func withSound(pa PA) func(*Options) {
	return func(o *Options) {
		o.PA = pa
		o.Site.Zones = []alert.Zone{
			{ID: "hall", Name: text("Вестибюль", "Вестибюль залы", "Hall")}, {ID: "gym", Name: text("Спортзал", "Спорт залы", "Gym")}, {ID: "yard"},
		}
		o.Site.Messages = []alert.Message{
			{ID: "assembly", Text: text("Сбор в актовом зале", "Акт залына жиналыңыздар", "Meet in the assembly hall")}, {ID: "bell", Silent: true},
		}
	}
}

const toTheHall = `{"message":"","text":{"ru":"Сбор\nв зале "},"zones":["hall"],"minutes":3,"test":true}`

func TestAnnouncingNeedsThePINAndSaysWhoDidIt(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, withSound(nil))
	for _, path := range []string{"/api/v1/announcements", "/api/v1/announcements/x/end"} {
		if w := ask(s, http.MethodPost, path, toTheHall, nil); w.Code != http.StatusUnauthorized || code(t, w) != "no-session" {
			t.Errorf("%s without a session: %d %s", path, w.Code, w.Body)
		}
		duty := staffOf(t, s, "duty")
		for name, change := range map[string]func(*http.Request){
			"a form":         func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
			"another origin": func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
		} {
			w := ask(s, http.MethodPost, path, toTheHall, func(r *http.Request) { duty(r); change(r) })
			if w.Code != http.StatusUnsupportedMediaType && w.Code != http.StatusForbidden {
				t.Errorf("%s by %s: %d %s", path, name, w.Code, w.Body)
			}
		}
	}
	if len(h.View().Notices) != 0 {
		t.Fatalf("announced %+v", h.View().Notices)
	}
	duty := staffOf(t, s, "duty")
	if w := ask(s, http.MethodPost, "/api/v1/announcements", toTheHall, duty); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	n := h.View().Notices[0]
	if n.Text != (alert.Text{RU: "Сбор в зале"}) || n.For != 3*time.Minute || n.Status != alert.Test || n.Who != "duty" || n.Origin != "console" || strings.Join(n.Zones, " ") != "hall" {
		t.Errorf("announced %+v", n)
	}
	w := ask(s, http.MethodGet, "/api/v1/state?audience=console&lang=en", "", duty)
	if !strings.Contains(w.Body.String(), `"zones":["Hall"],"all":false`) || !strings.Contains(w.Body.String(), `{"id":"yard","name":"yard"}`) {
		t.Errorf("the console shows %s", w.Body)
	}
	end := "/api/v1/announcements/" + n.ID + "/end"
	if w := ask(s, http.MethodPost, end, `{}`, duty); w.Code != http.StatusOK || len(h.View().Notices) != 0 {
		t.Errorf("end: %d %s", w.Code, w.Body)
	}
	if d := h.decisions(); d[0].Who != "duty" || d[0].Origin != "console" {
		t.Errorf("ended by %+v", d)
	}
	if w := ask(s, http.MethodPost, end, `{}`, duty); w.Code != http.StatusConflict || code(t, w) != "no-announcement" {
		t.Errorf("end again: %d %s", w.Code, w.Body)
	}
}

func TestAnnouncementsAreBounded(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, withSound(nil))
	duty := staffOf(t, s, "duty")
	long := strings.Repeat("ә", maxAnnounceText)
	if w := ask(s, http.MethodPost, "/api/v1/announcements", fmt.Sprintf(`{"text":{"ru":%q,"kk":%q,"en":%q},"zones":["*"],"minutes":60}`, long, long, long), duty); w.Code != http.StatusOK {
		t.Errorf("the longest: %d %s", w.Code, w.Body)
	}
	said := len(h.View().Notices)
	for _, body := range []string{
		``, `[]`, `{}`, `{"minutes":3}`, `{"text":{"ru":"а"}}`, `{"text":{"ru":"а"},"minutes":61}`, `{"text":{"ru":"а"},"minutes":-1}`,
		`{"text":{"ru":" "},"minutes":3}`, `{"text":{"ru":"а"},"message":"assembly","minutes":3}`, `{"text":{"ru":"а"},"zones":[""],"minutes":3}`,
		`{"text":{"ru":"` + long + `ә"},"minutes":3}`, `{"text":{"ru":"а"},"minutes":3}{}`, `{"text":{"ru":"а"},"minutes":3,"priority":"evacuate"}`,
		`{"message":"` + strings.Repeat("a", 65) + `","minutes":3}`, `{"text":{"ru":"` + strings.Repeat("a", 1<<16) + `"},"minutes":3}`,
		`{"text":{"ru":"а"},"zones":[` + strings.Repeat(`"a",`, maxAnnounceZones) + `"a"],"minutes":3}`,
	} {
		if w := ask(s, http.MethodPost, "/api/v1/announcements", body, duty); w.Code != http.StatusBadRequest || code(t, w) != "announcement" {
			t.Errorf("%.60s: %d %s", body, w.Code, w.Body)
		}
	}
	if len(h.View().Notices) != said {
		t.Errorf("announced %+v", h.View().Notices)
	}
}

func TestAnnouncingIsAnsweredInTheWordsOfWhatStoodInItsWay(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, withSound(nil))
	duty := staffOf(t, s, "duty")
	for err, want := range map[error]string{
		alert.ErrNotice: "400 announcement", alert.ErrNoNotice: "409 no-announcement",
		context.DeadlineExceeded: "504 announcement-unsure", errors.New("disk"): "503 announcement-not-saved",
	} {
		h.broken = fmt.Errorf("announcement: %w", err)
		w := ask(s, http.MethodPost, "/api/v1/announcements", toTheHall, duty)
		if got := fmt.Sprint(w.Code, " ", code(t, w)); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
		for _, l := range alert.Languages() {
			if key := "error." + strings.Fields(want)[1]; s.words[l].Get(key) == key {
				t.Errorf("%s has no words in %s", key, l)
			}
		}
	}
	h.broken = alert.ErrNotDurable
	if w := ask(s, http.MethodPost, "/api/v1/announcements", toTheHall, duty); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"memory":true`) {
		t.Errorf("in memory: %d %s", w.Code, w.Body)
	}
	none := newTestServer(t, h, func(o *Options) { o.Desk = nil })
	if w := ask(none, http.MethodPost, "/api/v1/announcements", toTheHall, staffOf(t, none, "duty")); w.Code != http.StatusNotImplemented {
		t.Errorf("read-only: %d %s", w.Code, w.Body)
	}
}

func TestConsoleAndWallShowWhatTheLoudspeakersSay(t *testing.T) {
	pa := &loudspeakers{}
	s := newTestServer(t, newHouse(), func(o *Options) { withSound(pa)(o); o.Wall = newTestWall() })
	pa.say(alert.Sounding{Zone: "gym", Text: text("Покиньте здание", "Ғимараттан шығыңыздар", "Leave the building"), Priority: alert.PriorityEvacuate, Status: alert.Exercise, Times: 2, Speakers: 1, Silent: 1})
	const want = `{"id":"gym","name":"Gym","says":{"text":"Leave the building","priority":"evacuate","status":"Exercise","times":2,"speakers":1,"broken":1}}`
	for audience, who := range map[string]func(*http.Request){"console": staffOf(t, s, "duty"), "wall": nil} {
		if w := ask(s, http.MethodGet, "/api/v1/state?lang=en&audience="+audience, "", who); !strings.Contains(w.Body.String(), want) {
			t.Errorf("the %s shows %s", audience, w.Body)
		}
	}
	for _, p := range alert.Priorities() {
		for _, l := range alert.Languages() {
			if key := "priority." + p.String(); s.words[l].Get(key) == key {
				t.Errorf("no words for %s in %s", key, l)
			}
		}
	}
}

// FuzzDecodeAnnouncement: no request announces what is out of bounds.
func FuzzDecodeAnnouncement(f *testing.F) {
	for _, seed := range []string{toTheHall, `{"message":"assembly","zones":["*"],"minutes":60}`, `{"text":{"en":"a\u0000b"},"minutes":1}`, `{"text":{"ru":"` + "\xff" + `"},"minutes":1}`, `[]`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		a, err := decodeAnnouncement(strings.NewReader(body))
		if err != nil {
			if !errors.Is(err, errDecision) {
				t.Fatalf("no reason: %v", err)
			}
			return
		}
		if a.Minutes < 1 || a.Minutes > 60 || len(a.Zones) > maxAnnounceZones || (a.Message == "") == (a.Text == alert.Text{}) || strings.ContainsAny(a.Text.RU+a.Text.KK+a.Text.EN, "\n\t") {
			t.Fatalf("taken: %+v", a)
		}
	})
}
