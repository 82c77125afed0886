package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
)

// shows is what a screen shows, made for it alone.
func (s *Server) shows(screen string, lang alert.Language) lobbyState {
	return s.lobbyNow(s.opt.Source.View(), s.opt.Now(), s.screen(screen), lang)
}

// lobbyJSON is what a screen is sent: what was made for it and others together.
func (s *Server) lobbyJSON(t interface{ Fatal(...any) }, screen string, lang alert.Language) string {
	sent, err := s.lobbyShared(screen, lang, s.opt.Now())
	if err != nil {
		t.Fatal(err)
	}
	return string(sent.body)
}

// fullSite is a site whose screens have everything to show.
func fullSite() *alert.Site {
	site := testSite()
	site.Zones = []alert.Zone{{ID: "north"}, {ID: "south"}}
	site.Screens = []alert.Screen{
		{ID: "hall", Zones: []string{"north"}, Languages: []alert.Language{alert.Kazakh, alert.Russian}},
		{ID: "guard", Zones: []string{"south"}, Orientation: alert.Portrait},
	}
	site.Helplines = []alert.Helpline{{Name: text("Телефон доверия", "Сенім телефоны", "Helpline"), Phone: "+7 (727) 111-11-11"}}
	return site
}

// bells rings every hour of every day.
type bells struct{}

func (bells) Day(at time.Time) (list []timetable.Entry) {
	for hour := range 24 {
		list = append(list, timetable.Entry{
			At:   time.Date(at.Year(), at.Month(), at.Day(), hour, 0, 0, 0, at.Location()),
			Name: text("Урок", "Сабақ", "Lesson"), Bell: hour%2 == 0, Zones: []string{[]string{"north", "*"}[hour/2%2]},
		})
	}
	return list
}

// Whatever happens at the quiet places, a lobby screen's data is the same as
// if nothing had happened there: alerts, ends, announcements, time of day.
func TestQuietAlertsNeverReachTheLobby(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		with, without := newHouse(), newHouse()
		now := with.now()
		sWith, sWithout := lobbyServer(t, with, &now), lobbyServer(t, without, &now)
		kinds := append(alert.Kinds(), "gas")
		both := []*house{with, without}
		for range rapid.IntRange(1, 12).Draw(t, "presses") {
			r := raise{
				kind:   rapid.SampledFrom(kinds).Draw(t, "kind"),
				place:  rapid.SampledFrom([]string{"room-204", "gym", "canteen"}).Draw(t, "place"),
				level:  alert.LevelEmergency,
				status: rapid.SampledFrom([]alert.Status{alert.Actual, alert.Exercise, alert.Test}).Draw(t, "status"),
			}
			houses := both
			if rapid.Bool().Draw(t, "quiet") {
				r.place, r.level = "secret", alert.LevelHelp
				houses = both[:1]
			}
			ended := rapid.IntRange(0, 2).Draw(t, "ended") == 0
			for _, h := range houses {
				a := h.press(r)
				if ended {
					h.over(a, alert.Resolved, &now)
				}
			}
			if rapid.IntRange(0, 3).Draw(t, "announced") == 0 {
				n := alert.Notice{ID: "n", Text: text("Сбор", "Жиналу", "Gather"), Status: alert.Actual, Zones: []string{"north"}}
				for _, h := range both {
					h.change(func(v *alert.View) { v.Notices = append([]alert.Notice{n}, v.Notices...) })
				}
			}
			// Time goes on. Only the keeper of the day may notice, and does so
			// whatever happens.
			now.Wall, now.Mono = now.Wall.Add(7*time.Hour), now.Mono+7*time.Hour
		}
		for _, screen := range []string{"", "guard", "hall", "nobody-knows"} {
			for _, lang := range alert.Languages() {
				got, want := sWith.lobbyJSON(t, screen, lang), sWithout.lobbyJSON(t, screen, lang)
				if got != want {
					t.Fatalf("screen %q sees that something quiet happened:\n%s\n%s", screen, got, want)
				}
			}
		}
	})
}

