package web

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
)

func TestNoticesGoToTheScreensOfTheirZonesAndToThoseThatTheyName(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, func(o *Options) { o.Site = fullSite() })
	for name, c := range map[string]struct {
		notice alert.Notice
		want   []string
	}{
		"for all":                {alert.Notice{}, []string{"", "hall", "guard", "unknown"}},
		"every screen":           {alert.Notice{Screens: []string{"*"}, Zones: []string{"north"}}, []string{"", "hall", "guard", "unknown"}},
		"one screen":             {alert.Notice{Screens: []string{"guard"}}, []string{"guard"}},
		"one zone":               {alert.Notice{Zones: []string{"north"}}, []string{"", "hall", "unknown"}},
		"every zone":             {alert.Notice{Zones: []string{"*"}}, []string{"", "hall", "guard", "unknown"}},
		"a screen and a zone":    {alert.Notice{Screens: []string{"guard"}, Zones: []string{"north"}}, []string{"hall", "guard"}},
		"a screen without an id": {alert.Notice{Screens: []string{"unknown"}}, []string{"unknown"}},
	} {
		c.notice.ID, c.notice.Text, c.notice.Status = "n", text("Сбор", "", ""), alert.Actual
		h.change(func(v *alert.View) { v.Notices = []alert.Notice{c.notice} })
		var got []string
		for _, screen := range []string{"", "hall", "guard", "unknown"} {
			if len(s.shows(screen, alert.Kazakh).Notices) == 1 {
				got = append(got, screen)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: shown on %q, want %q", name, got, c.want)
		}
	}
	// A screen of one language shows a text that exists in another only.
	h.change(func(v *alert.View) {
		v.Notices = []alert.Notice{{ID: "n", Text: text("", "", "Gather"), Status: alert.Actual}}
	})
	if got := s.shows("hall", alert.Kazakh).Notices; len(got) != 1 || len(got[0].Texts) != 1 || got[0].Texts[0].Text != "Gather" {
		t.Errorf("a text in another language is shown as %+v", got)
	}
}

func TestAnEmergencyIsSaidInRussianAndKazakhOnEveryScreen(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, func(o *Options) {
		o.Site = fullSite()
		o.Site.Screens = append(o.Site.Screens, alert.Screen{ID: "guests", Languages: []alert.Language{alert.English}})
		o.Site.Plans = append(o.Site.Plans, alert.Plan{
			Kind: alert.Fire, Level: alert.LevelEmergency, Screens: []string{"*"}, Response: alert.Evacuate, Instruction: text("На стадион!", "", "To the field!"),
		})
	})
	a := h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	h.press(raise{kind: alert.Intruder, place: "gym", level: alert.LevelEmergency})
	cards := s.shows("guests", alert.English).Cards
	if len(cards) != 2 || cards[0].Response != alert.Evacuate || cards[1].Response != alert.Shelter {
		t.Fatalf("cards %+v", cards)
	}
	var langs []alert.Language
	for _, text := range cards[0].Texts {
		langs = append(langs, text.Lang)
	}
	if !slices.Equal(langs, []alert.Language{alert.English, alert.Kazakh, alert.Russian}) {
		t.Errorf("languages %q", langs)
	}
	if got := cards[0].Texts; got[0].Key != "Leave now" || got[0].Do != "To the field!" || got[1].Do != s.words[alert.Kazakh].Get("lobby.do.Evacuate.how") || got[2].Do != "На стадион!" {
		t.Errorf("texts %+v", got)
	}
	if state := s.shows("guests", alert.English); state.Everyday != nil || state.Over != nil {
		t.Error("an alarm is a small message: nothing of every day belongs to it")
	}
	if texts := s.shows("guests", alert.English).Cards[0].Texts; len(texts[0].Places) != 0 {
		t.Errorf("a place that the plan keeps back: %+v", texts[0].Places)
	}
	_ = a
}

