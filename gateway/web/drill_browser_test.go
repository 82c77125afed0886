//go:build browser

package web

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"nabat/gateway/alert"
)

// looks keeps pictures of this file's pages for people to look at.
var looks = flag.String("looks", "", "directory to keep pictures of drills and announcements in")

func look(t *testing.T, p *tab, name string) {
	t.Helper()
	p.eventually(`document.fonts.status === "loaded"`)
	if *looks == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*looks, name), p.picture(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBrowserDrillIsStartedAndEndedByStaff(t *testing.T) {
	b, h := newBrowser(t), newHouse()
	srv := serve(t, newTestServer(t, h, nil))
	lobby := b.tab(t, 1920, 1080)
	lobby.open(srv.URL + "/lobby?lang=kk")
	console := b.tab(t, 1600, 1000)
	console.open(srv.URL + "/console")
	console.logIn(testPIN)
	console.eventually(`!document.getElementById("alerts-none").hidden`)
	console.run(chromedp.Click("#drill-start"),
		chromedp.SetValue(`#drill [name=kind]`, "fire"), chromedp.SetValue(`#drill [name=place]`, "gym"), chromedp.Click("#drill-send"))
	console.eventually(`document.getElementById("drill-confirm").textContent.includes("Пожар, Главный корпус, 1 этаж, Спортивный зал")`)
	if got := h.View().State.Open(); len(got) != 0 {
		t.Fatalf("started before it was confirmed: %+v", got)
	}
	look(t, console, "console-drill-question.png")
	console.run(chromedp.Click("#drill-send"))
	console.eventually(`document.querySelector(".alert.exercise .chip.status-exercise")?.textContent === "Учебная тревога" && !document.getElementById("drill").open`)
	lobby.eventually(`document.querySelector(".card.exercise .band")?.textContent.includes("Оқу дабылы")`)
	look(t, console, "console-drill.png")

	// A real press of the same place and kind stands first, in its own colour;
	// the lobby shows nothing else.
	h.change(func(v *alert.View) {
		loc := testSite().Places["gym"].In(alert.Russian)
		v.State = v.State.Next(alert.Event{
			Type: alert.Raised, Subject: "real", At: h.now(), Numbering: "n2", Number: 2, Kind: alert.Fire, Level: alert.LevelEmergency,
			Status: alert.Actual, Place: &loc, Point: "button-gym", Gesture: alert.Tap,
		})
	})
	lobby.eventually(`document.querySelectorAll(".card").length === 1 && document.querySelector(".card").classList.contains("actual")`)
	console.eventually(`document.querySelectorAll(".alert").length === 2 && document.querySelector(".alert").classList.contains("actual")`)
	look(t, lobby, "lobby-real-during-drill.png")

	console.run(chromedp.Click(".alert.exercise .buttons .outline"))
	console.eventually(`document.getElementById("drill").open && document.getElementById("drill-send").textContent === "Закончить учения"`)
	console.run(chromedp.Click("#drill-send"))
	console.eventually(`document.querySelectorAll(".alert").length === 1 && document.querySelector(".alert").classList.contains("actual")`)
	lobby.eventually(`document.querySelectorAll(".card").length === 1 && document.querySelector(".card").classList.contains("actual")`)
	if d := h.drills; len(d) != 2 || d[0].Who != "duty" || d[0].Kind != alert.Fire || d[1].Place != "gym" {
		t.Errorf("drills %+v", d)
	}
}

func TestBrowserTeamAndAnnouncementsAreShown(t *testing.T) {
	b, h := newBrowser(t), newHouse()
	srv := serve(t, newTestServer(t, h, nil))
	lobby := b.tab(t, 1920, 1080)
	lobby.open(srv.URL + "/lobby")
	lobby.eventually(`!document.getElementById("idle").hidden`)
	notice := func(n alert.Notice) {
		n.For, n.Began, n.Origin, n.Status = 10*time.Minute, h.now(), "dispatch", alert.Actual
		h.change(func(v *alert.View) { v.Notices = append([]alert.Notice{n}, v.Notices...) })
	}
	notice(alert.Notice{ID: "n1", Text: text("Родительское собрание переносится в спортивный зал на 18:30", "Ата-аналар жиналысы 18:30-да спорт залына ауыстырылды", "The parents' meeting moves to the gym at 18:30")})
	lobby.eventually(`!document.getElementById("notices").hidden && document.getElementById("idle").hidden`)
	look(t, lobby, "lobby-notice.png")
	long := strings.Repeat("Оставайтесь в классах и ждите указаний учителя. ", 6)
	notice(alert.Notice{ID: "n2", Text: alert.Text{RU: long, KK: strings.Repeat("Сыныпта қалып, мұғалімнің нұсқауын күтіңіз. ", 6), EN: strings.Repeat("Stay in your classrooms and wait for word. ", 6)}})
	lobby.eventually(`document.querySelectorAll(".notice").length === 2`)
	whole := `(() => { const n = document.getElementById("notices"); return n.scrollHeight <= n.clientHeight + 1 && n.scrollWidth <= n.clientWidth + 1; })()`
	lobby.eventually(whole)
	look(t, lobby, "lobby-notices-long.png")
	a := h.press(raise{kind: alert.Intruder, place: "room-204", level: alert.LevelEmergency, hold: true, ago: 4 * time.Minute, truth: alert.TruthReceived})
	h.say(a, alert.Responding, "Экипаж 7", h.now().Wall.Add(9*time.Minute))
	lobby.eventually(`document.querySelectorAll(".team").length === 3 && document.querySelector(".main .team").offsetParent && document.getElementById("notices").classList.contains("strip")`)
	lobby.eventually(whole)
	lobby.eventually(`[...document.querySelectorAll(".notice")].every((n) => n.querySelectorAll("p.on").length === 1)`)
	look(t, lobby, "lobby-team.png")
	console := b.tab(t, 1600, 1000)
	console.open(srv.URL + "/console")
	console.logIn(testPIN)
	console.eventually(`document.querySelector(".people")?.textContent.includes("Группа в пути: Экипаж 7, ожидается в ") && document.querySelectorAll("article.notice").length === 2`)
	h.say(a, alert.Arrived, "Экипаж 7", time.Time{})
	console.eventually(`document.querySelector(".people")?.textContent.includes("Группа на месте: Экипаж 7")`)
	lobby.eventually(`document.querySelector(".main .team")?.textContent === "Помощь на месте"`)
	look(t, console, "console-team.png")
	h.change(func(v *alert.View) { v.Notices = nil })
	lobby.eventually(`document.getElementById("notices").hidden`)
	console.eventually(`document.getElementById("notices-panel").hidden`)
}
