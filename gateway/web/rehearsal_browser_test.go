//go:build browser

package web

import (
	"context"
	"strings"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"nabat/gateway/alert"
)

// A calm page draws an alarm where nobody sees it, so that the first one is not
// slow; a page that shows an alarm has no time for it.
func TestBrowserLobbyRehearses(t *testing.T) {
	b := newBrowser(t)
	h := newHouse()
	srv := serve(t, lived(t, h, nil))
	p := b.tab(t, 1280, 720)
	p.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := cdppage.AddScriptToEvaluateOnNewDocument(`window.rehearsed = [];
		new MutationObserver((list) => {
			for (const change of list) for (const node of change.addedNodes) if (node.className === "rehearsal") rehearsed.push(node);
		}).observe(document, { childList: true, subtree: true });`).Do(ctx)
		return err
	}))
	p.open(srv.URL + "/lobby")
	p.eventually(lobbyIdle + ` && rehearsed.length === 1`)
	var got struct {
		Cards int
		Words string
		Left  int
	}
	p.run(chromedp.Evaluate(`({ cards: rehearsed[0].querySelectorAll(".card .key").length, words: rehearsed[0].textContent,
		left: document.querySelectorAll(".rehearsal, .card").length })`, &got))
	if got.Cards != 3 || got.Left != 0 {
		t.Errorf("%d key words were drawn, want one in each language; %d elements are left over", got.Cards, got.Left)
	}
	for _, words := range []string{"Экран тревог на связи", "Дабыл экраны байланыста", "Alert screen connected"} {
		if !strings.Contains(got.Words, words) {
			t.Errorf("%q is not among the words that were drawn: %s", words, got.Words)
		}
	}
	h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	p.eventually(`document.querySelectorAll("#cards .card").length === 1`)
	p.open(srv.URL + "/lobby")
	p.eventually(`document.querySelectorAll("#cards .card").length === 1 && ` + lastPainted)
	var n int
	p.run(chromedp.Evaluate(`rehearsed.length`, &n))
	if n != 0 {
		t.Errorf("a page that shows an alarm rehearsed %d times", n)
	}
}
