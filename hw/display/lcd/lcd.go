// Package lcd drives character displays with an HD44780 behind a PCF8574 on
// I2C, the usual backpack, as if they had pixels.
//
// A frame is cut into cells of 5x8 pixels. A cell that holds a letter of
// hw/display/glyph that the display's own memory (ROM A00) has is shown from
// there; others, Kazakh and Russian letters above all, go into the eight
// glyphs that can be defined. Where a frame needs more than eight, the ones that
// would be missed least are shown as the most similar letter of the memory.
//
// periph's driver for the controller is not used: it never sends the command
// that switches the second line on, and every change of a wire is a transfer of
// its own.
package lcd

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"time"

	"periph.io/x/conn/v3/display"
	"periph.io/x/conn/v3/i2c"

	"nabat/hw/display/bus"
	"nabat/hw/display/glyph"
)

// Renew is how often the display is set up and written anew, because one that
// lost its power for a moment comes back empty and says nothing.
const Renew = 10 * time.Second

// Options say where a display is and what it is like. Zero values are the usual
// one of 16 columns and 2 rows at 0x27.
type Options struct {
	// Bus is the I2C bus, as "/dev/i2c-1".
	Bus           string
	Address       int
	Columns, Rows int
}

// Display is an open character display. One goroutine uses it. After an error
// it is of no use any more: Close it and Open a new one.
type Display struct {
	opt   Options
	bus   i2c.BusCloser
	table table
	img   *image.Gray
	shown frame
	fresh bool      // shown is what the display has
	next  time.Time // when to set up again
	light byte      // the backlight's bit
}

var _ display.Drawer = (*Display)(nil)

// Open sets a display up. The error names it and what to do.
func Open(opt Options) (*Display, error) {
	b, err := bus.I2C(opt.Bus)
	if err != nil {
		return nil, fmt.Errorf("character display: %w", err)
	}
	d, err := open(b, opt)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return d, nil
}

func open(b i2c.BusCloser, opt Options) (*Display, error) {
	if opt.Address == 0 {
		opt.Address = 0x27
	}
	if opt.Columns == 0 {
		opt.Columns = 16
	}
	if opt.Rows == 0 {
		opt.Rows = 2
	}
	if opt.Columns < 8 || opt.Columns > 40 || opt.Rows < 1 || opt.Rows > 4 || opt.Columns*opt.Rows > 80 {
		return nil, fmt.Errorf("character display at %s: want 8 to 40 columns and 1 to 4 rows, no more than 80 characters", opt.Bus)
	}
	font, err := glyph.Load()
	if err != nil {
		return nil, err
	}
	d := &Display{
		opt: opt, bus: b, table: newTable(font), light: backlight,
		img: image.NewGray(image.Rect(0, 0, opt.Columns*glyph.Width, opt.Rows*glyph.Height)),
	}
	if err := d.setUp(); err != nil {
		return nil, err
	}
	return d, nil
}

// Wires of the backpack: data is on the upper four.
const (
	registerSelect = 0x01 // high for data
	enable         = 0x04 // the controller takes the data when it falls
	backlight      = 0x08
)

// send clocks bytes into the controller, in halves. At a bus of 400 kHz each
// half takes 45 µs, more than the 37 µs that a command lasts.
func (d *Display) send(selected byte, values ...byte) error {
	w := make([]byte, 0, 1+4*len(values))
	w = append(w, selected|d.light) // the select wire is to stand before the clock rises
	for _, v := range values {
		for _, half := range []byte{v & 0xF0, v << 4} {
			w = append(w, half|selected|d.light|enable, half|selected|d.light)
		}
	}
	return d.bus.Tx(uint16(d.opt.Address), w, nil)
}

// half clocks in one half, as the controller wants it while nobody knows
// whether it waits for eight wires or for the second half on four.
func (d *Display) half(v byte) error {
	return d.bus.Tx(uint16(d.opt.Address), []byte{d.light, v | d.light | enable, v | d.light}, nil)
}

