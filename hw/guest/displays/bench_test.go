//go:build inguest

// These tests run inside a guest only; hw/guest builds them with the tag
// inguest and carries them there. The drivers and the job are those of the
// gateway, the buses are the kernel's, and what they send is shown by models of
// the displays.

package displays

import (
	"bytes"
	"context"
	"errors"
	"image"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"periph.io/x/conn/v3/display"
	periph "periph.io/x/conn/v3/gpio"

	"nabat/gateway/alert"
	"nabat/gateway/hallway"
	"nabat/gateway/health"
	"nabat/gateway/timetable"
	"nabat/hw/display/epaper"
	"nabat/hw/display/lcd"
	"nabat/hw/display/matrix"
	"nabat/hw/display/oled"
	"nabat/hw/display/panel"
	"nabat/hw/gpio"
	"nabat/hw/guest/buslog"
	"nabat/hw/guest/gpiosim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long something may take that is sure to come.
const patience = time.Minute

// Lines of the e-paper panel, and where the displays are.
const (
	dcLine    = 0
	resetLine = 1
	busyLine  = 2

	oledAddress = 0x3C
	lcdAddress  = 0x27
	paperPort   = "/dev/spidev5.1"
)

// bench is all displays on the guest's buses.
type bench struct {
	chip *gpiosim.Chip
	stop context.CancelFunc
	done chan struct{}

	mu     sync.Mutex
	wrong  error
	oled   *panel.OLED
	lcd    *panel.LCD
	matrix *panel.Matrix
	paper  *panel.Paper
	// lights are what the matrix showed, one after another.
	lights []*image.Gray
	// dead says that the e-paper panel does nothing, stuck that it stays busy.
	dead, stuck bool
	busyUntil   time.Time
	busy        bool
}

func newBench(t *testing.T) *bench {
	t.Helper()
	chip, err := gpiosim.New("panel", 3)
	if err != nil {
		t.Fatal(err)
	}
	characters, err := panel.NewLCD(16, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := buslog.Watch("panel", dcLine); err != nil {
		t.Fatal(err)
	}
	log, err := buslog.Open()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &bench{
		chip: chip, stop: stop, done: make(chan struct{}),
		oled: panel.NewOLED(128, 64), lcd: characters, matrix: panel.NewMatrix(4), paper: panel.NewPaper(),
	}
	go func() {
		defer close(b.done)
		b.run(ctx, log)
	}()
	t.Cleanup(func() {
		b.stop()
		<-b.done
		if err := errors.Join(log.Close(), chip.Delete(), b.wrong); err != nil {
			t.Errorf("the bench: %v", err)
		}
	})
	return b
}

func (b *bench) run(ctx context.Context, log *buslog.Reader) {
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := log.Read()
		b.mu.Lock()
		b.wrong = errors.Join(b.wrong, err)
		for _, s := range list {
			b.take(s)
		}
		b.work()
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// take gives a transfer to the display that it is for.
func (b *bench) take(s buslog.Sent) {
	var err error
	switch {
	case !s.SPI && s.Address == oledAddress:
		err = b.oled.Write(s.Bytes)
	case !s.SPI && s.Address == lcdAddress:
		err = b.lcd.Write(s.Bytes)
	case s.SPI && s.Address == 0:
		err = b.matrix.Write(s.Bytes)
		if n := len(b.lights); s.Bytes[0] == 8 { // the last row of a picture
			if img := b.matrix.Image(); n == 0 || !bytes.Equal(img.Pix, b.lights[n-1].Pix) {
				b.lights = append(b.lights, img)
			}
		}
	case s.SPI && s.Address == 1 && !b.dead:
		var began bool
		if began, err = b.paper.Write(s.Level, s.Bytes); began {
			b.busyUntil = time.Now().Add(300 * time.Millisecond)
		}
	}
	b.wrong = errors.Join(b.wrong, err)
}

// work drives the line that says whether the e-paper panel is busy.
func (b *bench) work() {
	if busy := b.stuck || time.Now().Before(b.busyUntil); busy != b.busy {
		b.busy = busy
		b.wrong = errors.Join(b.wrong, b.chip.Pull(busyLine, busy))
	}
}

func (b *bench) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// shows returns what a display shows.
func (b *bench) shows(id string) *image.Gray {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch id {
	case "oled":
		return b.oled.Image()
	case "lcd":
		return b.lcd.Image()
	case "paper":
		return b.paper.Image()
	}
	return b.matrix.Image()
}

// opener returns how the gateway opens each display.
func opener(id string) func() (display.Drawer, error) {
	return func() (display.Drawer, error) {
		switch id {
		case "oled":
			return drawer(oled.Open(oled.Options{Bus: buslog.I2C}))
		case "lcd":
			return drawer(lcd.Open(lcd.Options{Bus: buslog.I2C}))
		case "matrix":
			return drawer(matrix.Open(matrix.Options{Port: buslog.SPI}))
		}
		return drawer(epaper.Open(epaper.Options{Port: paperPort, Pins: pins}))
	}
}

// drawer keeps a nil pointer from becoming an interface that is not nil.
func drawer[D display.Drawer](d D, err error) (display.Drawer, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

func pins() (epaper.Pins, error) {
	dc, err := gpio.OpenOutput(gpio.LineID{Chip: "panel", Offset: dcLine}, periph.Low, "display dc")
	if err != nil {
		return epaper.Pins{}, err
	}
	reset, err := gpio.OpenOutput(gpio.LineID{Chip: "panel", Offset: resetLine}, periph.High, "display reset")
	if err != nil {
		return epaper.Pins{}, errors.Join(err, dc.Close())
	}
	// gpio-sim would take a bias for the panel's own level.
	busy, err := gpio.OpenInput(gpio.LineID{Chip: "panel", Offset: busyLine}, periph.PullNoChange, "display busy")
	if err != nil {
		return epaper.Pins{}, errors.Join(err, dc.Close(), reset.Close())
	}
	return epaper.Pins{DC: dc, Reset: reset, Busy: busy, Close: func() error {
		return errors.Join(dc.Close(), reset.Close(), busy.Close())
	}}, nil
}

// house is a site with whatever happens in it.
type house struct {
	mu      sync.Mutex
	view    alert.View
	number  uint64
	changed chan struct{}
	health  health.Registry
	stop    func()
}

func (h *house) View() *alert.View {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.view
	return &v
}

func (h *house) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

func (h *house) press(kind alert.Kind, status alert.Status, place string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.number++
	h.view.State = h.view.State.Next(alert.Event{
		Type: alert.Raised, Subject: "alert", Numbering: "n", Number: h.number, Kind: kind,
		Level: alert.LevelEmergency, Status: status, Place: &alert.Location{ID: place},
	})
	h.view.Open = h.view.State.Open()
	close(h.changed)
	h.changed = make(chan struct{})
}

// open runs the job over displays until the test ends, or until stop.
func open(t *testing.T, lang alert.Language, ids ...string) *house {
	t.Helper()
	h := &house{changed: make(chan struct{})}
	var list []hallway.Display
	for _, id := range ids {
		list = append(list, hallway.Display{ID: id, Languages: []alert.Language{lang}, Direction: "right", Open: opener(id)})
	}
	return h.run(t, list)
}

func (h *house) run(t *testing.T, list []hallway.Display) *house {
	t.Helper()
	place := func(ru, kk, en string) alert.Place {
		return alert.Place{Path: []alert.Text{{RU: ru, KK: kk, EN: en}}}
	}
	noon := time.Date(2026, 11, 23, 12, 45, 7, 0, time.UTC)
	job, err := hallway.New(hallway.Options{
		Site: &alert.Site{
			Name: alert.Text{RU: "Школа 12", KK: "12-мектеп", EN: "School 12"}, Language: alert.Kazakh,
			Places: map[string]alert.Place{"room": place("Кабинет 204", "204-кабинет", "Room 204"), "canteen": place("Столовая", "Асхана", "Canteen")},
		},
		Source: h, Health: &h.health, Zone: time.UTC, Displays: list,
		Now: func() alert.Stamp { return alert.Stamp{Wall: noon, Synced: true} },
		NextBell: func(time.Time) (timetable.Entry, bool) {
			return timetable.Entry{At: noon.Add(4*time.Minute + 53*time.Second), Name: alert.Text{RU: "5-й урок", KK: "5-сабақ", EN: "5th lesson"}, Bell: true}, true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- job.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.stop)
	return h
}

// lost returns the displays that are a condition.
func (h *house) lost() []string {
	var list []string
	for _, c := range h.health.List() {
		list = append(list, c.Name)
	}
	return list
}

// awaitLost waits until exactly these displays are a condition, and returns how
// long it took.
func (h *house) awaitLost(t *testing.T, what string, ids ...string) {
	t.Helper()
	var want []string
	for _, id := range ids {
		want = append(want, "display-lost:"+id)
	}
	begin := time.Now()
	await(t, what, func() bool { return slices.Equal(h.lost(), want) }, func() any { return h.health.List() })
	t.Logf("%s: after %s", what, time.Since(begin).Round(10*time.Millisecond))
}

// await waits until ok.
func await(t *testing.T, what string, ok func() bool, state func() any) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in %s: %+v", what, patience, state())
		}
	}
}
