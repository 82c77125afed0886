//go:build browser

package web

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"nabat/gateway/alert"
)

// lastPainted is the state that the page drew last.
const lastPainted = `performance.getEntriesByName("nabat-painted").at(-1)?.detail.id`

// BenchmarkLobbyPaint measures from the change of the view in the gateway to
// the second frame after the lobby page drew it, in a real Chromium on the
// same machine, so both ends read the same clock. It reports p50 and p99.
func BenchmarkLobbyPaint(b *testing.B) {
	browser := newBrowser(b)
	h := newHouse()
	s := newTestServer(b, h, nil)
	srv := serve(b, s)
	p := browser.tab(b, 1920, 1080)
	p.open(srv.URL + "/lobby")
	p.eventually(lastPainted + ` && ` + lobbyIdle)
	var took []time.Duration
	for b.Loop() {
		var before string
		p.run(chromedp.Evaluate(lastPainted, &before))
		begun := time.Now()
		a := h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
		took = append(took, painted(b, p, before, begun))
		p.run(chromedp.Evaluate(lastPainted, &before))
		if err := h.Clear(b.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number}); err != nil {
			b.Fatal(err)
		}
		painted(b, p, before, begun)
	}
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[min(int(q*float64(len(took))), len(took)-1)].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op") // the loop waits for the browser's answers too
}

// painted waits for the next paint and returns when it was, after begun.
func painted(b *testing.B, p *tab, before string, begun time.Time) time.Duration {
	b.Helper()
	p.eventually(lastPainted + ` !== ` + strconv.Quote(before))
	var at float64 // milliseconds since 1970
	p.run(chromedp.Evaluate(`performance.timeOrigin + performance.getEntriesByName("nabat-painted").at(-1).startTime`, &at))
	return time.UnixMicro(int64(at * 1000)).Sub(begun.Round(0))
}