func lobbyServer(t interface{ Fatal(...any) }, h *house, now *alert.Stamp) *Server {
	s, err := New(Options{Site: fullSite(), Source: h, Timetable: bells{}, Now: func() alert.Stamp { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// over clears an alert; the view says that it ended, even if it was quiet: the
// engine would not, and this room does not rely on it.
func (h *house) over(a alert.Alert, outcome alert.Outcome, at *alert.Stamp) {
	h.change(func(v *alert.View) {
		loc := a.Place
		v.State = v.State.Next(alert.Event{Type: alert.Cleared, Subject: a.ID, Numbering: a.Numbering, Number: a.Last.Number, Kind: a.Kind, Place: &loc, Outcome: outcome})
		v.Ended = append([]alert.Ended{{Alert: a, At: *at, Outcome: outcome}}, v.Ended...)
	})
}

// What a stream of the lobby writes, and when, is the same whether quiet things
// happen or not: over days, with bells, midnights and a clock that is set.
func TestTheMomentsOfALobbyStreamTellNothingQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		var writers [2]*slowWriter
		var houses [2]*house
		var set atomic.Int64 // how far the clock was set
		for i := range houses {
			h := newHouse()
			now := func() alert.Stamp {
				at := h.now()
				at.Wall = at.Wall.Add(time.Duration(set.Load()))
				return at
			}
			s := newTestServer(t, h, func(o *Options) { o.Site, o.Timetable, o.Now = fullSite(), bells{}, now })
			s.session = "same"
			w := &slowWriter{ResponseWriter: httptest.NewRecorder()}
			houses[i], writers[i] = h, w
			group.Go(func() {
				<-time.After(311 * time.Millisecond) // never in the same instant as a beat
				s.keepEveryday(ctx)
			})
			group.Go(func() {
				s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/events", nil).WithContext(ctx))
			})
		}
		<-time.After(3*time.Second + 333*time.Millisecond)
		var fires [2]alert.Alert
		for i := range 1000 { // quiet things, at moments that fall on nothing else
			if i == 500 { // while no alarm hides the clock
				set.Store(int64(5 * time.Hour))
			}
			a := houses[0].press(raise{kind: alert.Help, place: "secret", level: alert.LevelHelp})
			<-time.After(3 * time.Millisecond) // twice at once, so that the second has to wait
			houses[0].press(raise{kind: alert.Bullying, place: "secret", level: alert.LevelHelp})
			<-time.After(1990 * time.Millisecond)
			if i%3 == 1 { // never in the instant of something public: see calm
				at := houses[0].now()
				houses[0].over(a, alert.Resolved, &at)
			}
			for n, h := range houses {
				switch i {
				case 800:
					fires[n] = h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
				case 900:
					at := h.now()
					h.over(fires[n], alert.Resolved, &at)
				}
			}
			<-time.After(5 * time.Second)
		}
		cancel()
		group.Wait()
		with, without := writers[0], writers[1]
		if len(with.wrote) < 1000 {
			t.Fatalf("%d messages", len(with.wrote))
		}
		for i := range min(len(with.wrote), len(without.wrote)) {
			if with.wrote[i] != without.wrote[i] || !with.times[i].Equal(without.times[i]) {
				t.Fatalf("message %d betrays something quiet:\n%s %s\n%s %s", i, with.times[i], with.wrote[i], without.times[i], without.wrote[i])
			}
		}
		if len(with.wrote) != len(without.wrote) {
			t.Errorf("%d messages, %d without quiet alerts", len(with.wrote), len(without.wrote))
		}
	})
}

func TestLobbyShowsWhatThePlanSays(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	titles := func(screen string) (list []string) {
		for _, c := range s.shows(screen, alert.Kazakh).Cards {
			list = append(list, c.Texts[0].Title)
		}
		return list
	}
	h.press(raise{kind: "gas", place: "gym", level: alert.LevelEmergency, status: alert.Test})
	h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency, status: alert.Exercise})
	h.press(raise{kind: alert.Help, place: "secret", level: alert.LevelHelp}) // the plan wrongly says "*"
	cards := s.shows("hall", alert.Kazakh).Cards
	if len(cards) != 2 || cards[0].Status != alert.Exercise || cards[0].Texts[0].Status != "Оқу дабылы" || cards[1].Status != alert.Test {
		t.Fatalf("drill and test are not marked, the drill first: %+v", cards)
	}
	if cards[1].Icon != "other" {
		t.Errorf("the site's own kind has the pictogram %q", cards[1].Icon)
	}
	place := cards[0].Texts[0].Places[0]
	if place.Room != "Асхана" || !slices.Equal(place.Where, []string{"1-қабат", "Бас ғимарат"}) {
		t.Errorf("place %+v", place)
	}
	if got := []alert.Language{cards[0].Texts[0].Lang, cards[0].Texts[1].Lang, cards[0].Texts[2].Lang}; !slices.Equal(got, []alert.Language{alert.Kazakh, alert.Russian, alert.English}) {
		t.Errorf("languages %v: want the screen's own first and all three", got)
	}

	// Each screen that the plan names shows what is real, and no drill beside it.
	h.press(raise{kind: alert.Violence, place: "room-207", level: alert.LevelEmergency})
	if got, want := titles("hall"), []string{"Өрт", "Газ иісі"}; !slices.Equal(got, want) {
		t.Errorf("hall shows %q, want %q", got, want)
	}
	h.press(raise{kind: alert.MissingChild, place: "secret", level: alert.LevelEmergency})
	if got, want := titles("hall"), []string{"Бала жоғалды"}; !slices.Equal(got, want) {
		t.Errorf("hall shows %q, want %q: no drill beside what is real", got, want)
	}
	if got, want := titles("guard"), []string{"Зорлық-зомбылық", "Бала жоғалды"}; !slices.Equal(got, want) {
		t.Errorf("guard shows %q, want %q", got, want)
	}
	if got := s.lobbyJSON(t, "hall", alert.Russian); strings.Contains(got, "психолог") {
		t.Errorf("a place that the plan keeps back is shown: %s", got)
	}
}

