//go:build browser

package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/memory"
	cdppage "github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"nabat/gateway/alert"
	"nabat/gateway/web/screens"
	"nabat/gateway/web/staff"
)

// compressed replaces the page's clock and timers before anything else runs:
// time passes with the gateway's beats, two seconds with each, and a little
// while nothing is heard. All timers that are due run, in their order, so that
// the page does in a minute what it does in a day.
const compressed = `(() => {
	const real = { setInterval: setInterval.bind(window), EventSource, now: performance.now.bind(performance) };
	let now = 0, next = 1, heard = real.now();
	const begun = Date.now(), due = new Map();
	const add = (act, delay, every) => { due.set(next, { act, at: now + Math.max(Number(delay) || 0, 1), every }); return next++; };
	window.setTimeout = (act, delay, ...args) => add(() => act(...args), delay, 0);
	window.setInterval = (act, delay, ...args) => add(() => act(...args), delay, Math.max(Number(delay) || 0, 1));
	window.clearTimeout = window.clearInterval = (id) => { due.delete(id); };
	window.requestAnimationFrame = (act) => add(() => act(now), 16, 0);
	window.cancelAnimationFrame = (id) => { due.delete(id); };
	performance.now = () => now;
	Date.now = () => begun + now;
	window.pass = (ms) => {
		for (const end = now + ms; ;) {
			let first = 0, when = end;
			for (const [id, timer] of due) if (timer.at <= when && (first === 0 || timer.at < when)) { first = id; when = timer.at; }
			if (first === 0) { now = end; return; }
			const timer = due.get(first);
			now = Math.max(now, timer.at);
			if (timer.every) timer.at = now + timer.every; else due.delete(first);
			timer.act();
		}
	};
	window.lived = () => now;
	window.timers = () => due.size;
	window.EventSource = class extends real.EventSource {
		constructor(...args) { super(...args); super.addEventListener("beat", () => { heard = real.now(); window.pass(2000); }); }
	};
	real.setInterval(() => { if (real.now() - heard > 40) window.pass(250); }, 20);
})()`

// weight is what a page holds after the browser has thrown away what it can.
type weight struct {
	heap             float64
	nodes, listeners int64
}

func (p *tab) weigh() weight {
	p.t.Helper()
	var w weight
	p.run(chromedp.ActionFunc(func(ctx context.Context) error {
		for range 3 {
			if err := heapprofiler.CollectGarbage().Do(ctx); err != nil {
				return err
			}
		}
		used, _, _, _, err := cdpruntime.GetHeapUsage().Do(ctx)
		if err != nil {
			return err
		}
		w.heap = used
		_, w.nodes, w.listeners, err = memory.GetDOMCounters().Do(ctx)
		return err
	}))
	return w
}

// beatsATime is how many beats follow each other where nothing happens.
const beatsATime = 5

// A proof takes real time, two frames of it, of which such a day has too little:
// it stands still for one, a little where there have been enough of them, and
// longer where the machine is slow.
const (
	proofWithin     = 8 * time.Millisecond
	slowProofWithin = 150 * time.Millisecond
	// proofEach is how much of the day has one proof at least.
	proofEach = 85 * time.Second
)

// dayAtOnce is a gateway's stream that says a day's worth in a minute: beats as
// fast as the page takes them, and every now and then something happens.
type dayAtOnce struct {
	t     *testing.T
	house *house
	srv   *Server
	tick  chan struct{} // one word for each beat that is allowed
	beats atomic.Int64
}

// now is the time of the page, as its beats have told it.
func (d *dayAtOnce) now() time.Time {
	return time.Unix(0, 0).Add(time.Duration(d.beats.Load()) * beatEvery)
}

// events sends what the real stream sends, without its pauses.
func (d *dayAtOnce) events(w http.ResponseWriter, r *http.Request) {
	f, _, _ := d.srv.feedFor(r)
	page, err := d.srv.screens.Open(f.screen, wallHost(r))
	if err != nil {
		d.t.Error(err)
		return
	}
	defer page.Close()
	rc := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	last := r.URL.Query().Get("last_event_id")
	for range 400 { // then the connection breaks, 20 times a day and more
		m := message{Now: d.house.now().Mono.Milliseconds(), Assets: d.srv.assets.version, Page: page.Secret()}
		state, err := f.state(d.house.now(), false)
		if err != nil {
			d.t.Error(err)
			return
		}
		page.Sent(state.id)
		if state.id != last {
			last, m.State = state.id, state.body
			if send(w, rc, "state", state.id, m) != nil {
				return
			}
			m.State = nil
		}
		select {
		case <-d.tick:
		case <-r.Context().Done():
			return
		}
		for range beatsATime {
			d.beats.Add(1)
			if send(w, rc, "beat", "", m) != nil {
				return
			}
		}
	}
}

