//go:build browser

package web

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	qrcode "github.com/skip2/go-qrcode"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
)

// schoolDay rings every 50 minutes, each day, and once more soon.
type schoolDay struct{ soon time.Time }

func (d schoolDay) Day(at time.Time) []timetable.Entry {
	var list []timetable.Entry
	midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, at.Location())
	add := func(at time.Time, name alert.Text) {
		list = append(list, timetable.Entry{ID: at.String(), At: at, Name: name, Bell: true})
	}
	for n := range 7 {
		add(midnight.Add(8*time.Hour+time.Duration(n)*50*time.Minute), text(fmt.Sprintf("Урок %d", n+1), fmt.Sprintf("%d-сабақ", n+1), fmt.Sprintf("Lesson %d", n+1)))
		add(midnight.Add(8*time.Hour+time.Duration(n)*50*time.Minute+40*time.Minute), text("Перемена", "Үзіліс", "Break"))
	}
	if at.Format(time.DateOnly) == d.soon.Format(time.DateOnly) {
		add(d.soon, text("Скоро звонок", "Жақында қоңырау", "A bell soon"))
	}
	slices.SortFunc(list, func(a, b timetable.Entry) int { return a.At.Compare(b.At) })
	return list
}

const helpURL = "https://111.example.kz/kk?from=school-12"

