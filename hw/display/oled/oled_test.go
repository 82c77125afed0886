package oled

import (
	"errors"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"nabat/hw/display/panel"
)

// wired records what is sent and shows it on the model of a panel.
type wired struct {
	i2ctest.Record
	panel *panel.OLED
	fail  error
	wrong error
}

func (w *wired) Tx(address uint16, out, in []byte) error {
	if w.fail != nil {
		return w.fail
	}
	if err := w.Record.Tx(address, out, in); err != nil {
		return err
	}
	w.wrong = errors.Join(w.wrong, w.panel.Write(out))
	return nil
}

func (w *wired) Close() error { return nil }

func noise(size image.Rectangle, seed uint64) *image.Gray {
	img := image.NewGray(size)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range img.Pix {
		img.Pix[i] = byte(r.IntN(2) * 255)
	}
	return img
}

// turned is what somebody sees who looks at a panel that hangs upside down.
func turned(img *image.Gray, by bool) *image.Gray {
	if !by {
		return img
	}
	other := image.NewGray(img.Rect)
	for i := range img.Pix {
		other.Pix[len(img.Pix)-1-i] = img.Pix[i]
	}
	return other
}

func equal(t *testing.T, got, want *image.Gray) {
	t.Helper()
	if got.Rect != want.Rect || string(got.Pix) != string(want.Pix) {
		t.Error("the panel shows another picture")
	}
}

func TestThePanelShowsThePicture(t *testing.T) {
	for _, opt := range []Options{{}, {Address: 0x3D, Rotated: true}, {Width: 128, Height: 32}} {
		w := &wired{panel: panel.NewOLED(max(opt.Width, 128), map[int]int{0: 64, 32: 32}[opt.Height])}
		d, err := open(w, opt)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(4) {
			img := noise(d.Bounds(), seed)
			if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
				t.Fatal(err)
			}
			equal(t, w.panel.Image(), turned(img, opt.Rotated))
			// Small changes are sent alone, and land where they belong.
			before := len(w.Ops)
			patch := image.Rect(17, 9, 40, 30)
			draw.Draw(img, patch, image.NewUniform(color.Gray{Y: byte(seed % 2 * 255)}), image.Point{}, draw.Src)
			if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
				t.Fatal(err)
			}
			equal(t, w.panel.Image(), turned(img, opt.Rotated))
			if n := len(w.Ops) - before; n > 9 {
				t.Errorf("%d transfers for a patch of three pages", n)
			}
		}
		want := uint16(opt.Address)
		if want == 0 {
			want = DefaultAddress
		}
		if a := w.Ops[0].Addr; a != want {
			t.Errorf("sent to %#x, want %#x", a, want)
		}
		if w.wrong != nil {
			t.Error(w.wrong)
		}
	}
}

func TestAPanelThatLostItsPowerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wired{panel: panel.NewOLED(128, 64)}
		d, err := open(w, Options{})
		if err != nil {
			t.Fatal(err)
		}
		img := noise(d.Bounds(), 7)
		if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
			t.Fatal(err)
		}
		w.panel.Cut()
		<-time.After(Renew)
		if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
			t.Fatal(err)
		}
		equal(t, w.panel.Image(), img)
	})
}

func TestAPanelThatIsUnpluggedIsAnErrorAlsoWhenNothingChanges(t *testing.T) {
	w := &wired{panel: panel.NewOLED(128, 64)}
	d, err := open(w, Options{Bus: "/dev/i2c-1"})
	if err != nil {
		t.Fatal(err)
	}
	img := noise(d.Bounds(), 3)
	if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
		t.Fatal(err)
	}
	w.fail = errors.New("no acknowledgement")
	err = d.Draw(d.Bounds(), img, image.Point{})
	if !errors.Is(err, w.fail) || !strings.Contains(err.Error(), "/dev/i2c-1 address 0x3c") {
		t.Errorf("%v", err)
	}
	if _, err := open(w, Options{}); !errors.Is(err, w.fail) {
		t.Errorf("open: %v", err)
	}
}

func TestHaltIsDarkAndDrawLightsAgain(t *testing.T) {
	w := &wired{panel: panel.NewOLED(128, 64)}
	d, err := open(w, Options{})
	if err != nil {
		t.Fatal(err)
	}
	img := noise(d.Bounds(), 5)
	if err := errors.Join(d.Draw(d.Bounds(), img, image.Point{}), d.Halt()); err != nil {
		t.Fatal(err)
	}
	equal(t, w.panel.Image(), image.NewGray(d.Bounds()))
	if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
		t.Fatal(err)
	}
	equal(t, w.panel.Image(), img)
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
}

func TestABusThatIsNotThereSaysWhatToDo(t *testing.T) {
	for _, name := range []string{"/dev/i2c-250", "i2c-1", "/dev/i2c-", "/dev/i2c-1x", ""} {
		if _, err := Open(Options{Bus: name}); err == nil || !strings.Contains(err.Error(), "OLED") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