func TestBrowserLobbyLivesThroughADay(t *testing.T) {
	const day = 24 * time.Hour
	h := newHouse()
	s := newTestServer(t, h, func(o *Options) { o.Site.Screens = []alert.Screen{{ID: "hall", Watched: true}} })
	d := &dayAtOnce{t: t, house: h, srv: s, tick: make(chan struct{})}
	s.screens = screens.New(screens.Options{Site: s.opt.Site, Now: d.now})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/events", d.events)
	proved := make(chan struct{}, 1)
	mux.HandleFunc("POST /api/v1/screens/", func(w http.ResponseWriter, r *http.Request) {
		s.Handler().ServeHTTP(w, r)
		select {
		case proved <- struct{}{}:
		default:
		}
	})
	mux.Handle("/", s.Handler())
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	b := newBrowser(t)
	p := b.tab(t, 640, 360) // a small screen is painted quickly
	p.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := cdppage.AddScriptToEvaluateOnNewDocument(compressed).Do(ctx)
		return err
	}))
	p.open(srv.URL + "/lobby?screen=hall")
	p.eventually(lobbyIdle + ` || document.getElementById("connecting").hidden === false`)

	lived := func() time.Duration {
		var ms float64
		p.run(chromedp.Evaluate(`window.lived()`, &ms))
		return time.Duration(ms) * time.Millisecond
	}
	// until goes on with the day: something is raised, announced and ended
	// again, over and over, while the page's time passes.
	raised, kinds := 0, []alert.Kind{alert.Fire, alert.Intruder, alert.Medical}
	wait := time.NewTimer(proofWithin)
	defer wait.Stop()
	proofs := func() int64 { return int64(s.counters.proofs.Load() + s.counters.proofsRefused.Load()) }
	live := func(until time.Duration) {
		t.Helper()
		for lived() < until {
			for i := range 100 {
				select {
				case d.tick <- struct{}{}:
				case <-b.ctx.Done():
					t.Fatalf("the day ended early, with %d alerts and %d proofs", raised, proofs())
				}
				patient := proofWithin
				if time.Duration(proofs())*proofEach < d.now().Sub(time.Unix(0, 0)) {
					patient = slowProofWithin
				}
				wait.Reset(patient)
				select {
				case <-proved:
				case <-wait.C:
				}
				switch i % 20 {
				case 1:
					h.press(raise{kind: kinds[raised%3], place: []string{"gym", "canteen"}[raised%2], level: alert.LevelEmergency})
					raised++
				case 5:
					h.change(func(v *alert.View) {
						v.Notices = []alert.Notice{{ID: fmt.Sprint(raised), Text: text("Сбор в зале", "Залға жиналыңыздар", "Meet in the hall"), Began: h.now(), For: time.Minute, Status: alert.Actual}}
					})
				case 10:
					h.change(func(v *alert.View) { v.Notices = nil })
				case 14:
					for _, a := range h.View().State.Open() {
						if err := h.Clear(b.ctx, alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.Resolved}); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
	}
	begun := time.Now()
	live(day / 12)
	p.eventually(lobbyIdle)
	young := p.weigh()
	live(day/12 + day)
	p.eventually(lobbyIdle)
	old := p.weigh()
	all, refused := proofs(), s.counters.proofsRefused.Load()
	t.Logf("%v lived in %v, %d alerts, %d proofs (%d of them too often): heap %.0f -> %.0f KiB, %d -> %d nodes, %d -> %d listeners",
		lived().Round(time.Minute), time.Since(begun).Round(time.Second), raised, all, refused, young.heap/1024, old.heap/1024, young.nodes, old.nodes, young.listeners, old.listeners)
	for what, pair := range map[string][2]float64{
		"heap": {young.heap, old.heap}, "nodes": {float64(young.nodes), float64(old.nodes)}, "listeners": {float64(young.listeners), float64(old.listeners)},
	} {
		if pair[1] > 1.1*pair[0] {
			t.Errorf("%s grew from %.0f to %.0f in a day", what, pair[0], pair[1])
		}
	}
	if raised < 100 || all < 1000 {
		t.Errorf("the day was empty: %d alerts, %d proofs", raised, all)
	}
	var timers int
	p.run(chromedp.Evaluate(`window.timers()`, &timers))
	if timers > 40 {
		t.Errorf("%d timers wait", timers)
	}
}

func wallHost(r *http.Request) netip.Addr { return staff.Peer(address(r)) }
