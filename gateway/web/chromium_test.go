//go:build browser

package web

import (
	"context"
	"log"
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

// browser is a real Chromium; a missing one is a failure with the remedy.
type browser struct {
	ctx context.Context
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	if _, err := os.Stat(chromiumPath); err != nil {
		t.Fatalf("the browser tests need Chromium (apt-get install -y chromium): %v", err)
	}
	profile, err := os.MkdirTemp("", "nabat-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromiumPath), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("hide-scrollbars", true),
		// A school's gateway has a name and no TLS: to a browser that is not a
		// secure origin, unlike loopback, and it sends other headers there.
		chromedp.Flag("host-resolver-rules", "MAP gateway.test 127.0.0.1"),
		chromedp.UserDataDir(profile),
		chromedp.WindowSize(1920, 1080),
		chromedp.WSURLReadTimeout(60*time.Second),
	)
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(alloc, chromedp.WithErrorf(log.New(testWriter{t}, "", 0).Printf))
	ctx, expire := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(func() {
		expire()
		cancel()
		stop()
		// Its helpers write for a moment after the browser has ended, which
		// t.TempDir would call a failure.
		until(t, func() bool { return os.RemoveAll(profile) == nil })
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start %s: %v", chromiumPath, err)
	}
	return &browser{ctx: ctx}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) { return len(b), nil }

// tab is one page with everything that it asked for and complained about.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex // guards all below
	requests   []string
	complaints []string
}

func (b *browser) tab(t testing.TB, width, height int64) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
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
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				p.complaints = append(p.complaints, "console: "+string(e.Type))
			}
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
			p.t.Fatalf("not within %s: %s (%v); the page says: %q", patience, expression, err, p.text("body"))
		}
	}
}

// text returns what a person sees of an element.
func (p *tab) text(selector string) string {
	p.t.Helper()
	var s string
	p.run(chromedp.Evaluate(`document.querySelector(`+quoteJS(selector)+`)?.innerText ?? ""`, &s))
	return s
}

func (p *tab) picture() []byte {
	p.t.Helper()
	var png []byte
	p.run(chromedp.CaptureScreenshot(&png))
	return png
}

// clean fails when the page asked another host for anything, or when anything
// was complained about that contains none of the expected words.
func (p *tab) clean(origin string, expected ...string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	own, err := url.Parse(origin)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range p.requests {
		if u, err := url.Parse(r); err != nil || (u.Scheme != "about" && u.Host != own.Host) {
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

func quoteJS(s string) string { return "`" + strings.ReplaceAll(s, "`", "\\`") + "`" }

// logIn fills the login page as a duty adult.
func (p *tab) logIn(pin string) {
	p.t.Helper()
	p.run(chromedp.WaitVisible(`input[name="pin"]`), chromedp.Click(`input[value="duty"]`), chromedp.SendKeys(`input[name="pin"]`, pin),
		chromedp.Evaluate(`window.before = true`, nil), chromedp.Click(`main button`))
	p.eventually(`window.before === undefined && document.readyState === "complete"`)
}
