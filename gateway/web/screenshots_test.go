//go:build browser

package web

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"nabat/gateway/alert"
)

var (
	shots    = flag.String("shots", "", "directory to keep the README's pictures in")
	allShots = flag.Bool("all-shots", false, "keep the other pictures too")
)

// maxPicture keeps the README light.
const maxPicture = 300 << 10

// TestBrowserScreenshots takes the pictures that the README shows, and more for
// people to look at. -shots DIR keeps those of the README.
func TestBrowserScreenshots(t *testing.T) {
	dir := *shots
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	h := newHouse()
	w := newTestWall()
	s := newTestServer(t, h, func(o *Options) { o.Wall = w })
	srv := serve(t, s)
	shoot := func(p *tab, name string) {
		t.Helper()
		// Until the fonts are there and two frames were painted.
		p.eventually(`document.fonts.status === "loaded"`)
		body := p.picture()
		img, err := png.DecodeConfig(bytes.NewReader(body))
		if err != nil || img.Width < 300 {
			t.Fatalf("%s is not a picture: %v", name, err)
		}
		if len(body) > maxPicture {
			t.Errorf("%s takes %d KiB, want at most %d", name, len(body)>>10, maxPicture>>10)
		}
		if forReadme := slices.Contains([]string{"lobby.png", "lobby-day.png", "lobby-drill.png", "lobby-all-clear.png", "lobby-care.png", "console.png", "wall.png"}, name); !forReadme && !*allShots {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cards := func(n string) string { return `document.querySelectorAll(".card").length === ` + n }

	lobby := b.tab(t, 1920, 1080)
	lobby.open(srv.URL + "/lobby")
	lobby.eventually(`!document.getElementById("idle").hidden`)
	shoot(lobby, "lobby-idle.png")
	ordinary := newHouse()
	lobby.open(serve(t, lived(t, ordinary, nil)).URL + "/lobby")
	lobby.eventually(`document.querySelector("#slide h1")`)
	shoot(lobby, "lobby-day.png")
	ordinary.overFor(ordinary.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency}), 0)
	lobby.eventually(lobbyOver)
	shoot(lobby, "lobby-all-clear.png")
	ordinary.overFor(ordinary.press(raise{kind: alert.Intruder, place: "gym", level: alert.LevelEmergency}), 3*time.Minute)
	ordinary.change(func(v *alert.View) { v.Ended = v.Ended[:1] })
	lobby.eventually(`!document.getElementById("care").hidden`)
	shoot(lobby, "lobby-care.png")
	crowd := newHouse()
	for _, place := range []string{"room-204", "gym", "canteen", "entrance", "room-207"} {
		crowd.press(raise{kind: alert.Stranger, place: place, level: alert.LevelEmergency})
	}
	lobby.open(serve(t, newTestServer(t, crowd, nil)).URL + "/lobby")
	lobby.eventually(cards("1"))
	shoot(lobby, "lobby-places.png")
	lobby.open(srv.URL + "/lobby")
	lobby.eventually(`!document.getElementById("idle").hidden`)
	intruder := h.press(raise{kind: alert.Intruder, place: "room-204", level: alert.LevelEmergency, ago: 95 * time.Second, hold: true, truth: alert.TruthReceived})
	lobby.eventually(cards("1"))
	shoot(lobby, "lobby.png")
	h.press(raise{kind: alert.Medical, place: "gym", level: alert.LevelEmergency, ago: 40 * time.Second, truth: alert.TruthSent})
	lobby.eventually(cards("2"))
	shoot(lobby, "lobby-two.png")
	h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency, ago: 9 * time.Second, truth: alert.TruthSaved})
	h.press(raise{kind: alert.Fire, place: "room-207", level: alert.LevelEmergency, ago: 3 * time.Second, truth: alert.TruthSaved})
	lobby.eventually(cards("3") + ` && document.body.innerText.includes("Кабинет 207")`)
	shoot(lobby, "lobby-three.png")
	h.press(raise{kind: alert.Stranger, place: "entrance", level: alert.LevelEmergency})
	h.press(raise{kind: alert.MissingChild, place: "gym", level: alert.LevelEmergency})
	h.press(raise{kind: "gas", place: "canteen", level: alert.LevelEmergency})
	lobby.eventually(cards("6"))
	shoot(lobby, "lobby-six.png")

	// The console sees a quiet call too, and an emergency that a person took.
	two := newHouse()
	two.press(raise{kind: alert.Help, place: "room-207", level: alert.LevelHelp, ago: 25 * time.Second, truth: alert.TruthSaved})
	taken := two.press(raise{kind: alert.Medical, place: "gym", level: alert.LevelEmergency, ago: 4 * time.Minute, hold: true, truth: alert.TruthReceived})
	if err := two.Acknowledge(t.Context(), alert.Decision{Alert: taken.ID, Number: taken.Last.Number, Origin: "console", Who: "nurse"}); err != nil {
		t.Fatal(err)
	}
	two.change(func(v *alert.View) {
		v.State = v.State.Next(alert.Event{Type: alert.Received, Subject: taken.ID, Numbering: taken.Numbering, Number: taken.Last.Number, Kind: taken.Kind, Place: &taken.Place, At: two.now()})
	})
	two.press(raise{kind: intruder.Kind, place: "entrance", level: alert.LevelEmergency, ago: 95 * time.Second, hold: true, truth: alert.TruthSent})
	two.change(func(v *alert.View) {
		v.Points["button-canteen"] = alert.PointStatus{ID: "button-canteen", Fault: "lost", Detail: "gpiochip4 is gone", LastProven: alert.Stamp{Boot: v.At.Boot, Mono: v.At.Mono - 11*time.Minute}}
	})
	consoleServer := newTestServer(t, two, func(o *Options) {
		o.Stats = func() Stats {
			st := testStats()
			st.Links = append(st.Links, LinkStats{Name: "central", Up: false, For: 12 * time.Minute, Waiting: 22, Alarms: 3, Oldest: 12 * time.Minute})
			return st
		}
	})
	consoleServer.opt.Health.Set("point-lost:button-canteen", "gpiochip4 line 6: no such device; check the cable of the expander")
	consoleURL := serve(t, consoleServer).URL
	console := b.tab(t, 1920, 1080)
	console.open(consoleURL + "/console")
	shoot(console, "login.png")
	console.logIn(testPIN)
	console.eventually(`document.querySelectorAll(".alert").length === 3 && document.querySelectorAll(".link").length > 1`)
	shoot(console, "console.png")
	console.run(chromedp.Click(".alert .outline"))
	shoot(console, "console-dialog.png")
	console.run(chromedp.Click("#decide-cancel"), chromedp.EmulateViewport(390, 844))
	shoot(console, "console-phone.png")
	console.run(chromedp.Evaluate(`scrollTo(0, 1500)`, nil))
	shoot(console, "console-phone-2.png")
	console.run(chromedp.EmulateViewport(1920, 1080), chromedp.Navigate(consoleURL+"/console?lang=kk"))
	console.eventually(`document.querySelectorAll(".alert").length === 3 && document.querySelectorAll(".link").length > 1`)
	shoot(console, "console-kk.png")

	three := newHouse()
	drillServer := serve(t, newTestServer(t, three, nil))
	drill := b.tab(t, 1920, 1080)
	drill.open(drillServer.URL + "/lobby?lang=kk")
	three.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency, status: alert.Exercise})
	drill.eventually(cards("1"))
	shoot(drill, "lobby-drill.png")
	drill.run(chromedp.EmulateViewport(1080, 1920))
	shoot(drill, "lobby-portrait.png")
	drill.run(chromedp.EmulateViewport(1920, 1080))
	drillServer.CloseClientConnections()
	drillServer.Listener.Close()
	drill.eventually(`!document.getElementById("stale").hidden`)
	shoot(drill, "lobby-stale.png")

	// The same with nothing open: no calm may be claimed.
	idleServer := serve(t, newTestServer(t, newHouse(), nil))
	drill.run(chromedp.Navigate(idleServer.URL + "/lobby"))
	drill.eventually(`!document.getElementById("idle").hidden`)
	idleServer.CloseClientConnections()
	idleServer.Listener.Close()
	drill.eventually(`!document.getElementById("stale").hidden`)
	shoot(drill, "lobby-stale-idle.png")

	wall := b.tab(t, 1600, 900)
	wall.open(srv.URL + "/wall")
	wall.eventually(`document.querySelectorAll(".knob").length === 5`)
	w.set("lamp-204", func(p *WallPoint) { p.On = true })
	w.set("button-gym", func(p *WallPoint) { p.On = true })
	w.set("lamp-canteen", func(p *WallPoint) { p.Unplugged = true })
	wall.eventually(`document.querySelector(".lamp.on") && document.querySelector(".knob.pressed")`)
	shoot(wall, "wall.png")
	index := b.tab(t, 1280, 800)
	index.open(srv.URL + "/")
	shoot(index, "index.png")
}
