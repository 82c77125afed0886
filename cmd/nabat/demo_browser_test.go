//go:build browser

package main

import (
	"context"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// TestBrowserDemoShowsTheWholeCircle presses a button on the wall's page with
// the mouse, and looks at lobby, dispatch and console, all in a real browser.
func TestBrowserDemoShowsTheWholeCircle(t *testing.T) {
	out := &logBuffer{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"demo", "--listen", "127.0.0.1:0", "--desk", "127.0.0.1:0", "--data", t.TempDir()}, out, out)
	}()
	t.Cleanup(func() {
		stop()
		if status := <-ended; status != exitDone {
			t.Errorf("demo ended with %d: %s", status, out)
		}
	})
	told := regexp.MustCompile(`(http://\S+)/wall[\s\S]*PIN (\d+)[\s\S]*(http://\S+)/dispatch`)
	var m []string
	waitUntil(t, "addresses", func() bool { m = told.FindStringSubmatch(out.String()); return m != nil })
	pages, pin, desk := m[1], m[2], m[3]

	browser := startBrowser(t)
	wall, lobby := newTab(browser, t, pages+"/wall?lang=en"), newTab(browser, t, pages+"/lobby?lang=en")
	dispatch, console := newTab(browser, t, desk+"/dispatch?lang=en"), newTab(browser, t, pages+"/console?lang=en")

	eventually(wall, t, `document.querySelector('[data-button="button-204"]') !== null`)
	eventually(lobby, t, `!document.getElementById("idle").hidden`)
	hold(wall, t, `[data-button="button-204"]`, func() {
		eventually(lobby, t, `document.getElementById("cards").innerText.includes("204")`)
	})
	eventually(dispatch, t, `document.querySelector("#alerts .card.emergency.Actual") !== null`)
	eventually(wall, t, `document.querySelector('[data-lamp="lamp-204"]') !== null`)
	eventually(console, t, `document.readyState === "complete"`)
	do(console, t, chromedp.Click(`input[name=role]`), chromedp.SendKeys(`input[name=pin]`, pin), chromedp.Click(`button[type=submit].primary`))
	eventually(console, t, `document.getElementById("alerts")?.innerText.includes("204")`)

	// Dispatch takes it; the command goes back, signed, and the school answers.
	do(dispatch, t, chromedp.Click(`#alerts [data-act=take]`))
	eventually(dispatch, t, `document.querySelector("#alerts [data-act=take]") === null`)
	// Accepted is a lamp that does not blink: lit, and still lit after the
	// longest dark time of the other rhythms.
	eventually(wall, t, `(async () => {
		const lit = () => document.querySelector('[data-lamp="lamp-204"]').classList.contains("on");
		for (const until = performance.now() + 2500; performance.now() < until;) {
			if (!lit()) return false;
			await new Promise((done) => setTimeout(done, 50));
		}
		return true;
	})()`)
	do(dispatch, t, chromedp.Click(`#alerts [data-act=clear]`), chromedp.WaitVisible(`#clear`), chromedp.Click(`#clear input[name=outcome]`), chromedp.SendKeys(`#clear [name=why]`, "the teacher called"), chromedp.Click(`#clear button.primary`))
	eventually(lobby, t, `document.getElementById("cards").hidden && !document.getElementById("over").hidden`)
	eventually(dispatch, t, `!document.getElementById("alerts-none").hidden`)
	eventually(console, t, `!document.getElementById("alerts").innerText.includes("204")`)
}

const chromium = "/usr/bin/chromium"

func startBrowser(t *testing.T) context.Context {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Fatalf("this test needs Chromium (apt-get install chromium): %v", err)
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WindowSize(1600, 1000), chromedp.WSURLReadTimeout(patience))...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(cancel)
	ctx, expire := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(expire)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

func newTab(browser context.Context, t *testing.T, address string) context.Context {
	t.Helper()
	tab, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	do(tab, t, chromedp.Navigate(address))
	return tab
}

func do(tab context.Context, t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(tab, actions...); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a JavaScript expression, or the promise that it is,
// is true.
func eventually(tab context.Context, t *testing.T, expression string) {
	t.Helper()
	waitUntil(t, expression, func() bool {
		var ok bool
		err := chromedp.Run(tab, chromedp.Evaluate(`Promise.resolve(`+expression+`)`, &ok, awaitPromise))
		return err == nil && ok
	})
}

func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// hold keeps the mouse pressed on an element until during returns.
func hold(tab context.Context, t *testing.T, selector string, during func()) {
	t.Helper()
	var at struct{ X, Y float64 }
	do(tab, t, chromedp.Evaluate(`(() => { const r = document.querySelector('`+selector+`').getBoundingClientRect(); return {X: r.x + r.width / 2, Y: r.y + r.height / 2}; })()`, &at))
	do(tab, t, input.DispatchMouseEvent(input.MousePressed, at.X, at.Y).WithButton(input.Left).WithClickCount(1))
	during()
	do(tab, t, input.DispatchMouseEvent(input.MouseReleased, at.X, at.Y).WithButton(input.Left).WithClickCount(1))
}
