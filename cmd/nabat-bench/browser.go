package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// page is one page in a real browser.
type page struct {
	ctx    context.Context
	cancel func()
}

// patience bounds every question to the page.
const patience = 20 * time.Second

// openPage starts Chromium and opens an address in it.
func openPage(ctx context.Context, b *bench, address string) (*page, error) {
	program, err := need("chromium", "chromium")
	if err != nil {
		return nil, err
	}
	dir, err := b.folder("browser")
	if err != nil {
		return nil, err
	}
	alloc, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(dir),
		chromedp.WindowSize(1920, 1080),
		chromedp.WSURLReadTimeout(time.Minute),
	)...)
	// Chromium's own complaints are about its surroundings, not about the page.
	tab, cancel := chromedp.NewContext(alloc, chromedp.WithErrorf(log.New(io.Discard, "", 0).Printf))
	p := &page{ctx: tab, cancel: func() { cancel(); stop() }}
	// A tab in the background draws nothing.
	if err := chromedp.Run(tab, chromedp.EmulateViewport(1920, 1080), chromedp.Navigate(address), cdppage.BringToFront()); err != nil {
		p.close()
		return nil, fmt.Errorf("open %s in Chromium: %w", address, err)
	}
	err = until(ctx, patience, "the lobby page hears the gateway", func() (ok bool, err error) {
		err = p.ask(ctx, `!document.getElementById("idle").hidden`, &ok)
		return ok, err
	})
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *page) close() { p.cancel() }

// ask evaluates an expression; a promise is waited for.
func (p *page) ask(ctx context.Context, expression string, answer any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	wait := func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }
	if err := chromedp.Run(limited, chromedp.Evaluate(expression, answer, wait)); err != nil {
		return fmt.Errorf("ask the page: %w", err)
	}
	return nil
}

// expect makes the page note the next thing that it paints.
func (p *page) expect(ctx context.Context) error {
	const script = `window.nabatNext = new Promise((yes) => {
		const seen = new PerformanceObserver((list) => {
			for (const mark of list.getEntriesByName("nabat-painted")) {
				seen.disconnect();
				yes({ at: performance.timeOrigin + mark.startTime, cards: document.querySelectorAll("#cards article").length });
				return;
			}
		});
		seen.observe({ type: "mark" });
	}); true`
	var ok bool
	return p.ask(ctx, script, &ok)
}

// painted returns when, by the page's clock, it painted what expect waits for,
// and how many alerts it shows.
func (p *page) painted(ctx context.Context) (at time.Time, cards int, err error) {
	var mark struct {
		At    float64 `json:"at"`
		Cards int     `json:"cards"`
	}
	err = p.ask(ctx, "window.nabatNext", &mark)
	return pageTime(mark.At), mark.Cards, err
}

// pageTime translates milliseconds since 1970.
func pageTime(ms float64) time.Time { return time.UnixMicro(int64(ms * 1000)) }

// twoFrames returns how long the page takes for two frames.
func (p *page) twoFrames(ctx context.Context) (time.Duration, error) {
	const script = `new Promise((yes) => {
		const begun = performance.now();
		requestAnimationFrame(() => requestAnimationFrame(() => yes(performance.now() - begun)));
	})`
	var ms float64
	err := p.ask(ctx, script, &ms)
	return time.Duration(ms * 1e6), err
}

// offset returns how far the page's clock is ahead of ours, and how well that
// is known: the quickest of several answers says most.
func (p *page) offset(ctx context.Context) (ahead, within time.Duration, err error) {
	within = time.Hour
	for range 20 {
		var ms float64
		before := time.Now()
		if err := p.ask(ctx, "performance.timeOrigin + performance.now()", &ms); err != nil {
			return 0, 0, err
		}
		trip := time.Since(before)
		if trip/2 < within {
			within = trip / 2
			ahead = pageTime(ms).Sub(before.Add(trip / 2))
		}
	}
	return ahead, within, nil
}
