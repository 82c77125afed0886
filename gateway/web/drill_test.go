package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
)

const fireDrill = `{"kind":"fire","place":"gym","level":"emergency","why":"по плану"}`

func TestDrillNeedsThePINAndSaysWhoStartedIt(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	for _, path := range []string{"/api/v1/drills/start", "/api/v1/drills/end"} {
		if w := ask(s, http.MethodPost, path, fireDrill, nil); w.Code != http.StatusUnauthorized || code(t, w) != "no-session" {
			t.Errorf("%s without a session: %d %s", path, w.Code, w.Body)
		}
		head := staffOf(t, s, "head")
		w := ask(s, http.MethodPost, path, fireDrill, func(r *http.Request) {
			head(r)
			r.Header.Set("Content-Type", "text/plain")
		})
		if w.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%s by a form of another site: %d %s", path, w.Code, w.Body)
		}
	}
	if len(h.drills) != 0 {
		t.Fatalf("drills %+v", h.drills)
	}
	head := staffOf(t, s, "head")
	if w := ask(s, http.MethodPost, "/api/v1/drills/start", fireDrill, head); w.Code != http.StatusOK {
		t.Fatalf("start: %d %s", w.Code, w.Body)
	}
	want := alert.Drill{Kind: alert.Fire, Level: alert.LevelEmergency, Place: "gym", Origin: "console", Who: "head", Why: "по плану"}
	if h.drills[0] != want {
		t.Errorf("started %+v", h.drills[0])
	}
	if w := ask(s, http.MethodGet, "/api/v1/state?audience=console", "", head); !strings.Contains(w.Body.String(), `"status":"Exercise"`) || !strings.Contains(w.Body.String(), `"place_id":"gym"`) {
		t.Errorf("the console shows %s", w.Body)
	}
	if w := ask(s, http.MethodPost, "/api/v1/drills/end", `{"kind":"fire","place":"gym"}`, head); w.Code != http.StatusOK || len(h.View().State.Open()) != 0 {
		t.Errorf("end: %d %s", w.Code, w.Body)
	}
	if w := ask(s, http.MethodPost, "/api/v1/drills/end", `{}`, head); w.Code != http.StatusConflict || code(t, w) != "no-drill" {
		t.Errorf("end again: %d %s", w.Code, w.Body)
	}
}

