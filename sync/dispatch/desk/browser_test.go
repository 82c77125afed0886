//go:build browser

package desk

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"nabat/gateway/alert"
)

// TestBrowserAnAlertFromThePressToItsEnd is an operator's way, and a second
// operator who comes too late.
func TestBrowserAnAlertFromThePressToItsEnd(t *testing.T) {
	w := newTown(t)
	w.heard(school(), time.Now(), 0)
	srv := serve(t, w.desk(nil))
	b := newBrowser(t)
	p := newTab(b, t, 1400, 900)
	p.login(srv.URL, "aigerim", testPassword)
	p.open(srv.URL + "/dispatch?lang=en")
	p.says("No open alerts")
	w.press(press{id: "alert-1", number: 1, kind: alert.Intruder, level: alert.LevelEmergency, ago: 5 * time.Second})
	p.says("Кабинет 204")
	p.says("Nobody has taken it")
	p.eventually(`document.getElementById("announce").textContent.includes("Intruder") && document.title.startsWith("(1)")`)

	// With the keyboard; the second operator comes too late.
	other := enter(t, srv).in("boris", otherSecret)
	token := other.token()
	p.eventually(`document.activeElement?.dataset.act === "take" || (document.querySelector('[data-act="take"]')?.focus(), false)`)
	p.run(chromedp.KeyEvent(kb.Enter))
	p.says("Taken by Айгерим Сапарова")
	if status, body := other.form(one("alert-1")+"/take", nil, "token", token, "number", "1"); status != http.StatusConflict {
		t.Errorf("the second operator: %d %s", status, body)
	}
	p.says("“Taken”: waiting to be sent")
	answer := func(verb int) {
		t.Helper()
		list, err := w.store.CommandsOf(t.Context(), school(), "alert-1", 10)
		if err != nil || len(list) != verb {
			t.Fatalf("%d commands, want %d: %v", len(list), verb, err)
		}
		c := list[0].Claims
		if err := w.store.Published(t.Context(), school(), c.ID, c.Counter); err != nil {
			t.Fatal(err)
		}
		w.send(school(), alert.Event{Type: alert.CommandAccepted, Subject: c.ID, At: alert.Stamp{Wall: time.Now(), Boot: "boot-1", Mono: time.Hour, Synced: true}, Command: c.ID, Counter: c.Counter})
	}
	answer(1)
	p.says("“Taken”: the school has it")

	p.click(`[data-act="team"]`)
	p.run(chromedp.WaitVisible(`#team select`), chromedp.SendKeys(`#team input[name="eta"]`, kb.End+kb.Backspace+kb.Backspace+"7"))
	p.click(`#team .primary`)
	p.says("Группа 3 is on the way")
	p.eventually(`document.querySelector('[data-act="arrived"]') !== null`)

	p.click(`[data-act="clear"]`)
	p.run(chromedp.WaitVisible(`#clear textarea`))
	p.click(`#clear input[value="resolved"]`)
	p.click(`#clear .primary`)
	p.says("Write what happened")
	p.run(chromedp.SendKeys(`#clear textarea`, "the guest has left"))
	p.click(`#clear .primary`)
	p.says("“Close”: waiting to be sent")
	w.send(school(), alert.Event{Type: alert.Cleared, Subject: "alert-1", At: alert.Stamp{Wall: time.Now(), Boot: "boot-1", Mono: time.Hour, Synced: true}, Numbering: "numbering", Number: 1, Kind: alert.Intruder,
		Place: &alert.Location{ID: "room-204"}, Outcome: alert.Resolved, Origin: "dispatch", Who: "aigerim", Why: "the guest has left"})
	p.says("No open alerts")
	// One refusal on purpose: the browser notes it.
	p.clean(srv.URL, "status of 400")
}

func TestBrowserADeadLinkIsSaidAndASessionsEndEmptiesTheScreen(t *testing.T) {
	w := newTown(t)
	w.press(press{id: "alert-1", number: 1, kind: alert.Fire, level: alert.LevelEmergency})
	s := w.desk(nil)
	gate := &frozen{next: s.Handler(), end: make(chan struct{})}
	srv := httptest.NewServer(gate)
	t.Cleanup(func() {
		close(gate.end)
		srv.CloseClientConnections()
		srv.Close()
	})
	b := newBrowser(t)
	p := newTab(b, t, 1400, 900)
	p.login(srv.URL, "boris", otherSecret)
	p.open(srv.URL + "/dispatch?lang=en")
	p.says("Кабинет 204")
	p.eventually(`document.getElementById("live").dataset.live === "live" && document.getElementById("stale").hidden`)

	// The link dies: no answer, no error, no end.
	gate.freeze(true)
	p.eventually(`!document.getElementById("stale").hidden`)
	p.says("No connection to the dispatch service.")
	gate.freeze(false)
	p.eventually(`document.getElementById("stale").hidden && document.getElementById("live").dataset.live === "live"`)

	if err := w.store.SetPassword(t.Context(), "boris", "another secret", "test"); err != nil {
		t.Fatal(err)
	}
	p.says("Your session has ended.")
	p.eventually(`!document.body.innerText.includes("204")`)
	p.clean(srv.URL, "ERR_", "status of 401")
}
