package hallway

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"periph.io/x/conn/v3/display"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/timetable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a site with whatever happens in it.
type house struct {
	mu      sync.Mutex
	view    alert.View
	loaded  bool
	number  uint64
	changed chan struct{}
	stamp   func() alert.Stamp
}

func newHouse() *house {
	return &house{loaded: true, changed: make(chan struct{}), stamp: func() alert.Stamp {
		return alert.Stamp{Wall: time.Date(2026, 11, 23, 12, 45, 7, 0, time.UTC), Synced: true}
	}}
}

func (h *house) View() *alert.View {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.loaded {
		return nil
	}
	v := h.view
	return &v
}

func (h *house) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

func (h *house) do(f func(v *alert.View)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.view)
	h.view.Open = h.view.State.Open()
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *house) press(kind alert.Kind, level alert.Level, status alert.Status, place string) {
	h.do(func(v *alert.View) {
		h.number++
		v.State = v.State.Next(alert.Event{
			Type: alert.Raised, Subject: fmt.Sprint("alert-", h.number), Numbering: "n", Number: h.number,
			Kind: kind, Level: level, Status: status, Place: &alert.Location{ID: place, Path: []string{place}},
		})
	})
}

// clear closes everything.
func (h *house) clear() {
	h.do(func(v *alert.View) {
		for _, a := range v.State.Open() {
			if a.Level() == alert.LevelEmergency {
				v.Ended = append([]alert.Ended{{Alert: a, Outcome: alert.Resolved}}, v.Ended...)
			}
			v.State = v.State.Next(alert.Event{
				Type: alert.Cleared, Numbering: "n", Number: a.Last.Number, Kind: a.Kind, Place: &a.Place, Outcome: alert.Resolved,
			})
		}
	})
}

func testSite() *alert.Site {
	place := func(id, ru, kk, en string) alert.Place {
		return alert.Place{ID: id, Path: []alert.Text{{RU: "Школа", KK: "Мектеп", EN: "School"}, {RU: ru, KK: kk, EN: en}}}
	}
	return &alert.Site{
		ID: "school-12", Gateway: "main", Name: alert.Text{RU: "Школа 12", KK: "12-мектеп", EN: "School 12"}, Language: alert.Kazakh,
		Places: map[string]alert.Place{
			"room-204": place("room-204", "Кабинет 204", "204-кабинет", "Room 204"),
			"canteen":  place("canteen", "Столовая", "Асхана", "Canteen"),
			"secret":   place("secret", "Кабинет психолога", "Психолог кабинеті", "Counsellor"),
		},
		Kinds: map[alert.Kind]alert.Text{"gas": {RU: "Запах газа", KK: "Газ иісі", EN: "Smell of gas"}},
		Plans: []alert.Plan{
			{Kind: alert.Fire, Level: alert.LevelEmergency, Screens: []string{alert.Everywhere}, ShowPlace: true, Zones: []string{alert.Everywhere}, Response: alert.Evacuate},
			{Kind: alert.Violence, Level: alert.LevelEmergency, Zones: []string{"gym"}, Response: alert.Shelter},
			{Kind: alert.Stranger, Level: alert.LevelEmergency, Screens: []string{"guard"}, ShowPlace: true, Response: alert.Monitor},
			// A plan that is wrong: nothing quiet is shown, whatever it says.
			{Kind: alert.Help, Level: alert.LevelHelp, Screens: []string{alert.Everywhere}, ShowPlace: true, Zones: []string{alert.Everywhere}},
			{Kind: "gas", Level: alert.LevelEmergency, Screens: []string{alert.Everywhere}, Response: alert.Evacuate,
				Instruction: alert.Text{RU: "Не включайте свет", KK: "Жарықты қоспаңыз", EN: "Do not switch lights on"}},
		},
	}
}

// canvas stands in for a display, because tests of the loop need one that
// breaks at a moment of their choice; the real drivers, over the kernel's buses,
// run in hw/guest/displays.
type canvas struct {
	size  image.Point
	cell  image.Point
	pace  time.Duration
	model color.Model

	mu     sync.Mutex
	img    *image.RGBA
	frames []*image.RGBA
	times  []time.Time
	opens  int
	closed int
	halted int
	calls  int // in flight
	most   int // in flight at once
	fail   error
	panics bool
	hang   chan struct{} // calls wait until it is closed
}

var errUnplugged = errors.New("unplugged")

func newCanvas(width, height int) *canvas {
	return &canvas{size: image.Pt(width, height), model: color.GrayModel}
}

func (c *canvas) enter() error {
	c.mu.Lock()
	c.calls++
	c.most = max(c.most, c.calls)
	hang, fail, panics := c.hang, c.fail, c.panics
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls--
	}()
	if hang != nil {
		<-hang
	}
	if panics {
		panic("index out of range")
	}
	return fail
}

func (c *canvas) open() (display.Drawer, error) {
	c.mu.Lock()
	c.opens++
	c.mu.Unlock()
	if err := c.enter(); err != nil {
		return nil, err
	}
	switch {
	case c.cell != image.Point{}:
		return cells{c}, nil
	case c.pace > 0:
		return sheet{c}, nil
	}
	return c, nil
}

func (c *canvas) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	if err := c.enter(); err != nil {
		return err
	}
	img := image.NewRGBA(image.Rectangle{Max: c.size})
	draw.Draw(img, r, src, sp, draw.Src)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.img = img
	if len(c.frames) == 0 || string(c.frames[len(c.frames)-1].Pix) != string(img.Pix) {
		c.frames, c.times = append(c.frames, img), append(c.times, time.Now())
	}
	return nil
}

func (c *canvas) Halt() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.halted++
	return nil
}

func (c *canvas) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
	return nil
}

func (c *canvas) ColorModel() color.Model { return c.model }
func (c *canvas) Bounds() image.Rectangle { return image.Rectangle{Max: c.size} }
func (c *canvas) String() string          { return "canvas" }

func (c *canvas) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// shown returns what the display shows, nil for nothing yet.
func (c *canvas) shown() *image.RGBA {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.img
}

type cells struct{ *canvas }

func (c cells) Cell() image.Point { return c.cell }

type sheet struct{ *canvas }

func (s sheet) Pace() time.Duration { return s.pace }

func options(h *house, displays ...Display) Options {
	return Options{
		Site: testSite(), Source: h, Health: &health.Registry{}, Zone: time.UTC, Displays: displays,
		Now: func() alert.Stamp { return h.stamp() },
		NextBell: func(now time.Time) (timetable.Entry, bool) {
			return timetable.Entry{At: now.Truncate(time.Hour).Add(50 * time.Minute), Name: alert.Text{RU: "5-й урок", KK: "5-сабақ", EN: "5th lesson"}, Bell: true}, true
		},
	}
}

// paneOf returns the loop of one display, to ask it what it would show.
func paneOf(t testing.TB, h *house, d Display) *pane {
	t.Helper()
	if d.ID == "" {
		d.ID = "hall"
	}
	if d.Open == nil {
		d.Open = newCanvas(128, 64).open
	}
	all, err := New(options(h, d))
	if err != nil {
		t.Fatal(err)
	}
	return all.panes[0]
}

func conditions(r *health.Registry) map[string]string {
	m := make(map[string]string)
	for _, c := range r.List() {
		m[c.Name] = c.Detail
	}
	return m
}