func TestDrillIsAnsweredInTheWordsOfWhatStoodInItsWay(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	head := staffOf(t, s, "head")
	for err, want := range map[error]string{
		alert.ErrRealAlert: "409 real-alert", alert.ErrDrillRuns: "409 drill-runs", alert.ErrDrill: "400 bad-request",
		errors.New("disk"): "503 drill-not-saved",
	} {
		h.broken = fmt.Errorf("drill: %w", err)
		w := ask(s, http.MethodPost, "/api/v1/drills/start", fireDrill, head)
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
	if w := ask(s, http.MethodPost, "/api/v1/drills/start", fireDrill, head); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"memory":true`) {
		t.Errorf("in memory only: %d %s", w.Code, w.Body)
	}
	h.broken = nil
	for _, body := range []string{
		"", "{}", `{"kind":"fire","place":"gym"}`, `{"kind":"fire","level":"emergency"}`, `{"kind":"fire","place":"gym","level":"loud"}`,
		fireDrill + fireDrill, `{"kind":"fire","place":"gym","level":"emergency","who":"me"}`,
		`{"kind":"fire","place":"` + strings.Repeat("x", 65) + `","level":"emergency"}`, `{"kind":"fire","place":"gym","level":"emergency","why":"a\u0007"}`,
	} {
		if w := ask(s, http.MethodPost, "/api/v1/drills/start", body, head); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if w := ask(newTestServer(t, h, func(o *Options) { o.Desk = nil }), http.MethodPost, "/api/v1/drills/start", fireDrill, nil); w.Code != http.StatusNotImplemented {
		t.Errorf("without a desk: %d", w.Code)
	}
}

func FuzzDrill(f *testing.F) {
	f.Add(fireDrill, true)
	f.Add(`{}`, false)
	f.Add(`{"level":"emergency"}`, false)
	f.Fuzz(func(t *testing.T, body string, start bool) {
		d, err := decodeDrill(strings.NewReader(body), start)
		if err != nil {
			return
		}
		if start && (d.Kind == "" || d.Place == "" || d.Level == 0) || len(d.Why) > 4*maxWhy || len(d.Place) > maxID {
			t.Errorf("accepted %q as %+v", body, d)
		}
	})
}

// say folds what dispatch says about a's team.
func (h *house) say(a alert.Alert, typ alert.Type, who string, eta time.Time) {
	h.change(func(v *alert.View) {
		v.State = v.State.Next(alert.Event{
			Type: typ, Subject: a.ID, At: h.now(), Numbering: a.Numbering, Number: a.Last.Number, Kind: a.Kind, Place: &a.Place,
			Who: who, Origin: "dispatch", ETA: eta,
		})
		v.Truths[a.Key] = alert.TruthAccepted
	})
}

func TestTeamIsShownWithoutNamesInPublicAndWithThemToStaff(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	team := func() string { return s.shows("", alert.English).Cards[0].Texts[0].Team }
	near := h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
	far := h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	first, last := h.now().Wall.Add(10*time.Minute), h.now().Wall.Add(25*time.Minute)
	if got := team(); got != "" {
		t.Errorf("before anyone has said so: %q", got)
	}
	h.say(near, alert.Responding, "Экипаж 7, Иванов", first)
	if got := team(); got != "" {
		t.Errorf("help comes to one of two places only: %q", got)
	}
	h.say(far, alert.Responding, "Экипаж 8", last)
	if got, want := team(), "Help is on the way, expected at "+last.Local().Format("15:04"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	h.say(far, alert.Arrived, "Экипаж 8", time.Time{})
	if got, want := team(), "Help is on the way, expected at "+first.Local().Format("15:04"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	h.say(near, alert.Arrived, "Экипаж 7, Иванов", time.Time{})
	if got := team(); got != "Help is here" {
		t.Errorf("%q", got)
	}
	if got := s.lobbyJSON(t, "", alert.Russian); strings.Contains(got, "Иванов") || strings.Contains(got, "Экипаж") {
		t.Errorf("a name on a public screen: %s", got)
	}
	console := s.consoleNow(alert.Russian, h.now())
	a := console.Alerts[0]
	if a.Responding == nil || a.Responding.Who != "Экипаж 7, Иванов" || a.Responding.ETA != first.Local().Format("15:04") || a.Arrived == nil {
		t.Errorf("the console shows %+v", a)
	}
	h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency}) // somebody presses again
	if got := team(); got != "" {
		t.Errorf("nobody has said anything of the new press: %q", got)
	}
}

func TestTeamOfAQuietCallStaysQuiet(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	before := s.lobbyJSON(t, "", alert.Russian)
	a := h.press(raise{kind: alert.Help, place: "secret", level: alert.LevelHelp})
	h.say(a, alert.Responding, "Экипаж 7", h.now().Wall)
	if got := s.lobbyJSON(t, "", alert.Russian); got != before {
		t.Errorf("the lobby knows: %s", got)
	}
}

func TestAnnouncementsReachTheirScreens(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	h.change(func(v *alert.View) {
		v.Notices = []alert.Notice{
			{ID: "n3", Text: text("Сбор в зале", "Залға жиналу", "Meet in the gym"), For: time.Hour, Began: h.now(), Status: alert.Exercise, Origin: "dispatch"},
			{ID: "n2", Text: alert.Text{RU: "Лифт не работает"}, For: time.Hour, Began: h.now(), Status: alert.Actual, Screens: []string{"hall"}},
			{ID: "n1", Text: alert.Text{RU: "Третье"}, For: time.Hour, Began: h.now(), Status: alert.Actual, Screens: []string{"*"}},
		}
	})
	shown := func(screen string) (keys string) {
		for _, n := range s.shows(screen, alert.Kazakh).Notices {
			keys += n.Key + " "
		}
		return keys
	}
	if a, b := shown("hall"), shown(""); a != "n3 n2 n1 " || b != "n3 n1 " {
		t.Errorf("hall shows %q, a screen without a name %q", a, b)
	}
	texts := s.shows("", alert.Kazakh).Notices[0].Texts
	if len(texts) != 3 || texts[0].Text != "Залға жиналу" || texts[0].Status != "Оқу дабылы" {
		t.Errorf("texts %+v", texts)
	}
	if one := s.shows("", alert.Kazakh).Notices[1].Texts; len(one) != 1 || one[0].Lang != alert.Russian || one[0].Status != "" {
		t.Errorf("a text in one language: %+v", one)
	}
	list := s.consoleNow(alert.Kazakh, h.now()).Notices
	if len(list) != 3 || list[0].Text != "Залға жиналу" || list[0].Who != "диспетчерлік" || list[0].Ends-list[0].Began != time.Hour.Milliseconds() {
		t.Errorf("the console shows %+v", list)
	}
}