func (d *Display) setUp() error {
	// Three times "eight wires", after which it listens for sure, then "four".
	for _, one := range []struct {
		half byte
		then time.Duration
	}{{0x30, 5 * time.Millisecond}, {0x30, time.Millisecond}, {0x30, time.Millisecond}, {0x20, time.Millisecond}} {
		if err := d.half(one.half); err != nil {
			return d.failed("set up", err)
		}
		<-time.After(one.then)
	}
	const lines, on, right = 0x28, 0x0C, 0x06 // two lines of 5x8, no cursor, writing to the right
	if err := d.send(0, lines, on, right); err != nil {
		return d.failed("set up", err)
	}
	d.fresh, d.next = false, time.Now().Add(Renew)
	return nil
}

func (d *Display) failed(what string, err error) error {
	return fmt.Errorf("%s character display at %s address %#x (look for it with i2cdetect, check its wires and its power): %w", what, d.opt.Bus, d.opt.Address, err)
}

// Draw shows a picture. What stays is not sent again, but for a byte that the
// backpack has to acknowledge.
func (d *Display) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	draw.Draw(d.img, r, src, sp, draw.Src)
	d.light = backlight
	if !time.Now().Before(d.next) {
		if err := d.setUp(); err != nil {
			return err
		}
	}
	if err := d.send(0); err != nil {
		return d.failed("ask", err)
	}
	want := d.table.frame(d.cells(), d.shown.custom)
	for slot, g := range want.custom {
		if d.fresh && g == d.shown.custom[slot] {
			continue
		}
		const memory = 0x40 // of own glyphs
		err := d.send(0, memory|byte(slot)*glyph.Height)
		if err == nil {
			err = d.send(registerSelect, g[:]...)
		}
		if err != nil {
			return d.failed("define letters on", err)
		}
	}
	for row := range d.opt.Rows {
		line := want.codes[row*d.opt.Columns : (row+1)*d.opt.Columns]
		if d.fresh && string(line) == string(d.shown.codes[row*d.opt.Columns:(row+1)*d.opt.Columns]) {
			continue
		}
		const address = 0x80 // of a character
		err := d.send(0, address|d.start(row))
		if err == nil {
			err = d.send(registerSelect, line...)
		}
		if err != nil {
			return d.failed("write on", err)
		}
	}
	d.shown, d.fresh = want, true
	return nil
}

// start is where a row begins in the controller's memory: the third and fourth
// rows go on after the first and the second.
func (d *Display) start(row int) byte {
	return byte(row%2*0x40 + row/2*d.opt.Columns)
}

// cells cuts the picture.
func (d *Display) cells() []glyph.Glyph {
	cells := make([]glyph.Glyph, d.opt.Columns*d.opt.Rows)
	for i := range cells {
		for y := range glyph.Height {
			for x := range glyph.Width {
				if d.img.GrayAt(i%d.opt.Columns*glyph.Width+x, i/d.opt.Columns*glyph.Height+y).Y >= 0x80 {
					cells[i][y] |= 0x10 >> x
				}
			}
		}
	}
	return cells
}

// Halt empties the display and switches its light off; the next Draw switches
// it on.
func (d *Display) Halt() error {
	d.light, d.fresh = 0, false
	const off = 0x08
	if err := d.send(0, off); err != nil {
		return d.failed("switch off", err)
	}
	d.next = time.Time{}
	return nil
}

// Close gives the bus back. Closing twice is allowed.
func (d *Display) Close() error {
	if d.bus == nil {
		return nil
	}
	b := d.bus
	d.bus = nil
	return b.Close()
}

// ColorModel is that of greys; half and more is lit.
func (d *Display) ColorModel() color.Model { return color.GrayModel }

// Bounds begin at 0, 0.
func (d *Display) Bounds() image.Rectangle { return d.img.Bounds() }

// Cell is the size of a character in pixels.
func (d *Display) Cell() image.Point { return image.Pt(glyph.Width, glyph.Height) }

func (d *Display) String() string { return fmt.Sprintf("HD44780 at %s %#x", d.opt.Bus, d.opt.Address) }