// writeSlides makes a directory of slides.
func writeSlides(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range map[string]string{
		"10-welcome-ru.md": "# Добро пожаловать\n\nРодительское собрание **во вторник в 18:30**, спортивный зал.\n\n- 1–4 классы: 1 этаж\n- 5–9 классы: 2 этаж\n\n[Подробности](https://example.org) у классного руководителя.\n",
		"10-welcome-kk.md": "# Қош келдіңіздер\n\nАта-аналар жиналысы **сейсенбі күні 18:30-да**, спорт залы. <script>x</script>\n",
		"20-menu.md":       "## Меню · Мәзір · Menu\n\n| | |\n|---|---|\n| Борщ | 250 г |\n| Палау | 200 г |\n\n![Флаг](flag.png)\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]color.RGBA{"30-poster.png": {R: 20, G: 120, B: 180, A: 255}, "flag.png": {R: 0, G: 160, B: 190, A: 255}} {
		img := image.NewRGBA(image.Rect(0, 0, 640, 360))
		for i := range img.Pix {
			img.Pix[i] = []uint8{c.R, c.G, c.B, 255}[i%4]
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// lived is a school with everything that a screen can show.
func lived(t testing.TB, h *house, change func(*Options)) *Server {
	t.Helper()
	s := newTestServer(t, h, func(o *Options) {
		o.Timetable = schoolDay{soon: time.Now().Add(12*time.Minute + 30*time.Second)}
		o.Slides, o.SlideFor = writeSlides(t), shortSlide
		o.Site.Helplines = []alert.Helpline{
			{Name: text("Детский телефон доверия 111", "111 балалар сенім телефоны", "Children's helpline 111"), Phone: "111", URL: helpURL},
		}
		o.Site.Screens = []alert.Screen{
			{ID: "hall", Orientation: alert.Landscape}, {ID: "tall", Orientation: alert.Portrait},
			{ID: "kazakh", Languages: []alert.Language{alert.Kazakh}}, {ID: "english", Languages: []alert.Language{alert.English}},
		}
		if change != nil {
			change(o)
		}
	})
	s.shelf.Look()
	s.lookAtTheDay()
	return s
}

// overFor clears an alert as the engine does: the view says that it ended.
func (h *house) overFor(a alert.Alert, ago time.Duration) {
	at := h.now()
	at.Mono -= ago
	h.over(a, alert.Resolved, &at)
}

const lobbyOver = `!document.getElementById("over").hidden`

var screenSizes = map[string][2]int64{"1080p": {1920, 1080}, "portrait": {1080, 1920}, "720p": {1280, 720}, "4k": {3840, 2160}}

// capitals returns the height of a capital letter of each of the words that say
// what to do, in shares of the screen's short side.
const capitals = `[...document.querySelectorAll(".key b")].filter((b) => b.offsetParent).map((b) => {
	const style = getComputedStyle(b), pen = document.createElement("canvas").getContext("2d");
	pen.font = style.fontWeight + " " + style.fontSize + " " + style.fontFamily;
	return pen.measureText("Н").actualBoundingBoxAscent / Math.min(innerWidth, innerHeight);
})`

func TestBrowserKeyWordsAreATenthOfTheScreen(t *testing.T) {
	b := newBrowser(t)
	for _, lang := range alert.Languages() {
		h := newHouse()
		srv := serve(t, lived(t, h, func(o *Options) {
			o.Site.Plans = nil
			o.Site.Kinds = map[alert.Kind]alert.Text{"gas": text("Запах газа", "Газ иісі", "Smell of gas")}
		}))
		p := b.tab(t, 1920, 1080)
		p.open(srv.URL + "/lobby?lang=" + string(lang))
		p.eventually(lobbyIdle)
		var open []alert.Alert
		// One of each response alone, then two and three at once.
		for i, kind := range []alert.Kind{alert.Fire, alert.Intruder, alert.Medical, alert.Stranger, "gas", "two", "three"} {
			if kind == "two" || kind == "three" {
				open = append(open, h.press(raise{kind: alert.Intruder, place: "room-204", level: alert.LevelEmergency}))
				open = append(open, h.press(raise{kind: alert.Medical, place: "gym", level: alert.LevelEmergency}))
				if kind == "three" {
					open = append(open, h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency}))
				}
			} else {
				open = append(open, h.press(raise{kind: kind, place: "gym", level: alert.LevelEmergency}))
			}
			p.eventually(fmt.Sprintf(`document.querySelectorAll(".card:not(.ended)").length === %d`, len(open)))
			lines := map[int]int{1: 3, 2: 4, 3: 6}[len(open)]
			for name, size := range screenSizes {
				p.run(chromedp.EmulateViewport(size[0], size[1]))
				p.eventually(onTheGlass)
				// A browser that has just got another size may not have drawn yet.
				var got []float64
				for tries := 0; tries == 0 || (tries < 20 && (len(got) != lines || slices.Min(got) < 0.1)); tries++ {
					p.run(chromedp.Evaluate(`new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(`+capitals+`))))`, &got,
						func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
				}
				p.eventually(`[...document.querySelectorAll(".keys")].every((keys) => ["ru", "kk"].every((l) => keys.querySelector("[lang=" + l + "]").offsetParent))`)
				if len(got) != lines || slices.Min(got) < 0.1 {
					t.Errorf("%s, %s, %s: capitals %.3f, want %d of a tenth", lang, kind, name, got, lines)
				}
				if i < 2 || len(open) > 1 {
					t.Logf("%s, %s, %s: capitals %.3f", lang, kind, name, got)
				}
				if name == "1080p" || name == "portrait" {
					look(t, p, fmt.Sprintf("alarm-%s-%s-%s.png", kind, lang, name))
				}
			}
			for _, a := range open {
				h.overFor(a, time.Hour) // so long ago that nothing is said of it
			}
			h.change(func(v *alert.View) { v.Ended = nil })
			open = nil
			p.eventually(lobbyIdle)
		}
		p.clean(srv.URL)
	}
}

func TestBrowserDrillAllClearAndCare(t *testing.T) {
	b := newBrowser(t)
	for _, lang := range alert.Languages() {
		h := newHouse()
		srv := serve(t, lived(t, h, nil))
		p := b.tab(t, 1920, 1080)
		p.open(srv.URL + "/lobby?lang=" + string(lang))
		p.eventually(lobbyIdle)
		both := func(name string) {
			t.Helper()
			look(t, p, name+"-"+string(lang)+".png")
			p.run(chromedp.EmulateViewport(1080, 1920))
			p.eventually(`document.documentElement.dataset.shape === "portrait"`)
			look(t, p, name+"-"+string(lang)+"-portrait.png")
			p.run(chromedp.EmulateViewport(1920, 1080))
			p.eventually(`document.documentElement.dataset.shape === "landscape"`)
		}
		drill := h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency, status: alert.Exercise})
		p.eventually(`document.querySelectorAll(".card.exercise .band").length === 2`)
		for _, word := range []string{"УЧЕНИЯ", "ОҚУ ДАБЫЛЫ", "DRILL"} {
			if seen := p.text(".card .band"); !strings.Contains(seen, word) {
				t.Errorf("the band of a drill does not say %s: %q", word, seen)
			}
		}
		both("drill")
		h.overFor(drill, 0)
		p.eventually(lobbyOver + ` && document.querySelector(".ended.exercise")`)
		if seen := p.text("#over"); !strings.Contains(seen, "УЧЕНИЯ ОКОНЧЕНЫ") || !strings.Contains(seen, "ОҚУ ДАБЫЛЫ АЯҚТАЛДЫ") {
			t.Errorf("the end of a drill says %q", seen)
		}
		both("drill-over")
		fire := h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
		p.eventually(`document.querySelectorAll(".card.actual").length === 1 && !(` + lobbyOver + `)`)
		h.overFor(fire, 0)
		p.eventually(lobbyOver + ` && document.querySelector(".ended.actual")`)
		if seen := p.text("#over"); !strings.Contains(seen, "ОТБОЙ") || !strings.Contains(seen, "ҚАУІП ЖОҚ") {
			t.Errorf("the all-clear says %q", seen)
		}
		both("all-clear")
		// The same two minutes later.
		h.change(func(v *alert.View) {
			old := v.Ended[0]
			old.At.Mono -= 3 * time.Minute
			v.Ended = []alert.Ended{old}
		})
		p.eventually(`!document.getElementById("care").hidden`)
		if seen := p.text("#care"); !strings.Contains(seen, "111") || p.eventuallyQR(t, "#care .qr", helpURL) < 0.25 {
			t.Errorf("the page of care says %q", seen)
		}
		both("care")
		h.change(func(v *alert.View) { v.Ended = nil })
		p.eventually(lobbyIdle)
		p.clean(srv.URL)
	}
}

// eventuallyQR compares the modules of a QR code on the glass with those that
// its text must have, and returns its height as a share of the screen's.
func (p *tab) eventuallyQR(t *testing.T, selector, content string) float64 {
	t.Helper()
	p.eventually(`document.querySelector(` + quoteJS(selector) + `)?.getBoundingClientRect().height > 0`)
	var box []float64
	p.run(chromedp.Evaluate(`(() => { const r = document.querySelector(`+quoteJS(selector)+`).getBoundingClientRect(); return [r.x, r.y, r.width, r.height, innerHeight]; })()`, &box))
	img, err := png.Decode(bytes.NewReader(p.picture()))
	if err != nil {
		t.Fatal(err)
	}
	code, err := qrcode.New(content, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	rows := code.Bitmap()
	side := box[2] / float64(len(rows))
	wrong := 0
	for y, row := range rows {
		for x, dark := range row {
			r, g, b, _ := img.At(int(box[0]+(float64(x)+.5)*side), int(box[1]+(float64(y)+.5)*side)).RGBA()
			if (r+g+b < 3*0x8000) != dark {
				wrong++
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d modules of the QR code are wrong", wrong, len(rows)*len(rows))
	}
	return box[3] / box[4]
}

func TestBrowserEveryday(t *testing.T) {
	b := newBrowser(t)
	for _, lang := range alert.Languages() {
		h := newHouse()
		s := lived(t, h, nil)
		srv := serve(t, s)
		p := b.tab(t, 1920, 1080)
		// The browser's clock is years off and in another zone.
		p.run(emulation.SetTimezoneOverride("America/Los_Angeles"), chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := cdppage.AddScriptToEvaluateOnNewDocument(`const Right = Date; Date = class extends Right {
				constructor(...at) { super(...(at.length ? at : [86400000])); }
				static now() { return 86400000; }
			};`).Do(ctx)
			return err
		}))
		p.open(srv.URL + "/lobby?screen=hall&lang=" + string(lang))
		p.eventually(lobbyIdle)
		p.eventually(`document.getElementById("clock").textContent.length === 5`)
		until(t, func() bool { // a minute that begins is shown a moment later
			before := time.Now()
			shown := p.text("#clock")
			return shown == before.Format("15:04") || shown == time.Now().Format("15:04")
		})
		p.eventually(`/^\d\d:\d\d$/.test(document.getElementById("bell-in").textContent)`)
		if share := p.eventuallyQR(t, ".side .qr", helpURL); share < 0.25 {
			t.Errorf("the QR code takes %.2f of the height", share)
		}
		if lang == alert.English {
			p.eventually(`document.querySelector("#slide table") && document.querySelector("#slide img[src^='/slides/']")`)
			look(t, p, "day-menu.png")
			p.eventually(`document.querySelector("#slide > img.picture")`)
			look(t, p, "day-picture.png")
			p.eventually(`document.querySelector("#slide .contact, #slide.contact, .slide.contact")`)
			look(t, p, "day-contact.png")
		} else {
			p.eventually(`document.querySelector("#slide h1")?.textContent.includes("` + map[alert.Language]string{alert.Russian: "Добро пожаловать", alert.Kazakh: "Қош келдіңіздер"}[lang] + `")`)
			look(t, p, "day-"+string(lang)+".png")
			p.run(chromedp.EmulateViewport(1080, 1920))
			p.eventually(`document.documentElement.dataset.shape === "portrait" || true`)
			look(t, p, "day-turned-"+string(lang)+".png")
			p.run(chromedp.Navigate(srv.URL + "/lobby?screen=tall&lang=" + string(lang)))
			p.eventually(lobbyIdle + ` && document.querySelector("#slide h1")`)
			look(t, p, "day-portrait-"+string(lang)+".png")
			if share := p.eventuallyQR(t, ".side .qr", helpURL); share < 0.25 {
				t.Errorf("the QR code takes %.2f of the height", share)
			}
		}
		if n := len(p.text("#slide a")) + len(p.text("script:not([src])")); n != 0 {
			t.Error("a slide brought a link or a script")
		}
		// An alarm stops the slides at once, and asks for nothing.
		p.mu.Lock()
		p.requests = nil
		p.mu.Unlock()
		h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
		p.eventually(`document.querySelectorAll(".card").length === 1 && document.getElementById("idle").hidden`)
		p.clean(srv.URL)
	}
}

// luminance is that of WCAG 2.
func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	lin := func(v uint32) float64 {
		x := float64(v) / 0xffff
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*lin(r) + 0.7152*lin(g) + 0.0722*lin(b)
}

// contrastIn returns the contrast of the two colours that most of a part of
// the picture has.
func contrastIn(img image.Image, r image.Rectangle) float64 {
	seen := make(map[color.RGBA]int)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			seen[color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)]++
		}
	}
	var first, second color.RGBA
	for c, n := range seen {
		switch {
		case n > seen[first]:
			first, second = c, first
		case n > seen[second]:
			second = c
		}
	}
	a, b := luminance(first), luminance(second)
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

