//go:build browser

package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"nabat/gateway/alert"
)

// keep writes a picture for people to look at, with -shots DIR -all-shots.
func keep(t *testing.T, p *tab, name string) {
	t.Helper()
	body := p.picture()
	if *shots == "" || !*allShots {
		return
	}
	if err := os.WriteFile(filepath.Join(*shots, name), body, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBrowserConsoleAnnounces(t *testing.T) {
	b := newBrowser(t)
	h, pa := newHouse(), &loudspeakers{}
	s := newTestServer(t, h, func(o *Options) { withSound(pa)(o); withScreens(o); o.Wall = newTestWall() })
	srv := serve(t, s)
	pa.say(
		alert.Sounding{Zone: "gym", Text: text("Внимание! Сбор в актовом зале.", "Назар аударыңыздар!", "Attention!"), Priority: alert.PriorityNotice, Status: alert.Actual, Speakers: 2, Times: 1},
		alert.Sounding{Zone: "yard", Text: text("Покиньте здание", "Ғимараттан шығыңыздар", "Leave the building"), Priority: alert.PriorityEvacuate, Status: alert.Exercise, Silent: 1},
	)
	p := b.tab(t, 1600, 1200)
	p.open(srv.URL + "/console")
	p.logIn(testPIN)
	p.eventually(`document.querySelectorAll("#zones .zone").length === 3 && document.querySelectorAll("#screens li").length === 2`)
	if seen := p.text("#zones"); !strings.Contains(seen, "Вестибюль") || !strings.Contains(seen, "Сейчас ничего не говорит") || !strings.Contains(seen, "Сейчас говорит") || !strings.Contains(seen, "ни один динамик не звучит") {
		t.Errorf("the zones: %s", seen)
	}
	p.run(chromedp.Click("#announce-start"))
	p.eventually(`document.getElementById("say").open`)
	p.run(chromedp.Click("#say-send"))
	p.eventually(`document.getElementById("say-problem").textContent.includes("хотя бы на одном языке")`)
	p.run(chromedp.SendKeys(`#say textarea[name="ru"]`, "Сбор в спортзале"), chromedp.SendKeys(`#say textarea[name="kk"]`, "Спорт залына жиналыңыздар"),
		chromedp.Click(`#say input[value="gym"]`), chromedp.Click(`#say input[name="test"]`))
	p.eventually(`!document.querySelector('#say input[value="*"]').checked`)
	keep(t, p, "console-announce.png")
	p.run(chromedp.Click("#say-send"))
	p.eventually(`!document.getElementById("say").open && document.querySelector("#notices .notice-text")?.textContent === "Сбор в спортзале"`)
	n := h.View().Notices[0]
	if n.Text.KK != "Спорт залына жиналыңыздар" || n.Text.EN != "" || n.Status != alert.Test || n.For != time.Minute || strings.Join(n.Zones, " ") != "gym" || n.Who != "duty" {
		t.Errorf("announced %+v", n)
	}
	keep(t, p, "console-announced.png")
	p.run(chromedp.Click("#notices .notice .buttons button"))
	p.eventually(`document.getElementById("notices-panel").hidden`)
	// A message of the site needs no words.
	p.run(chromedp.Click("#announce-start"), chromedp.SetValue(`#say select[name="message"]`, "assembly"),
		chromedp.Evaluate(`document.querySelector('#say select[name="message"]').dispatchEvent(new Event("change", { bubbles: true }))`, nil))
	p.eventually(`document.getElementById("say-texts").hidden`)
	p.run(chromedp.Click("#say-send"))
	p.eventually(`!document.getElementById("say").open`)
	if n := h.View().Notices[0]; n.Message != "assembly" || n.Zones[0] != alert.Everywhere {
		t.Errorf("announced %+v", n)
	}
	p.clean(srv.URL)

	wall := b.tab(t, 1600, 900)
	wall.open(srv.URL + "/wall")
	wall.eventually(`document.querySelectorAll(".zone-card").length === 3 && document.querySelector('[data-zone="gym"]').classList.contains("sounds")`)
	keep(t, wall, "wall-pa.png")
	pa.say()
	wall.eventually(`[...document.querySelectorAll(".zone-card")].every((z) => z.classList.contains("silent"))`)
	wall.clean(srv.URL)
}

func TestBrowserScreenProvesItself(t *testing.T) {
	b := newBrowser(t)
	h := newHouse()
	s := newTestServer(t, h, withScreens)
	srv := serve(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- s.WatchScreens(ctx) }()
	defer func() {
		cancel()
		if err := <-watched; err != nil {
			t.Error(err)
		}
	}()
	p := b.tab(t, 1280, 720)
	p.open(srv.URL + "/lobby?screen=hall")
	is := func(state, condition string) {
		t.Helper()
		until(t, func() bool {
			var names []string
			for _, c := range s.opt.Health.List() {
				names = append(names, c.Name)
			}
			return string(s.Screens()[0].State) == state && strings.Join(names, " ") == condition
		})
	}
	is("ok", "")
	h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	p.eventually(`document.querySelectorAll(".card").length === 1`)
	p.run(chromedp.Evaluate(`window.drawn = requestAnimationFrame; window.requestAnimationFrame = () => 0`, nil))
	is("frozen", "screen-frozen:hall")
	console := b.tab(t, 1600, 1000)
	console.open(srv.URL + "/console")
	console.logIn(testPIN)
	console.eventually(`document.querySelector('[data-screen-state="frozen"]') && document.getElementById("conditions").textContent.includes("Экран застыл: hall")`)
	keep(t, console, "console-frozen.png")
	// The tab behind the console's is not drawn: it comes to the front again.
	p.open(srv.URL + "/lobby?screen=hall")
	is("ok", "")
	// A page that throws away what it is told goes on showing what is old.
	p.eventually(lastPainted)
	p.run(chromedp.Evaluate(`(() => {
		const old = `+lastPainted+`, real = window.fetch;
		window.fetch = (address, options) => real(address, options?.body ? { ...options, body: JSON.stringify({ ...JSON.parse(options.body), painted: old }) } : options);
	})()`, nil))
	h.press(raise{kind: alert.Medical, place: "gym", level: alert.LevelEmergency})
	is("frozen", "screen-frozen:hall")
	p.run(chromedp.Navigate("about:blank"))
	is("dark", "screen-dark:hall")
	if got := s.Screens()[0]; got.Width != 1280 || got.Height != 720 {
		t.Errorf("%+v", got)
	}
}

func TestBrowserLobbyIsLoadedAnewOnceItIsCalm(t *testing.T) {
	b := newBrowser(t)
	h := newHouse()
	s := newTestServer(t, h, nil)
	var loads atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/lobby" {
			loads.Add(1)
		}
		s.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	p := b.tab(t, 1280, 720)
	p.open(srv.URL + "/lobby")
	p.eventually(lobbyIdle)
	a := h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	p.eventually(`document.querySelectorAll(".card").length === 1`)
	// The page is of another version than the gateway, and stays so whatever is
	// loaded, as behind a proxy that keeps old pages.
	p.run(chromedp.Evaluate(`document.documentElement.dataset.assets = "of-yesterday"; window.before = true`, nil))
	before := loads.Load()
	heard := func(n int) {
		t.Helper()
		p.run(chromedp.Evaluate(`window.beats = 0; window.counted ??= new EventSource("/api/v1/events?audience=lobby"); window.counted.addEventListener("beat", () => window.beats++)`, nil))
		p.eventually(`window.beats >= ` + string(rune('0'+n)))
	}
	heard(2)
	if n := loads.Load(); n != before {
		t.Errorf("loaded anew %d times while an alert is shown", n-before)
	}
	if err := h.Clear(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.Resolved}); err != nil {
		t.Fatal(err)
	}
	p.eventually(`window.before === undefined && document.readyState === "complete"`)
	p.eventually(lobbyIdle)
	p.run(chromedp.Evaluate(`document.documentElement.dataset.assets = "of-yesterday"; window.before = true; sessionStorage.setItem("outdated", (performance.timeOrigin + performance.now()) + " 30000")`, nil))
	after := loads.Load()
	heard(3)
	if n := loads.Load(); n != after {
		t.Errorf("a loop: loaded anew %d times more", n-after)
	}
}

func TestBrowserLobbyComesBackAfterALongNight(t *testing.T) {
	b := newBrowser(t)
	h := newHouse()
	s := newTestServer(t, h, nil)
	var down atomic.Bool
	var tries atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() && r.URL.Path == "/api/v1/events" {
			tries.Add(1)
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		s.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	p := b.tab(t, 1280, 720)
	p.open(srv.URL + "/lobby")
	h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	p.eventually(`document.querySelectorAll(".card").length === 1`)
	down.Store(true)
	p.run(network.Enable())
	srv.CloseClientConnections()
	p.eventually(lobbyStale)
	until(t, func() bool { return tries.Load() >= 5 })
	p.eventually(`document.querySelectorAll(".card").length === 1 && ` + lobbyStale) // the last instructions stay
	down.Store(false)
	p.eventually(`!(` + lobbyStale + `) && document.querySelectorAll(".card").length === 1`)
}
