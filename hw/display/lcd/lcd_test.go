package lcd

import (
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"
	"pgregory.net/rapid"

	"nabat/hw/display/glyph"
	"nabat/hw/display/panel"
)

// wired records what is sent and shows it on the model of a display.
type wired struct {
	i2ctest.Record
	panel *panel.LCD
	fail  error
	wrong error
}

func (w *wired) Tx(address uint16, out, in []byte) error {
	if w.fail != nil {
		return w.fail
	}
	w.Ops = nil
	w.wrong = errors.Join(w.wrong, w.Record.Tx(address, out, in), w.panel.Write(out))
	return nil
}

func (w *wired) Close() error { return nil }

func plugged(t interface{ Fatal(...any) }, opt Options) (*wired, *Display) {
	p, err := panel.NewLCD(max(opt.Columns, 16), max(opt.Rows, 2))
	if err != nil {
		t.Fatal(err)
	}
	w := &wired{panel: p}
	d, err := open(w, opt)
	if err != nil {
		t.Fatal(err)
	}
	return w, d
}

// page draws rows of text as the hallway does.
func page(t interface{ Fatal(...any) }, d *Display, rows ...string) *image.Gray {
	font, err := glyph.Load()
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewGray(d.Bounds())
	for y, row := range rows {
		font.Draw(img, image.Pt(0, y*glyph.Height), row, glyph.Width, 1, color.White)
	}
	return img
}

func wrongPixels(a, b *image.Gray) (n int) {
	for i := range a.Pix {
		if (a.Pix[i] >= 128) != (b.Pix[i] >= 128) {
			n++
		}
	}
	return n
}

func TestTextThatNeedsEightLettersOrFewerIsExact(t *testing.T) {
	for _, c := range []struct {
		opt  Options
		rows []string
	}{
		{Options{}, []string{"FIRE", "LEAVE BUILDING →"}},
		{Options{}, []string{"ПОЖАР", "ВЫХОД НАПРАВО"}},
		{Options{}, []string{"ӨРТ", "ҒИМАРАТТАН"}},
		{Options{Columns: 20, Rows: 4}, []string{"12:45", "Next bell: 12:50", "ҚОҢЫРАУ", "←→"}},
	} {
		w, d := plugged(t, c.opt)
		img := page(t, d, c.rows...)
		if err := errors.Join(d.Draw(d.Bounds(), img, image.Point{}), w.wrong); err != nil {
			t.Fatal(err)
		}
		if n := wrongPixels(w.panel.Cells(), img); n != 0 {
			t.Errorf("%q: %d wrong pixels", c.rows, n)
		}
	}
}

func TestLettersBeyondEightAreTheLeastMissed(t *testing.T) {
	w, d := plugged(t, Options{})
	// Nine Russian letters that the display does not have; the soft sign looks
	// like a b most of all.
	img := page(t, d, "ГДЖЗИЛПЦЦЦЬ", "ГДЖЗИЛПЦЦЦ")
	if err := errors.Join(d.Draw(d.Bounds(), img, image.Point{}), w.wrong); err != nil {
		t.Fatal(err)
	}
	exact := page(t, d, "ГДЖЗИЛПЦЦЦ", "ГДЖЗИЛПЦЦЦ")
	got := w.panel.Cells()
	for i := range exact.Pix { // without the soft sign's cell
		if x, y := i%exact.Stride, i/exact.Stride; x >= 50 && x < 55 && y < 8 {
			got.Pix[i], exact.Pix[i] = 0, 0
		}
	}
	if n := wrongPixels(got, exact); n != 0 {
		t.Errorf("%d wrong pixels outside the letter that should be replaced", n)
	}
}

// Whatever is drawn after whatever: the display shows it as well as eight own
// letters can, and a picture of known letters exactly.
func TestWhatIsShownDoesNotDependOnWhatWasBefore(t *testing.T) {
	font, err := glyph.Load()
	if err != nil {
		t.Fatal(err)
	}
	letters := font.Letters()
	rapid.Check(t, func(t *rapid.T) {
		w, d := plugged(t, Options{})
		for range 4 {
			alphabet := rapid.SliceOfNDistinct(rapid.SampledFrom(letters), 1, slots, rapid.ID).Draw(t, "letters")
			rows := []string{string(rapid.SliceOfN(rapid.SampledFrom(alphabet), 16, 16).Draw(t, "1")), string(rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 16).Draw(t, "2"))}
			img := page(t, d, rows...)
			if err := errors.Join(d.Draw(d.Bounds(), img, image.Point{}), w.wrong); err != nil {
				t.Fatal(err)
			}
			if n := wrongPixels(w.panel.Cells(), img); n != 0 {
				t.Fatalf("%q: %d wrong pixels", rows, n)
			}
		}
	})
}

func TestADisplayThatLostItsPowerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := plugged(t, Options{})
		img := page(t, d, "ТРЕВОГА", "ЖДИТЕ")
		if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
			t.Fatal(err)
		}
		w.panel.Cut()
		<-time.After(Renew)
		if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
			t.Fatal(err)
		}
		if n := wrongPixels(w.panel.Cells(), img); n != 0 {
			t.Errorf("%d wrong pixels", n)
		}
	})
}

// A controller that waits for the second half of a byte is brought back into
// step by the set-up.
func TestTheSetUpWorksFromEveryState(t *testing.T) {
	for halves := range 4 {
		p, err := panel.NewLCD(16, 2)
		if err != nil {
			t.Fatal(err)
		}
		w := &wired{panel: p}
		if _, err := open(w, Options{}); err != nil {
			t.Fatal(err)
		}
		for range halves {
			if err := w.Tx(0x27, []byte{0x0C, 0x08}, nil); err != nil {
				t.Fatal(err)
			}
		}
		d, err := open(w, Options{})
		if err != nil {
			t.Fatal(err)
		}
		img := page(t, d, "12:45", "ҚОҢЫРАУ")
		if err := errors.Join(d.Draw(d.Bounds(), img, image.Point{}), w.wrong); err != nil {
			t.Fatal(err)
		}
		if n := wrongPixels(w.panel.Cells(), img); n != 0 {
			t.Errorf("after %d halves: %d wrong pixels", halves, n)
		}
	}
}

func TestAnUnpluggedDisplayIsAnErrorAlsoWhenNothingChanges(t *testing.T) {
	w, d := plugged(t, Options{Bus: "/dev/i2c-1"})
	img := page(t, d, "12:45")
	if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
		t.Fatal(err)
	}
	w.fail = errors.New("no acknowledgement")
	if err := d.Draw(d.Bounds(), img, image.Point{}); !errors.Is(err, w.fail) || !strings.Contains(err.Error(), "0x27") {
		t.Errorf("%v", err)
	}
	w.fail = nil
	if err := errors.Join(d.Halt(), d.Draw(d.Bounds(), img, image.Point{})); err != nil {
		t.Fatal(err)
	}
	if n := wrongPixels(w.panel.Cells(), img); n != 0 {
		t.Errorf("after Halt: %d wrong pixels", n)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
}