func TestBrowserKeyWordsStandOutForEveryEye(t *testing.T) {
	b := newBrowser(t)
	h := newHouse()
	srv := serve(t, lived(t, h, nil))
	p := b.tab(t, 1920, 1080)
	p.open(srv.URL + "/lobby")
	eyes := []emulation.SetEmulatedVisionDeficiencyType{
		emulation.SetEmulatedVisionDeficiencyTypeNone, emulation.SetEmulatedVisionDeficiencyTypeAchromatopsia,
		emulation.SetEmulatedVisionDeficiencyTypeDeuteranopia, emulation.SetEmulatedVisionDeficiencyTypeProtanopia, emulation.SetEmulatedVisionDeficiencyTypeTritanopia,
	}
	check := func(name string) {
		t.Helper()
		p.eventually(`document.querySelector(".key b")?.offsetParent`)
		for _, eye := range eyes {
			p.run(emulation.SetEmulatedVisionDeficiency(eye))
			var boxes [][]float64
			p.run(chromedp.Evaluate(`[...document.querySelectorAll(".key b")].filter((b) => b.offsetParent).map((b) => { const r = b.getBoundingClientRect(); return [r.x, r.y, r.right, r.bottom]; })`, &boxes))
			img, err := png.Decode(bytes.NewReader(p.picture()))
			if err != nil {
				t.Fatal(err)
			}
			for _, box := range boxes {
				r := image.Rect(int(box[0]), int(box[1]), int(box[2]), int(box[3])).Intersect(img.Bounds())
				if c := contrastIn(img, r); c < 7 {
					t.Errorf("%s seen with %s: contrast %.1f, want 7", name, eye, c)
				} else if eye == eyes[0] {
					t.Logf("%s: contrast %.1f", name, c)
				}
			}
			look(t, p, "eye-"+name+"-"+string(eye)+".png")
		}
		p.run(emulation.SetEmulatedVisionDeficiency(eyes[0]))
	}
	for _, status := range []alert.Status{alert.Actual, alert.Exercise, alert.Test} {
		a := h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency, status: status})
		p.eventually(`document.querySelectorAll("#cards .card.` + strings.ToLower(string(status)) + `").length === 1`)
		check("fire-" + string(status))
		h.overFor(a, 0)
		p.eventually(lobbyOver + ` && document.querySelector(".ended.` + strings.ToLower(string(status)) + `")`)
		check("over-" + string(status))
		h.change(func(v *alert.View) { v.Ended = nil })
	}
}

