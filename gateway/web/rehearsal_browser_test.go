//go:build browser

package web

import (
	"context"
	"fmt"
	"math"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
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
	// The last of them is the drill; the one before it asks for something else.
	var got struct {
		Keys, Left int
		Status     string
	}
	p.run(chromedp.Evaluate(`({ keys: rehearsed[0].querySelectorAll(".card .key").length, status: rehearsed[0].querySelector(".card").className,
		left: document.querySelectorAll(".rehearsal, .card").length })`, &got))
	if got.Keys != 3 || got.Left != 0 || got.Status != "card exercise" {
		t.Errorf("the last that was drawn: %q with %d key words, want a drill with one in each language; %d elements are left over", got.Status, got.Keys, got.Left)
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

// A rehearsal that fails leaves nothing behind, and is no mistake that the page
// would load itself anew for.
func TestBrowserRehearsalThatFails(t *testing.T) {
	b := newBrowser(t)
	srv := serve(t, newTestServer(t, newHouse(), nil))
	p := b.tab(t, 640, 360)
	p.open(srv.URL + "/lobby")
	p.eventually(lobbyIdle)
	for _, wrong := range []string{`{`, `[{}]`, `null`} {
		var left int
		p.run(chromedp.Evaluate(fmt.Sprintf(`import(document.querySelector('link[href*="lobby-rehearsal.js"]').href).then(({ rehearse }) => {
			const screen = document.getElementById("screen");
			screen.dataset.rehearsal = %q;
			try { rehearse(screen); } catch { return 1000; }
			return document.querySelectorAll(".rehearsal").length;
		})`, wrong), &left, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
		if left != 0 {
			t.Errorf("with %s it throws, or leaves its stage in the page: %d", wrong, left)
		}
	}
}

// What is made smaller ends at the largest step that fits, or at the smallest.
func TestBrowserShrink(t *testing.T) {
	b := newBrowser(t)
	srv := serve(t, newTestServer(t, newHouse(), nil))
	p := b.tab(t, 640, 360)
	p.open(srv.URL + "/lobby")
	p.eventually(lobbyIdle)
	for _, limit := range []float64{2, 1, 0.999, 0.94, 0.9, 0.5, 0.31, 0.3, 0} {
		var got struct{ Size, Asked float64 }
		p.run(chromedp.Evaluate(fmt.Sprintf(`import(document.querySelector('link[href*="lobby-alarm.js"]').href).then(({ shrink }) => {
			const box = document.createElement("p"), size = () => Number(box.style.getPropertyValue("--x") || 1);
			box.style.setProperty("--x", "0.500");
			let asked = 0;
			shrink(box, "--x", () => { asked = size(); return size() > %v; });
			return { size: size(), asked };
		})`, limit), &got, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
		want := 1.0
		for want > limit && want*0.94 > 0.3 {
			want *= 0.94
		}
		if math.Abs(got.Size-want) > 0.0006 || got.Size != got.Asked {
			t.Errorf("what fits at %v got the size %v, looked at %v last, want %.3f", limit, got.Size, got.Asked, want)
		}
	}
}
