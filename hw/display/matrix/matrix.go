// Package matrix drives chains of 8x8 LED matrices with MAX7219 on SPI.
//
// The chips answer nothing, so that a chain which is not there cannot be told
// from one that is; only the port can fail. For the same reason all of them are
// set up again every Renew: a module that lost its power for a moment, or took
// a spike for a command, comes back by itself.
package matrix

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/display"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/devices/v3/max7219"
	"periph.io/x/devices/v3/ssd1306/image1bit"

	"nabat/hw/display/bus"
)

// Renew is how often the chips are set up again.
const Renew = 5 * time.Second

// speed is a tenth of what the chip can do: cables between modules are long.
const speed = physic.MegaHertz

// MaxModules bounds a chain.
const MaxModules = 64

// Options say where a chain is and what it is like.
type Options struct {
	// Port is the SPI port, as "/dev/spidev0.0".
	Port string
	// Modules is how many stand beside each other; 4 when zero.
	Modules int
	// Intensity is the brightness, 1 to 15; 4 when zero.
	Intensity int
	// Rotated turns the picture by half a turn.
	Rotated bool
}

// Display is an open chain. One goroutine uses it. The first module, which the
// cable comes in at, is the rightmost one, as on the usual boards of four.
type Display struct {
	opt  Options
	port *bus.Port
	wire *wire
	dev  *max7219.Dev
	img  *image1bit.VerticalLSB
	next time.Time // when to set up again
}

var _ display.Drawer = (*Display)(nil)

// Open sets a chain up. The error names the port and what to do.
func Open(opt Options) (*Display, error) {
	p, err := bus.SPI(opt.Port, speed)
	if err != nil {
		return nil, fmt.Errorf("LED matrix: %w", err)
	}
	d, err := open(p.Conn(), opt)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	d.port = p
	return d, nil
}

func open(c spi.Conn, opt Options) (*Display, error) {
	if opt.Modules == 0 {
		opt.Modules = 4
	}
	if opt.Intensity == 0 {
		opt.Intensity = 4
	}
	if opt.Modules < 1 || opt.Modules > MaxModules || opt.Intensity < 1 || opt.Intensity > 15 {
		return nil, fmt.Errorf("LED matrix at %s: want 1 to %d modules and an intensity of 1 to 15", opt.Port, MaxModules)
	}
	d := &Display{opt: opt, wire: &wire{conn: c}, img: image1bit.NewVerticalLSB(image.Rect(0, 0, 8*opt.Modules, 8))}
	if err := d.setUp(); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Display) setUp() error {
	// The library writes the errors of its set-up to a log and goes on; the wire
	// keeps them.
	d.wire.keep = d.dev != nil
	dev, err := max7219.NewSPI(d.wire, d.opt.Modules, 8)
	d.wire.keep = false
	if err == nil {
		err = errors.Join(dev.SetDecode(max7219.DecodeNone), dev.SetIntensity(byte(d.opt.Intensity)), d.wire.take())
	}
	if err != nil {
		return d.failed("set up", err)
	}
	d.dev, d.next = dev, time.Now().Add(Renew)
	return nil
}

func (d *Display) failed(what string, err error) error {
	return fmt.Errorf("%s LED matrix at %s (check that the port is there and free): %w", what, d.opt.Port, err)
}

// Draw shows a picture.
func (d *Display) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	draw.Src.Draw(d.img, r, src, sp)
	if !time.Now().Before(d.next) {
		if err := d.setUp(); err != nil {
			return err
		}
	}
	units := make([][]byte, d.opt.Modules)
	for m := range units {
		// The library sends the last row first.
		units[m] = make([]byte, 8)
		for y := range 8 {
			for x := range 8 {
				at := image.Pt((d.opt.Modules-1-m)*8+x, y)
				if d.opt.Rotated {
					at = image.Pt(8*d.opt.Modules-1-at.X, 7-at.Y)
				}
				if d.img.BitAt(at.X, at.Y) {
					units[m][7-y] |= 0x80 >> x
				}
			}
		}
	}
	if err := errors.Join(d.dev.WriteCascadedUnits(units), d.wire.take()); err != nil {
		return d.failed("draw on", err)
	}
	return nil
}

// Halt makes all dark; the next Draw shows a picture again.
func (d *Display) Halt() error {
	if err := errors.Join(d.dev.Clear(), d.wire.take()); err != nil {
		return d.failed("blank", err)
	}
	return nil
}

// Close gives the port back. Closing twice is allowed.
func (d *Display) Close() error {
	if d.port == nil {
		return nil
	}
	return d.port.Close()
}

// ColorModel is that of black and white.
func (d *Display) ColorModel() color.Model { return image1bit.BitModel }

// Bounds begin at 0, 0.
func (d *Display) Bounds() image.Rectangle { return d.img.Bounds() }

func (d *Display) String() string { return fmt.Sprintf("%d MAX7219 at %s", d.opt.Modules, d.opt.Port) }

// wire is a port that can be connected again, which the kernel's cannot, and
// keeps the first error.
type wire struct {
	conn spi.Conn
	err  error
	// keep leaves out what would make the lights go dark for a moment: the
	// library's set-up switches them off and clears them.
	keep bool
}

func (w *wire) take() error {
	err := w.err
	w.err = nil
	return err
}

// Tx sends nothing more after an error, until take.
func (w *wire) Tx(out, in []byte) error {
	const lastRow, shutdown = 8, 0x0C
	if w.keep && len(out) >= 2 && (out[0] <= lastRow || (out[0] == shutdown && out[1] == 0)) {
		return nil
	}
	if w.err == nil {
		w.err = w.conn.Tx(out, in)
	}
	return nil
}

// Connect returns the wire itself, as often as it is asked.
func (w *wire) Connect(physic.Frequency, spi.Mode, int) (spi.Conn, error) { return w, nil }

// TxPackets is not used by the library.
func (w *wire) TxPackets(p []spi.Packet) error { return w.conn.TxPackets(p) }

// Duplex is the port's.
func (w *wire) Duplex() conn.Duplex { return w.conn.Duplex() }
func (w *wire) String() string      { return w.conn.String() }