// Nothing changes brightness more than three times a second, and with reduced
// motion nothing moves at all.
func TestBrowserNothingFlashes(t *testing.T) {
	b := newBrowser(t)
	h := newHouse()
	srv := serve(t, lived(t, h, nil))
	p := b.tab(t, 1920, 1080)
	p.open(srv.URL + "/lobby")
	p.eventually(lobbyIdle)
	const rates = `document.getAnimations().map((a) => { const t = a.effect.getComputedTiming(); return t.iterations > 1 ? 1000 * (a.effect.getKeyframes().length - 1) / t.duration : 0; })`
	slow := func(least int) {
		t.Helper()
		var hz []float64
		p.run(chromedp.Evaluate(rates, &hz))
		for _, f := range hz {
			if f > 3 {
				t.Errorf("an animation changes %.1f times a second", f)
			}
		}
		if len(hz) < least {
			t.Errorf("%d animations are seen, want %d: does the test look?", len(hz), least)
		}
	}
	p.eventually(`document.getAnimations().length === 0`) // a calm screen draws nothing without a reason
	h.press(raise{kind: alert.Fire, place: "canteen", level: alert.LevelEmergency})
	h.press(raise{kind: alert.Intruder, place: "gym", level: alert.LevelEmergency})
	p.eventually(`document.querySelectorAll(".card").length === 2 && document.getAnimations().length === 2`) // once all is on the glass
	slow(2)
	p.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}))
	p.eventually(`document.getAnimations().length === 0 && getComputedStyle(document.querySelector(".body")).transitionDuration === "0s"`)
}