func TestWhatIsOverIsSaidOnlyWhenAllIsClearForTheScreen(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, func(o *Options) { o.Site = fullSite() })
	now := h.now()
	fire := h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	violence := h.press(raise{kind: alert.Violence, place: "room-207", level: alert.LevelEmergency}) // the guard's screen only
	h.over(fire, alert.Resolved, &now)
	if got := s.shows("guard", alert.Russian); len(got.Cards) != 1 || got.Over != nil {
		t.Errorf("the guard is told that it is over: %+v", got)
	}
	if got := s.shows("hall", alert.Russian).Over; len(got) != 1 || got[0].Status != alert.Actual || got[0].At != now.Mono.Milliseconds() || got[0].Texts[0].Key != "Отбой" || len(got[0].Texts[0].Care) != 3 {
		t.Errorf("the hall is told %+v", got)
	}
	h.over(violence, alert.Resolved, &now)
	drill := h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency, status: alert.Exercise})
	h.over(drill, alert.TestComplete, &now)
	quiet := h.press(raise{kind: alert.Help, place: "secret", level: alert.LevelHelp})
	h.over(quiet, alert.Resolved, &now)
	got := s.shows("hall", alert.Russian).Over
	if len(got) != 2 || got[0].Status != alert.Exercise || got[0].Texts[0].Key != "Учения окончены" || got[0].Texts[0].Care != nil || got[1].Status != alert.Actual {
		t.Errorf("the hall is told %+v", got)
	}
	// A restart has forgotten it.
	h.change(func(v *alert.View) { v.Ended = nil })
	if got := s.shows("hall", alert.Russian).Over; got != nil {
		t.Errorf("after a restart the hall is told %+v", got)
	}
}

func TestTheClockIsShownOnlyWhileItIsBelieved(t *testing.T) {
	h := newHouse()
	now := h.now()
	sure := false
	s := newTestServer(t, h, func(o *Options) {
		o.Timetable = bells{}
		o.Now = func() alert.Stamp { return now }
		o.ClockSure = func(alert.Stamp) bool { return sure }
	})
	shown := func() *lobbyClock {
		s.lookAtTheDay()
		told := s.shows("", alert.Russian).Everyday
		if (told.Clock == nil) != (len(told.Bells) == 0) || (told.Clock == nil) != (len(told.Days) == 0) {
			t.Errorf("clock, bells and date are not believed together: %+v", told)
		}
		return told.Clock
	}
	pass := func(d time.Duration) { now.Wall, now.Mono = now.Wall.Add(d), now.Mono+d }
	first := shown()
	if first == nil || first.Zero != now.Wall.Add(-now.Mono).UnixMilli() {
		t.Fatalf("clock %+v", first)
	}
	pass(9 * time.Hour)
	now.Synced = false // the network has been away for hours; the quartz goes on
	if got := shown(); got == nil || *got != *first {
		t.Errorf("clock %+v, want %+v", got, first)
	}
	now.Wall = now.Wall.AddDate(-50, 0, 0)
	if got := shown(); got != nil {
		t.Errorf("a clock that jumped is shown: %+v", got)
	}
	now.Wall = now.Wall.AddDate(0, 6, 0)
	if got := shown(); got != nil {
		t.Errorf("a clock that nobody synchronised is shown: %+v", got)
	}
	sure = true
	if got := shown(); got == nil {
		t.Error("a clock that is sure is not shown")
	}
	sure, now.Synced = false, true
	now.Wall = now.Wall.AddDate(3, 0, 0)
	if got := shown(); got == nil || got.Zero != now.Wall.Add(-now.Mono).UnixMilli() {
		t.Errorf("clock %+v after it was set", got)
	}
}

func TestBellsOfTodayAndTheNextOne(t *testing.T) {
	h := newHouse()
	at := alert.Stamp{Wall: time.Date(2026, 11, 22, 21, 30, 0, 0, time.Local), Boot: "b", Mono: time.Hour, Synced: true}
	s := newTestServer(t, h, func(o *Options) {
		o.Site, o.Timetable, o.Now = fullSite(), bells{}, func() alert.Stamp { return at }
	})
	got := s.shows("hall", alert.Kazakh).Everyday.Bells
	if len(got) != 13 || got[12].Days == nil || got[0].Days != nil || !slices.Equal(got[12].Names, []string{"Сабақ", "Урок"}) || got[12].Days[0] != "дүйсенбі" {
		t.Errorf("%d bells, the last %+v", len(got), got[len(got)-1])
	}
	// The guard belongs to the south: every second bell is not for him.
	if got := s.shows("guard", alert.Russian).Everyday.Bells; len(got) != 6 {
		t.Errorf("%d bells in the south", len(got))
	}
}