func TestManyPlacesOfOneKindAreOneCardWithTheNewestFirst(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	for _, place := range []string{"room-204", "gym", "canteen", "entrance", "room-207"} {
		h.press(raise{kind: alert.Intruder, place: place, level: alert.LevelEmergency})
	}
	cards := s.shows("", alert.Russian).Cards
	if len(cards) != 1 {
		t.Fatalf("%d cards, want 1", len(cards))
	}
	words := cards[0].Texts[0]
	if len(words.Places) != maxPlaces || words.Places[0].Room != "Кабинет 207" || words.More != "и ещё 2 места" {
		t.Errorf("places %+v, more %q", words.Places, words.More)
	}
}

func TestEscalatedQuietAlertBecomesPublic(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	h.press(raise{kind: alert.Stranger, place: "gym", level: alert.LevelHelp})
	if n := len(s.shows("", alert.Russian).Cards); n != 0 {
		t.Fatalf("%d cards for a quiet alert", n)
	}
	h.press(raise{kind: alert.Stranger, place: "gym", level: alert.LevelEmergency, hold: true})
	if n := len(s.shows("", alert.Russian).Cards); n != 1 {
		t.Fatalf("%d cards after the hold, want 1", n)
	}
}

// sseEvent is one event as a browser parses it.
type sseEvent struct {
	name, id string
	data     message
	at       time.Time
}

// listen reads a stream until ctx ends.
func listen(ctx context.Context, t *testing.T, client *http.Client, url, last string) <-chan sseEvent {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("stream answers %s %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	events := make(chan sseEvent, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(events)
		readEvents(t, answer.Body, events)
	}()
	t.Cleanup(func() {
		answer.Body.Close()
		<-done
	})
	return events
}

func readEvents(t *testing.T, body io.Reader, events chan<- sseEvent) {
	var e sseEvent
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				t.Errorf("data %q: %v", value, err)
			}
		case "":
			e.at = time.Now()
			events <- e
			e = sseEvent{}
		}
	}
}

func next(t *testing.T, events <-chan sseEvent) sseEvent {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(patience):
		t.Fatal("no event in time")
	}
	return sseEvent{}
}

func TestLobbyStreamIsSilentAboutQuietAlertsAndResumes(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	srv := serve(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := listen(ctx, t, srv.Client(), srv.URL+"/api/v1/events?audience=lobby", "")
	first := next(t, events)
	if first.name != "state" || !strings.HasPrefix(first.id, s.session+"-") || !strings.HasPrefix(string(first.data.State), `{"cards":[],"everyday":{"clock":`) {
		t.Fatalf("first event %+v", first)
	}
	if e := next(t, events); e.name != "beat" || e.data.Assets != s.assets.version || e.data.Figures != nil {
		t.Fatalf("second event %+v", e)
	}
	h.press(raise{kind: alert.Help, place: "secret", level: alert.LevelHelp})
	h.press(raise{kind: alert.Bullying, place: "secret", level: alert.LevelHelp})
	if e := next(t, events); e.name != "beat" {
		t.Fatalf("a quiet press sends %q to the lobby: %s", e.name, e.data.State)
	}
	h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	loud := next(t, events)
	if loud.name != "state" || loud.id == first.id || !strings.Contains(string(loud.data.State), "Столовая") {
		t.Fatalf("event %+v", loud)
	}
	// Back with the same id: nothing was missed, so nothing is repeated.
	again := listen(ctx, t, srv.Client(), srv.URL+"/api/v1/events?audience=lobby", loud.id)
	if e := next(t, again); e.name != "beat" {
		t.Errorf("a resumed stream begins with %q", e.name)
	}
	// The same by the parameter, because a page may have to open a new stream.
	again = listen(ctx, t, srv.Client(), srv.URL+"/api/v1/events?audience=lobby&last_event_id="+loud.id, "")
	if e := next(t, again); e.name != "beat" {
		t.Errorf("a resumed stream begins with %q", e.name)
	}
	// Back with an older id, or after a restart of the gateway: all of it.
	again = listen(ctx, t, srv.Client(), srv.URL+"/api/v1/events?audience=lobby", first.id)
	if e := next(t, again); e.name != "state" || e.id != loud.id {
		t.Errorf("after an older id: %+v", e)
	}
	restarted := serve(t, newTestServer(t, h, nil))
	again = listen(ctx, t, restarted.Client(), restarted.URL+"/api/v1/events?audience=lobby", loud.id)
	if e := next(t, again); e.name != "state" {
		t.Errorf("after a restart: %+v", e)
	}
}

func TestLobbyPageSetsNoCookieAndRefusesStrangeScreens(t *testing.T) {
	s := newTestServer(t, newHouse(), nil)
	for path, want := range map[string]int{
		"/lobby": 200, "/lobby?screen=hall-1&lang=kk": 200, "/lobby?screen=%3Cscript%3E": 400, "/lobby?screen=" + strings.Repeat("a", 65): 400,
		"/api/v1/state?audience=lobby&screen=%22": 400, "/api/v1/events?audience=everyone": 400, "/lobby/": 404, "/static/old/lobby.js": 404,
	} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
		if len(w.Result().Cookies()) != 0 {
			t.Errorf("%s sets a cookie", path)
		}
	}
}
