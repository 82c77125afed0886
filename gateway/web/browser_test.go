//go:build browser

package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"nabat/gateway/alert"
	"nabat/gateway/words"
)

// staleWithin is the promise of the page, with nothing added for the test but
// the time for which this machine did not let the browser run.
const staleWithin = 5 * time.Second

// watchForStale has the page note when it says that it knows nothing, and the
// longest time for which none of its timers ran.
func (p *tab) watchForStale() {
	p.t.Helper()
	p.run(chromedp.Evaluate(`(() => {
		const shown = document.getElementById("stale");
		let last = Date.now();
		window.stood = 0;
		setInterval(() => { const now = Date.now(); window.stood = Math.max(window.stood, now - last); last = now; }, 20);
		new MutationObserver(() => { if (!shown.hidden) window.staleAt ??= Date.now(); }).observe(shown, { attributes: true });
	})()`, nil))
}

// staleInTime waits until the page says that it knows nothing, and checks that
// it did so in time after the gateway had fallen silent.
func (p *tab) staleInTime(silent time.Time) {
	p.t.Helper()
	p.eventually(lobbyStale + ` && window.staleAt`)
	var noted []int64
	p.run(chromedp.Evaluate(`[window.staleAt, window.stood]`, &noted))
	d, stood := time.UnixMilli(noted[0]).Sub(silent), time.Duration(noted[1])*time.Millisecond
	p.t.Logf("stale %s after the last word; the browser stood still for %s", d.Round(10*time.Millisecond), stood)
	if d > staleWithin+stood {
		p.t.Errorf("stale after %s", d)
	}
}

// gateway is a server that can die and come back at the same address.
type gateway struct {
	t      *testing.T
	addr   string
	cancel context.CancelFunc
	served chan error
}

func (g *gateway) start(s *Server) {
	g.t.Helper()
	addr := g.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel, g.served = cancel, make(chan error, 1)
	go func() { g.served <- s.Serve(ctx, ln) }()
}

func (g *gateway) stop() {
	g.t.Helper()
	g.cancel()
	if err := <-g.served; err != nil {
		g.t.Error(err)
	}
}

// valve is a cable that can be cut so that neither end notices.
type valve struct {
	ln    net.Listener
	group sync.WaitGroup
	mu    sync.Mutex // guards both
	cut   chan struct{}
	conns []net.Conn
}

func newValve(t *testing.T, backend string) *valve {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{ln: ln, cut: make(chan struct{})}
	close(v.cut) // not cut
	v.group.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", backend)
			if err != nil {
				client.Close()
				continue
			}
			v.mu.Lock()
			v.conns = append(v.conns, client, server)
			v.mu.Unlock()
			v.group.Go(func() { v.pass(server, client) })
			v.group.Go(func() { v.pass(client, server) })
		}
	})
	t.Cleanup(func() {
		v.mend()
		ln.Close()
		v.mu.Lock()
		for _, c := range v.conns {
			c.Close()
		}
		v.mu.Unlock()
		v.group.Wait()
	})
	return v
}

func (v *valve) pass(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		v.mu.Lock()
		cut := v.cut
		v.mu.Unlock()
		<-cut
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (v *valve) freeze() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cut = make(chan struct{})
}

func (v *valve) mend() {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.cut:
	default:
		close(v.cut)
	}
}

const (
	lobbyIdle  = `!document.getElementById("idle").hidden`
	lobbyStale = `!document.getElementById("stale").hidden`
)

