//go:build browser

package desk

import (
	"context"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const chromiumPath = "/usr/bin/chromium"

// patience is how long a browser on a loaded machine may take for anything.
const patience = 45 * time.Second

// newBrowser starts a real Chromium; a missing one is a failure with the remedy.
func newBrowser(t testing.TB) context.Context {
	t.Helper()
	if _, err := os.Stat(chromiumPath); err != nil {
		t.Fatalf("the browser tests need Chromium (apt-get install -y chromium): %v", err)
	}
	profile, err := os.MkdirTemp("", "nabat-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromiumPath), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.UserDataDir(profile), chromedp.WindowSize(1600, 1000), chromedp.WSURLReadTimeout(60*time.Second))...)
	ctx, cancel := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	ctx, expire := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(func() {
		expire()
		cancel()
		stop()
		// Its helpers write for a moment after the browser has ended.
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		deadline := time.NewTimer(patience)
		defer deadline.Stop()
		for os.RemoveAll(profile) != nil {
			select {
			case <-tick.C:
			case <-deadline.C:
				t.Errorf("the browser's profile %s cannot be removed", profile)
				return
			}
		}
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start %s: %v", chromiumPath, err)
	}
	return ctx
}

// tab is one page with everything that it asked for and complained about.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex // guards both
	requests   []string
	complaints []string
}

func newTab(browser context.Context, t testing.TB, width, height int64) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			p.requests = append(p.requests, e.Request.URL)
		case *runtime.EventExceptionThrown:
			p.complaints = append(p.complaints, "exception: "+e.ExceptionDetails.Error())
		case *cdplog.EventEntryAdded:
			if e.Entry.Level == cdplog.LevelError || e.Entry.Level == cdplog.LevelWarning {
				p.complaints = append(p.complaints, e.Entry.Text+" "+e.Entry.URL)
			}
		}
	})
	p.run(network.Enable(), cdplog.Enable(), runtime.Enable(), chromedp.EmulateViewport(width, height))
	return p
}

func (p *tab) run(actions ...chromedp.Action) {
	p.t.Helper()
	if err := chromedp.Run(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *tab) open(address string) {
	p.t.Helper()
	// A tab in the background is hidden to itself: it draws nothing.
	p.run(cdppage.BringToFront(), chromedp.Navigate(address))
}

// eventually waits until a JavaScript expression is true. It asks again after
// an error too: the page may just be on its way to another one.
func (p *tab) eventually(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var ok bool
		err := chromedp.Run(ctx, chromedp.Evaluate("!!("+expression+")", &ok))
		if err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			var body string
			_ = chromedp.Run(p.ctx, chromedp.Evaluate(`document.body.innerText`, &body))
			p.t.Fatalf("not in time: %s (%v); the page says: %q; complaints %q", expression, err, body, p.complaints)
		}
	}
}

// says waits until the page shows a text.
func (p *tab) says(text string) {
	p.t.Helper()
	p.eventually("document.body.innerText.includes(" + quote(text) + ")")
}

func (p *tab) picture() []byte {
	p.t.Helper()
	var png []byte
	p.eventually(`document.fonts.status === "loaded"`)
	p.run(chromedp.CaptureScreenshot(&png))
	return png
}

// clean fails when the page asked another host for anything, or when the
// browser complained of anything that contains none of the expected words.
func (p *tab) clean(origin string, expected ...string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	own, err := url.Parse(origin)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range p.requests {
		if u, err := url.Parse(r); err != nil || (u.Scheme != "about" && u.Scheme != "data" && u.Host != own.Host) {
			p.t.Errorf("request to another origin: %s", r)
		}
	}
complaints:
	for _, c := range p.complaints {
		for _, e := range expected {
			if strings.Contains(c, e) {
				continue complaints
			}
		}
		p.t.Errorf("the browser complained: %s", c)
	}
}

func quote(s string) string { return "`" + strings.ReplaceAll(s, "`", "\\`") + "`" }

func (p *tab) login(base, name, password string) {
	p.t.Helper()
	p.open(base + "/dispatch/login")
	p.run(chromedp.WaitVisible(`input[name="name"]`), chromedp.SendKeys(`input[name="name"]`, name), chromedp.SendKeys(`input[name="password"]`, password),
		chromedp.Submit(`main form`))
	p.eventually(`document.documentElement.dataset.page === "alerts" && document.readyState === "complete"`)
}

// click clicks what is there at that moment: a card may be built anew between
// the looking and the clicking.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.eventually(`(() => { const e = document.querySelector(` + quote(selector) + `); e?.click(); return e; })()`)
}
