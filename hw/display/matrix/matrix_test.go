package matrix

import (
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spitest"

	"nabat/hw/display/panel"
)

// wired records what is sent and shows it on the model of a chain.
type wired struct {
	spi.Conn
	panel *panel.Matrix
	fail  error
	after func()
}

func newWired(t *testing.T, modules int) *wired {
	c, err := (&spitest.Record{}).Connect(physic.MegaHertz, spi.Mode0, 8)
	if err != nil {
		t.Fatal(err)
	}
	return &wired{Conn: c, panel: panel.NewMatrix(modules)}
}

func (w *wired) Tx(out, in []byte) error {
	if w.fail != nil {
		return w.fail
	}
	err := errors.Join(w.Conn.Tx(out, in), w.panel.Write(out))
	if w.after != nil {
		w.after()
	}
	return err
}

func noise(size image.Rectangle, seed uint64) *image.Gray {
	img := image.NewGray(size)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range img.Pix {
		img.Pix[i] = byte(r.IntN(2) * 255)
	}
	return img
}

func equal(t *testing.T, got, want *image.Gray) {
	t.Helper()
	if got.Rect != want.Rect || string(got.Pix) != string(want.Pix) {
		t.Error("the chain shows another picture")
	}
}

func TestTheChainShowsThePicture(t *testing.T) {
	for _, modules := range []int{1, 4, 12} {
		for _, rotated := range []bool{false, true} {
			w := newWired(t, modules)
			d, err := open(w, Options{Modules: modules, Rotated: rotated})
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(3) {
				img := noise(d.Bounds(), seed)
				if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
					t.Fatal(err)
				}
				if rotated {
					turned := image.NewGray(img.Rect)
					for i := range img.Pix {
						turned.Pix[len(img.Pix)-1-i] = img.Pix[i]
					}
					img = turned
				}
				equal(t, w.panel.Image(), img)
			}
		}
	}
}

// The lights do not go dark while a chain is set up again.
func TestARenewalIsNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWired(t, 4)
		d, err := open(w, Options{})
		if err != nil {
			t.Fatal(err)
		}
		img := noise(d.Bounds(), 7)
		if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
			t.Fatal(err)
		}
		<-time.After(Renew)
		w.after = func() { equal(t, w.panel.Image(), img) }
		if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAChainThatLostItsPowerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWired(t, 4)
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

// The library swallows the errors of its set-up.
func TestAPortThatFailsIsAnError(t *testing.T) {
	w := newWired(t, 4)
	d, err := open(w, Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.fail = errors.New("shut down")
	if err := d.Draw(d.Bounds(), noise(d.Bounds(), 1), image.Point{}); !errors.Is(err, w.fail) {
		t.Errorf("draw: %v", err)
	}
	if err := d.Halt(); !errors.Is(err, w.fail) {
		t.Errorf("halt: %v", err)
	}
	if _, err := open(w, Options{}); !errors.Is(err, w.fail) {
		t.Errorf("open: %v", err)
	}
	w.fail = nil
	if err := d.Draw(d.Bounds(), image.NewUniform(color.White), image.Point{}); err != nil {
		t.Errorf("after the error: %v", err)
	}
	if err := d.Halt(); err != nil {
		t.Error(err)
	}
	equal(t, w.panel.Image(), image.NewGray(d.Bounds()))
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for _, opt := range []Options{{Modules: -1}, {Modules: MaxModules + 1}, {Intensity: 16}} {
		if _, err := open(newWired(t, 4), opt); err == nil {
			t.Errorf("%+v accepted", opt)
		}
	}
	for _, name := range []string{"/dev/spidev250.0", "/dev/spidev0", "spi"} {
		if _, err := Open(Options{Port: name}); err == nil {
			t.Errorf("port %q accepted", name)
		}
	}
}