func TestBrowserLobby(t *testing.T) {
	b := newBrowser(t)
	h := newHouse()
	g := &gateway{t: t}
	g.start(newTestServer(t, h, nil))
	origin := "http://" + g.addr
	p := b.tab(t, 1920, 1080)
	p.open(origin + "/lobby")
	p.eventually(lobbyIdle)
	p.clean(origin)

	h.press(raise{kind: alert.Bullying, place: "secret", level: alert.LevelHelp})
	h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	p.eventually(`document.querySelectorAll(".card.actual").length === 1`)
	seen := p.text("body")
	for _, word := range []string{"ТРЕВОГА", "ВЫХОДИТЕ", "Пожар", "Столовая", "1 этаж · Главный корпус", "ДАБЫЛ", "ШЫҒЫҢЫЗ", "Өрт", "Асхана", "ALERT", "LEAVE NOW"} {
		if !strings.Contains(seen, word) {
			t.Errorf("the screen does not say %q: %q", word, seen)
		}
	}
	p.eventually(`[...document.querySelectorAll(".other")].some((e) => e.offsetParent && e.innerText.includes("Canteen"))`) // languages take turns
	p.eventually(`document.querySelector("#cards").role === "alert" || document.querySelector("#cards").getAttribute("role") === "alert"`)
	var html string
	p.run(chromedp.OuterHTML("html", &html))
	for _, word := range []string{"Травля", "Буллинг", "психолог"} {
		if strings.Contains(html, word) {
			t.Errorf("the page holds %q of a quiet alert", word)
		}
	}
	// Everything that is said is on the glass; how large is measured elsewhere.
	p.eventually(onTheGlass)
	h.press(raise{kind: alert.Intruder, place: "room-204", level: alert.LevelEmergency})
	h.press(raise{kind: alert.Medical, place: "gym", level: alert.LevelEmergency})
	p.eventually(`document.querySelectorAll(".card").length === 3`)
	p.eventually(onTheGlass)
	p.clean(origin)

	p.watchForStale()
	g.stop()
	p.staleInTime(time.Now())
	seen = p.text("body")
	for _, word := range []string{"Нет связи с системой тревог", "Дабыл жүйесімен байланыс жоқ", "No connection to the alarm system", "Пожар", "00:0"} {
		if !strings.Contains(seen, word) {
			t.Errorf("the stale screen does not say %q: %q", word, seen)
		}
	}

	// Back with nothing open and with new pages: it shows both by itself.
	p.run(chromedp.Evaluate(`window.old = true`, nil))
	newer := newTestServer(t, newHouse(), nil)
	newer.assets.version = "0123456789ab"
	g.start(newer)
	defer g.stop()
	p.eventually(lobbyIdle + ` && !(` + lobbyStale + `)`)
	p.eventually(`window.old === undefined && document.documentElement.dataset.assets === "0123456789ab" && ` + lobbyIdle)
	p.clean(origin, "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
}

// onTheGlass says that every word is inside its card and the screen.
const onTheGlass = `[...document.querySelectorAll(".words *, .band *, .key b")].filter((e) => e.offsetParent).every((e) => {
	const r = e.getBoundingClientRect(), c = (e.closest(".card") ?? document.documentElement).getBoundingClientRect(), slack = r.height * 0.05 + 1;
	return r.left >= c.left - 1 && r.top >= c.top - slack && r.right <= c.right + 1 && r.bottom <= c.bottom + slack;
})`

func TestBrowserLobbyFitsLongWords(t *testing.T) {
	b := newBrowser(t)
	h := newHouse()
	srv := serve(t, newTestServer(t, h, func(o *Options) {
		o.Site.Places["gym"] = alert.Place{ID: "gym", Path: []alert.Text{
			text("Учебно-производственный корпус", "Оқу-өндірістік корпус", "Vocational training building"), text("Цокольный этаж", "Цокольдік қабат", "Basement"),
			text("Электромонтажная мастерская", "Электр-монтаж шеберханасы", "Electrical installation workshop"),
		}}
	}))
	p := b.tab(t, 1920, 1080)
	p.open(srv.URL + "/lobby")
	all := append(alert.Kinds(), "gas")
	for i, kind := range []alert.Kind{alert.Stranger, alert.Medical, alert.MissingChild, alert.Fire, alert.Technical, all[len(all)-1], alert.Help} {
		for _, place := range []string{"gym", "room-207", "gym", "entrance"} {
			h.press(raise{kind: kind, place: place, level: alert.LevelEmergency})
		}
		p.eventually(fmt.Sprintf(`document.querySelectorAll(".card").length === %d`, min(i+1, maxCards)))
		for _, size := range [][2]int64{{1920, 1080}, {1080, 1920}, {1280, 720}, {3840, 2160}} {
			p.run(chromedp.EmulateViewport(size[0], size[1]))
			t.Logf("%d kinds on %d x %d", i+1, size[0], size[1])
			p.eventually(onTheGlass)
			look(t, p, fmt.Sprintf("long-%d-%dx%d.png", i+1, size[0], size[1]))
		}
	}
	p.eventually(`document.querySelector(".more")?.innerText.includes("и ещё 1 тревога")`)
	p.clean(srv.URL)
}

func TestBrowserIdleLobbyBehindACutCableClaimsNothing(t *testing.T) {
	b := newBrowser(t)
	h := newHouse()
	g := &gateway{t: t}
	g.start(newTestServer(t, h, nil))
	defer g.stop()
	cable := newValve(t, g.addr)
	p := b.tab(t, 1280, 720)
	p.open("http://" + cable.ln.Addr().String() + "/lobby?lang=kk")
	p.eventually(lobbyIdle)
	p.watchForStale()
	cable.freeze()
	p.staleInTime(time.Now())
	p.eventually(`!(` + lobbyIdle + `)`)
	if seen := p.text("#screen"); !strings.HasPrefix(strings.TrimSpace(seen), "Экран қазір не болып жатқанын білмейді") {
		t.Errorf("the screen says %q", seen)
	}
	h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	cable.mend()
	p.eventually(`document.querySelectorAll(".card").length === 1 && !(` + lobbyStale + `)`)
}

func TestBrowserConsole(t *testing.T) {
	b := newBrowser(t)
	h := newHouse()
	quiet := h.press(raise{kind: alert.Bullying, place: "secret", level: alert.LevelHelp, truth: alert.TruthSaved, ago: 2 * time.Minute})
	s := newTestServer(t, h, nil)
	srv := serve(t, s)
	// By name and without TLS, as in a school.
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://gateway.test:" + port
	p := b.tab(t, 1440, 900)
	p.open(origin + "/console?lang=kk")
	p.logIn("111111")
	p.eventually(`document.body.innerText.includes("PIN-код қате.")`)
	if seen := p.text("body"); strings.Contains(seen, "Буллинг") {
		t.Errorf("the quiet alert shows without the PIN: %q", seen)
	}
	p.logIn(testPIN)
	p.eventually(`document.querySelectorAll(".alert").length === 1`)
	seen := p.text("main")
	for _, word := range []string{"Буллинг", "Психолог кабинеті", "Үнсіз шақыру", "2 минут бұрын", "Дискіге жазылды, қуат өшсе де жоғалмайды.", "Түймелер мен шамдар", "Байланыс"} {
		if !strings.Contains(seen, word) {
			t.Errorf("the console does not say %q: %q", word, seen)
		}
	}

	// A press by somebody else comes in and is announced.
	h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	p.eventually(`document.querySelector("#announce").textContent.includes("Жаңа дабыл: Өрт, Асхана")`)

	card := `[data-alert="` + quiet.ID + `"]`
	p.run(chromedp.Click(card+" .primary"), chromedp.WaitVisible("#decide-send"), chromedp.Click("#decide-send"))
	p.eventually(`document.querySelector('` + card + ` .people')?.innerText.includes("Кезекші әкімші")`)

	// The journal cannot write: the page says so and the alert stays.
	h.mu.Lock()
	h.broken = io.ErrShortWrite
	h.mu.Unlock()
	p.run(chromedp.Click(card+" .outline"), chromedp.WaitVisible("#decide-outcome"), chromedp.Click("#decide-send"))
	p.eventually(`document.querySelector("#decide-problem").innerText.includes("Немен аяқталғанын көрсетіңіз")`)
	p.run(chromedp.Click(`#decide-outcome input[value="resolved"]`), chromedp.SendKeys(`textarea[name="why"]`, "сөйлестік"), chromedp.Click("#decide-send"))
	p.eventually(`document.querySelector("#decide-problem").innerText.includes("Жазылмады") && document.querySelector('` + card + `')`)
	h.mu.Lock()
	h.broken = nil
	h.mu.Unlock()
	p.run(chromedp.Click("#decide-send"))
	p.eventually(`!document.querySelector('` + card + `') && !document.querySelector("#decide").open && document.querySelectorAll(".alert").length === 1`)
	last := h.decisions()[len(h.decisions())-1]
	if last.Who != "duty" || last.Why != "сөйлестік" || last.Outcome != alert.Resolved || last.Number != quiet.Last.Number {
		t.Errorf("the desk was asked %+v", last)
	}

	// Nobody can act on a page whose link is dead without being told.
	p.run(chromedp.Click(".bar form button"))
	p.eventually(`document.querySelector('input[name="pin"]')`)
	for range 3 {
		p.logIn("222222")
		p.eventually(`document.readyState === "complete" && document.querySelector(".problem")`)
	}
	p.logIn(testPIN)
	p.eventually(`/\d+ секундтан кейін қайталаңыз/.test(document.querySelector(".problem")?.innerText)`)
	p.clean(origin, "status of 403", "status of 429", "status of 503")
}

func TestBrowserConsoleEndsWithItsSession(t *testing.T) {
	b := newBrowser(t)
	s := newTestServer(t, newHouse(), nil)
	srv := serve(t, s)
	p := b.tab(t, 1000, 800)
	p.open(srv.URL + "/console")
	p.logIn(testPIN)
	p.eventually(`document.querySelector("#live")?.dataset.live === "live"`)
	other := b.tab(t, 1000, 800) // the same browser, so the same session
	other.open(srv.URL + "/console")
	other.run(chromedp.Click(".bar form button"))
	p.eventually(`document.querySelector('input[name="pin"]')`)
}

func TestBrowserWall(t *testing.T) {
	b := newBrowser(t)
	w := newTestWall()
	s := newTestServer(t, newHouse(), func(o *Options) { o.Wall = w })
	srv := serve(t, s)
	p := b.tab(t, 1280, 900)
	p.open(srv.URL + "/wall?lang=en")
	p.eventually(`document.querySelectorAll(".knob").length === 5`)
	var at []float64
	p.run(chromedp.Evaluate(`(() => { const r = document.querySelector('[data-button="button-gym"]').getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`, &at))
	mouse := func(kind input.MouseType) chromedp.Action {
		return input.DispatchMouseEvent(kind, at[0], at[1]).WithButton(input.Left).WithClickCount(1)
	}
	p.run(mouse(input.MousePressed))
	until(t, func() bool { return len(w.done()) == 1 })
	p.eventually(`document.querySelector('[data-button="button-gym"]').classList.contains("pressed")`)
	if d := w.done(); d[0] != "press button-gym" || len(d) != 1 {
		t.Fatalf("the wall saw %v while the button is held", d)
	}
	w.set("lamp-gym", func(p *WallPoint) { p.On = true })
	p.eventually(`document.querySelector('[data-lamp="lamp-gym"]').classList.contains("on")`)
	if d := w.done(); len(d) != 1 {
		t.Fatalf("the wall saw %v while the button is held", d)
	}
	p.run(mouse(input.MouseReleased))
	until(t, func() bool { d := w.done(); return len(d) == 2 && d[1] == "release button-gym" })
	// A click faster than any hand is made long enough to count.
	begun := time.Now()
	p.run(mouse(input.MousePressed), mouse(input.MouseReleased))
	until(t, func() bool { d := w.done(); return len(d) == 4 && d[3] == "release button-gym" })
	if d := time.Since(begun); d < 100*time.Millisecond {
		t.Errorf("a click pressed for at most %s", d)
	}
	// And by the keyboard alone.
	p.run(chromedp.Focus(`[data-button="button-204"]`), input.DispatchKeyEvent(input.KeyDown).WithKey(" ").WithCode("Space"))
	until(t, func() bool { d := w.done(); return len(d) == 5 && d[4] == "press button-204" })
	p.run(input.DispatchKeyEvent(input.KeyUp).WithKey(" ").WithCode("Space"))
	until(t, func() bool { d := w.done(); return len(d) == 6 && d[5] == "release button-204" })
	p.run(chromedp.Click(`[data-key="button-204"] .toggle input`))
	until(t, func() bool {
		for _, point := range w.Points() {
			if point.ID == "button-204" {
				return point.Tampered
			}
		}
		return false
	})
	p.clean(srv.URL)
}

// The page counts as the gateway does.
func TestBrowserPlurals(t *testing.T) {
	b := newBrowser(t)
	s := newTestServer(t, newHouse(), nil)
	srv := serve(t, s)
	p := b.tab(t, 800, 600)
	p.open(srv.URL + "/lobby")
	for _, l := range alert.Languages() {
		var got []int
		p.run(chromedp.Evaluate(`import("/static/`+s.assets.version+`/text.js").then((m) => Array.from({length: 1001}, (_, n) => m.form("`+string(l)+`", n)))`,
			&got, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
		for n, form := range got {
			if want := words.Form(l, n); form != want {
				t.Fatalf("%s %d: the page takes form %d, the gateway %d", l, n, form, want)
			}
		}
		if len(got) != 1001 {
			t.Fatalf("%d forms", len(got))
		}
	}
}

// The policy is not only sent, it holds: an inline script, a foreign picture
// and an inline style are refused by a real browser.
func TestBrowserPolicyHolds(t *testing.T) {
	b := newBrowser(t)
	s := newTestServer(t, newHouse(), nil)
	mux := http.NewServeMux()
	mux.Handle("/", s.Handler())
	mux.Handle("/attack", s.protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<html><script>window.hacked = true</script><body style="color: rgb(1, 2, 3)"><img src="http://other.test/x.png" onerror="window.hacked = true"></body></html>`)
	})))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	defer func() {
		srv.Close()
		<-done
	}()
	p := b.tab(t, 800, 600)
	p.open("http://" + ln.Addr().String() + "/attack")
	var result json.RawMessage
	p.run(chromedp.Evaluate(`({hacked: window.hacked === true, color: getComputedStyle(document.body).color})`, &result))
	if string(result) != `{"color":"rgb(0, 0, 0)","hacked":false}` && string(result) != `{"hacked":false,"color":"rgb(0, 0, 0)"}` {
		t.Errorf("the policy let through: %s", result)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.complaints) < 3 {
		t.Errorf("the browser complained of %q only: would the other tests notice a violation?", p.complaints)
	}
}
