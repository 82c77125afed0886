package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
)

// What is encoded once for many screens is what each of them would show alone,
// whatever names screens, zones and languages.
func TestScreensThatShareShowTheirOwn(t *testing.T) {
	ids := []string{"", "hall", "hall-2", "guard", "gym", "nobody-knows"}
	rapid.Check(t, func(t *rapid.T) {
		some := func(of []string, label string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 2, rapid.ID).Draw(t, label)
		}
		site := fullSite()
		site.Screens = append(site.Screens, alert.Screen{ID: "hall-2", Zones: []string{"north"}, Languages: []alert.Language{alert.Russian, alert.English}}, alert.Screen{
			ID: "gym", Zones: some([]string{"north", "south", "*"}, "zones of gym"),
			Languages: rapid.SliceOfNDistinct(rapid.SampledFrom(alert.Languages()), 0, 2, rapid.ID).Draw(t, "languages of gym"),
		})
		for _, k := range []alert.Kind{alert.Fire, alert.Medical} {
			site.Plans = append(site.Plans, alert.Plan{Kind: k, Level: alert.LevelEmergency, ShowPlace: true, Screens: some([]string{"hall", "gym", "nobody-knows", "*"}, "screens of a plan")})
		}
		h := newHouse()
		now := h.now()
		s, err := New(Options{Site: site, Source: h, Timetable: bells{}, Now: func() alert.Stamp { return now }})
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 6).Draw(t, "events") {
			switch rapid.IntRange(0, 2).Draw(t, "event") {
			case 0:
				h.press(raise{kind: rapid.SampledFrom([]alert.Kind{alert.Fire, alert.Medical}).Draw(t, "kind"), place: "gym", level: alert.LevelEmergency})
			case 1:
				a := h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
				h.over(a, alert.Resolved, &now)
			case 2:
				n := alert.Notice{ID: "n", Text: text("Сбор", "Жиналу", "Gather"), Status: alert.Actual,
					Zones: some([]string{"north", "south", "*"}, "zones"), Screens: some([]string{"hall", "guard", "nobody-knows", "*"}, "screens")}
				h.change(func(v *alert.View) { v.Notices = append([]alert.Notice{n}, v.Notices...) })
			}
			now.Wall, now.Mono = now.Wall.Add(time.Minute), now.Mono+time.Minute
			for _, id := range rapid.Permutation(ids).Draw(t, "order") {
				for _, lang := range alert.Languages() {
					want, err := json.Marshal(s.shows(id, lang))
					if err != nil {
						t.Fatal(err)
					}
					if got := s.lobbyJSON(t, id, lang); got != string(want) {
						t.Fatalf("screen %q is sent what is not its own:\n%s\n%s", id, got, want)
					}
				}
			}
		}
	})
}

// Screens with the same sight share one piece of memory, for a moment.
func TestScreensShare(t *testing.T) {
	h := newHouse()
	now := h.now()
	s := lobbyServer(t, h, &now)
	body := func(screen string) *byte {
		e, err := s.lobbyShared(screen, alert.Russian, now)
		if err != nil {
			t.Fatal(err)
		}
		return &e.body[0]
	}
	one := body("")
	if body("nobody-knows") != one || body("somebody-else") != one {
		t.Error("screens that show the same are encoded one by one")
	}
	if body("guard") == one {
		t.Error("a screen of other zones was taken for the same")
	}
	now.Synced = false // nobody knows the time of day any more
	now.Wall = now.Wall.Add(-20 * 365 * 24 * time.Hour)
	if s.lookAtTheDay(); body("") == one {
		t.Error("the end of a day is not seen")
	}
	one = body("")
	now.Mono += sharedFor + 1
	if body("") == one {
		t.Error("an encoded state is handed out for ever")
	}
	one = body("")
	h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
	if body("") == one {
		t.Error("an emergency is not seen")
	}
}

// Who asks once, or opens streams one after the other, is answered with a state
// made for it alone: what others were told lately does not make it quicker.
func TestAFirstAnswerIsNeverShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		s := newTestServer(t, h, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ask := func(w http.ResponseWriter, path string) {
			s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil).WithContext(ctx))
		}
		answer := httptest.NewRecorder()
		ask(answer, "/api/v1/state?audience=lobby")
		w, ended := &slowWriter{ResponseWriter: httptest.NewRecorder()}, make(chan struct{})
		go func() {
			defer close(ended)
			ask(w, "/api/v1/events?audience=lobby")
		}()
		synctest.Wait()
		if n := len(s.shared.made); answer.Code != http.StatusOK || w.count("state") != 1 || n != 0 {
			t.Errorf("%d and %d states; %d of the first answers were kept for others, or taken from them", answer.Code, w.count("state"), n)
		}
		h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
		<-time.After(calm)
		synctest.Wait()
		if n := len(s.shared.made); w.count("state") != 2 || n != 1 {
			t.Errorf("%d states are shared after a change, want 1: does the test look?", n)
		}
		cancel()
		<-ended
	})
}