func TestScreensHaveTheirOwnLanguagesAndShape(t *testing.T) {
	s := newTestServer(t, newHouse(), func(o *Options) { o.Site = fullSite() })
	page := func(path string) string {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Body.String()
	}
	hall, guard, other, plain := page("/lobby?screen=hall"), page("/lobby?screen=guard&lang=en"), page("/lobby?screen=hal"), page("/lobby")
	if !strings.Contains(hall, `<html lang="kk"`) || strings.Contains(hall, "Alert screen connected") || strings.Contains(hall, "data-hung") {
		t.Error("the hall's page is not in its languages")
	}
	if !strings.Contains(guard, `<html lang="en"`) || !strings.Contains(guard, `data-hung="portrait"`) {
		t.Error("the guard's page does not hang upright")
	}
	if !strings.Contains(other, "Экрана «hal» нет") || strings.Contains(plain, "screen-unknown") || strings.Contains(hall, "screen-unknown") {
		t.Error("an unknown screen does not say so, or a known one does")
	}
}

func TestSlidesAreServedAsTheyWereChecked(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 3))); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"1-a b.png": b.Bytes(), "2-news-kk.md": []byte("# Жаңалық <script>x</script>"), "2-news-en.md": []byte("# News")} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := newTestServer(t, newHouse(), func(o *Options) { o.Site, o.Slides = fullSite(), dir })
	s.shelf.Look()
	s.lookAtTheDay()
	got := s.shows("hall", alert.Kazakh).Everyday.Steps // Kazakh and Russian
	if len(got) != 2 || !got[0].Picture || got[1].Lang != alert.Kazakh {
		t.Fatalf("steps %+v", got)
	}
	if n := len(s.shows("guard", alert.Russian).Everyday.Steps); n != 3 {
		t.Errorf("%d steps on a screen of all languages", n)
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	if w := get(got[0].URL); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/png" || !bytes.Equal(w.Body.Bytes(), b.Bytes()) || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("picture: %d %v", w.Code, w.Header())
	}
	w := get(got[1].URL)
	var nodes []map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &nodes); err != nil || w.Header().Get("Content-Type") != "application/json" || nodes[0]["t"] != "h1" || strings.Contains(w.Body.String(), "script") {
		t.Errorf("page: %v %s", err, w.Body)
	}
	for _, path := range []string{"/slides/0000000000000000/1-a%20b.png", "/slides/x/..%2f..%2fetc%2fpasswd", "/slides/../web.go", "/slides/", strings.Replace(got[0].URL, "1-a", "2-a", 1)} {
		if w := get(path); w.Code == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
}

func TestAPhoneNumberBecomesACodeThatDials(t *testing.T) {
	s := newTestServer(t, newHouse(), func(o *Options) { o.Site = fullSite() })
	want, err := newQR("tel:+77271111111")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.shows("", alert.Russian).Everyday.Help[0]; got.QR == nil || got.QR.Path != want.Path || got.Phone != "+7 (727) 111-11-11" {
		t.Errorf("contact %+v", got)
	}
	if _, err := newQR(strings.Repeat("x", 5000)); err == nil {
		t.Error("a code that nobody can read is drawn")
	}
}

// All screens of a school may sit behind one address.
func TestThirtyTwoScreensOfOneHost(t *testing.T) {
	if _, host := toLobby.limits(); host < 32 {
		t.Errorf("one host has %d streams", host)
	}
	all := 0
	for _, a := range []audience{toLobby, toConsole, toWall} {
		n, _ := a.limits()
		all += n
	}
	if all >= maxPeers {
		t.Errorf("%d streams leave no connection of %d for anything else", all, maxPeers)
	}
}
