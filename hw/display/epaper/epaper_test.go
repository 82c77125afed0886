package epaper

import (
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spitest"

	"nabat/hw/display/panel"
)

// bench is the model of a panel with its lines. Tests run it in a bubble of
// time of their own.
type bench struct {
	spi.Conn
	panel  *panel.Paper
	dc     gpio.Level
	busy   time.Time     // until when
	takes  time.Duration // a refresh
	absent bool
	fail   error
	wrong  error
	closed bool
}

func (b *bench) Tx(out, in []byte) error {
	if b.fail != nil {
		return b.fail
	}
	began, err := b.panel.Write(bool(b.dc), out)
	b.wrong = errors.Join(b.wrong, err, b.Conn.Tx(out, in))
	if began && !b.absent {
		b.busy = time.Now().Add(b.takes)
	}
	return nil
}

func (b *bench) Level() (gpio.Level, error) { return gpio.Level(time.Now().Before(b.busy)), b.fail }

type line func(gpio.Level)

func (l line) Out(v gpio.Level) error { l(v); return nil }

func newBench(t *testing.T) *bench {
	c, err := (&spitest.Record{}).Connect(physic.MegaHertz, spi.Mode0, 8)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{Conn: c, panel: panel.NewPaper(), takes: 2 * time.Second}
}

func (b *bench) open(t *testing.T, rotated bool) *Display {
	t.Helper()
	d, err := open(b, Options{Port: "/dev/spidev0.0", Rotated: rotated, Pins: func() (Pins, error) {
		return Pins{
			DC: line(func(l gpio.Level) { b.dc = l }), Reset: line(func(gpio.Level) {}), Busy: b,
			Close: func() error { b.closed = true; return nil },
		}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func noise(seed uint64) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, Width, Height))
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range img.Pix {
		img.Pix[i] = byte(r.IntN(2) * 255)
	}
	return img
}

func (b *bench) shows(t *testing.T, want *image.Gray) {
	t.Helper()
	if got := b.panel.Image(); string(got.Pix) != string(want.Pix) {
		t.Error("the panel shows another picture")
	}
	if b.wrong != nil {
		t.Error(b.wrong)
	}
}

func show(t *testing.T, d *Display, img image.Image) {
	t.Helper()
	if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
		t.Fatal(err)
	}
}

func TestPicturesFollowEachOtherWithFewFlashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		d := b.open(t, false)
		for seed := range uint64(12) {
			img := noise(seed)
			show(t, d, img)
			b.shows(t, img)
		}
		if b.panel.Fulls != 2 || b.panel.Partly != 10 {
			t.Errorf("%d full refreshes and %d partial ones, want 2 and 10", b.panel.Fulls, b.panel.Partly)
		}
		last := noise(11)
		for range 5 {
			show(t, d, last) // nothing new
			<-time.After(3 * time.Second)
		}
		if n := b.panel.Fulls + b.panel.Partly; n != 12 {
			t.Errorf("%d refreshes for a picture that stays", n-12)
		}
		<-time.After(fullEach)
		show(t, d, last)
		if b.panel.Fulls != 3 {
			t.Error("not refreshed for a day")
		}
		if err := d.Halt(); err != nil {
			t.Fatal(err)
		}
		white := image.NewGray(d.Bounds())
		for i := range white.Pix {
			white.Pix[i] = 255
		}
		b.shows(t, white)
	})
}

func TestTurnedByHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		d := b.open(t, true)
		img := image.NewGray(d.Bounds())
		img.SetGray(3, 1, color.Gray{Y: 255})
		show(t, d, img)
		if b.panel.Image().GrayAt(Width-4, Height-2).Y != 255 {
			t.Error("the pixel is elsewhere")
		}
	})
}

func TestAPanelThatLostItsPowerShowsTheNextPictureRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		d := b.open(t, false)
		show(t, d, noise(1))
		<-time.After(5 * time.Second)
		b.panel.Cut()
		show(t, d, noise(2))
		b.shows(t, noise(2))
	})
}

func TestAPanelThatIsNotThereOrHangsIsAnErrorInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.absent = true
		d := b.open(t, false)
		if err := d.Draw(d.Bounds(), noise(1), image.Point{}); !errors.Is(err, errAbsent) {
			t.Errorf("absent: %v", err)
		}
		b.absent, b.takes = false, time.Hour
		d = b.open(t, false)
		begin := time.Now()
		show(t, d, noise(2)) // begun
		var err error
		for err == nil {
			<-time.After(time.Second)
			err = d.Draw(d.Bounds(), noise(2), image.Point{})
		}
		if took := time.Since(begin); !errors.Is(err, errBusy) || took > 5*time.Second {
			t.Errorf("busy: %v after %s", err, took)
		}
		if err := errors.Join(d.Close(), d.Close()); err != nil || !b.closed {
			t.Errorf("close: %v", err)
		}
		if _, err := open(b, d.opt); !errors.Is(err, errBusy) {
			t.Errorf("open while busy: %v", err)
		}
	})
}

func TestABrokenPortIsAnErrorAlsoWhenNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		d := b.open(t, false)
		show(t, d, noise(1))
		<-time.After(5 * time.Second)
		b.fail = errors.New("shut down")
		if err := d.Draw(d.Bounds(), noise(1), image.Point{}); !errors.Is(err, b.fail) {
			t.Errorf("%v", err)
		}
	})
	if _, err := Open(Options{Port: "/dev/spidev250.0"}); err == nil {
		t.Error("a panel without lines was opened")
	}
	if _, err := Open(Options{Port: "/dev/spidev250.0", Pins: func() (Pins, error) { return Pins{}, nil }}); err == nil {
		t.Error("a port that is not there was opened")
	}
}
