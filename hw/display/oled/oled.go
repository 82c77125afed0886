// Package oled drives small OLED displays with an SSD1306 on I2C.
//
// The panel is asked for a sign of life with every frame, and told its whole
// set-up and picture again every Renew, because a panel that lost its power for
// a moment comes back dark and says nothing. After an error a Display is of no
// use any more: Close it and Open a new one.
package oled

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"time"

	"periph.io/x/conn/v3/display"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/ssd1306"

	"nabat/hw/display/bus"
)

// Renew is how often the panel is set up again.
const Renew = 10 * time.Second

// Usual values of Options.
const (
	DefaultAddress = 0x3C
	DefaultWidth   = 128
	DefaultHeight  = 64
)

// Options say where a panel is and what it is like. Zero values are the usual
// panel of 128x64 pixels at 0x3C.
type Options struct {
	// Bus is the I2C bus, as "/dev/i2c-1".
	Bus           string
	Address       int
	Width, Height int
	// Rotated turns the picture by half a turn.
	Rotated bool
}

// Display is an open panel. One goroutine uses it.
type Display struct {
	opt  Options
	bus  i2c.BusCloser
	dev  *ssd1306.Dev
	next time.Time // when to set up again
}

var _ display.Drawer = (*Display)(nil)

// Open sets a panel up. The error names the panel and what to do.
func Open(opt Options) (*Display, error) {
	b, err := bus.I2C(opt.Bus)
	if err != nil {
		return nil, fmt.Errorf("OLED display: %w", err)
	}
	d, err := open(b, opt)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return d, nil
}

func open(b i2c.BusCloser, opt Options) (*Display, error) {
	if opt.Address == 0 {
		opt.Address = DefaultAddress
	}
	if opt.Width == 0 {
		opt.Width = DefaultWidth
	}
	if opt.Height == 0 {
		opt.Height = DefaultHeight
	}
	d := &Display{opt: opt, bus: b}
	if err := d.setUp(); err != nil {
		return nil, err
	}
	return d, nil
}

// command is the byte before commands.
const command = 0x00

func (d *Display) setUp() error {
	dev, err := ssd1306.NewI2C(elsewhere{d.bus, uint16(d.opt.Address)}, &ssd1306.Opts{
		W: d.opt.Width, H: d.opt.Height, MirrorVertical: d.opt.Rotated, MirrorHorizontal: d.opt.Rotated,
		Sequential: d.opt.Height == 32, // panels of this height are wired so
	})
	if err != nil {
		return d.failed("set up", err)
	}
	// The library draws page by page, but leaves the panel in horizontal mode, in
	// which the commands that choose a page are not defined.
	if err := d.bus.Tx(uint16(d.opt.Address), []byte{command, 0x20, 0x02}, nil); err != nil {
		return d.failed("set up", err)
	}
	d.dev, d.next = dev, time.Now().Add(Renew)
	return nil
}

func (d *Display) failed(what string, err error) error {
	return fmt.Errorf("%s OLED display at %s address %#x (look for it with i2cdetect, check its wires and its power): %w", what, d.opt.Bus, d.opt.Address, err)
}

// Draw shows a picture. Nothing is sent for pixels that stay, but for a byte
// that the panel has to acknowledge.
func (d *Display) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	if !time.Now().Before(d.next) {
		if err := d.setUp(); err != nil {
			return err
		}
	}
	const on = 0xAF
	if err := d.bus.Tx(uint16(d.opt.Address), []byte{command, on}, nil); err != nil {
		return d.failed("ask", err)
	}
	if err := d.dev.Draw(r, src, sp); err != nil {
		return d.failed("draw on", err)
	}
	return nil
}

// Halt switches the panel off; the next Draw switches it on.
func (d *Display) Halt() error {
	if err := d.dev.Halt(); err != nil {
		return d.failed("switch off", err)
	}
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

// ColorModel is that of black and white.
func (d *Display) ColorModel() color.Model { return d.dev.ColorModel() }

// Bounds begin at 0, 0.
func (d *Display) Bounds() image.Rectangle { return d.dev.Bounds() }

func (d *Display) String() string { return fmt.Sprintf("SSD1306 at %s %#x", d.opt.Bus, d.opt.Address) }

// elsewhere is a bus on which the panel answers at another address than the
// one that the library knows.
type elsewhere struct {
	bus     i2c.Bus
	address uint16
}

func (e elsewhere) String() string { return e.bus.String() }

// Tx sends to the panel's own address.
func (e elsewhere) Tx(_ uint16, w, r []byte) error { return e.bus.Tx(e.address, w, r) }

// SetSpeed is the bus's.
func (e elsewhere) SetSpeed(f physic.Frequency) error { return e.bus.SetSpeed(f) }
