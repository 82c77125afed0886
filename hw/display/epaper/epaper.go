// Package epaper drives Waveshare's 2.13 inch e-paper panels, version 3 and 4
// (SSD1680), on SPI.
//
// periph's driver is not used: it refreshes twice for every picture, waits for
// ever for a panel that hangs, and links the board support of the Raspberry Pi.
//
// Every refresh begins with a reset and writes both of the panel's memories, so
// that a panel which lost its power, or was changed for another, shows the right
// picture with the next one. A panel that is not there is noticed, because it
// never says that it is busy. The picture stays without power: after a Halt it
// is white.
package epaper

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"time"

	"periph.io/x/conn/v3/display"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"nabat/hw/display/bus"
)

// Pace is the shortest time between two refreshes that nobody is in a hurry
// for; the maker asks for it, because a panel wears.
const Pace = 3 * time.Minute

// The maker asks for a full refresh, which flashes, after some partial ones and
// once a day, or old pictures shine through.
const (
	partials = 10
	fullEach = 6 * time.Hour
)

// How long the panel may take. A full refresh is said to last 2 s.
const (
	finish = 3500 * time.Millisecond // a refresh
	begin  = time.Second             // to say that it is busy
	poll   = 2 * time.Millisecond
)

// Output is a line that is driven: hw/gpio's, or any gpio.PinOut.
type Output interface {
	Out(gpio.Level) error
}

// Input is a line that is read: hw/gpio's Input.
type Input interface {
	Level() (gpio.Level, error)
}

// Pins are the lines beside the SPI port. Chip select is the port's own.
type Pins struct {
	// DC is low for commands; Reset is low to reset.
	DC, Reset Output
	// Busy is high while the panel works. The line is pulled down, so that a
	// panel that is not there is not busy.
	Busy Input
	// Close gives the lines back; it may be nil.
	Close func() error
}

// Options say where a panel is.
type Options struct {
	// Port is the SPI port, as "/dev/spidev0.0".
	Port string
	// Pins opens the lines; it is called by Open.
	Pins func() (Pins, error)
	// Rotated turns the picture by half a turn.
	Rotated bool
}

// Width and Height are the panel's, lying on its long side.
const (
	Width  = 250
	Height = 122
)

// stride is how many bytes one line of the panel's memory has, along its short
// side; size is all of them.
const (
	stride = (Height + 7) / 8
	size   = stride * Width
)

// Display is an open panel. One goroutine uses it. After an error it is of no
// use any more: Close it and Open a new one.
type Display struct {
	opt    Options
	port   *bus.Port
	conn   spi.Conn
	pins   Pins
	img    *image.Gray
	shown  []byte    // what the panel shows; nil when that is not known
	began  time.Time // the refresh that may still go on
	fulls  time.Time // the last full refresh
	passed int       // partial ones since
}

var _ display.Drawer = (*Display)(nil)

// Open opens the port and the lines, and resets the panel. The error names what
// failed and what to do.
func Open(opt Options) (*Display, error) {
	if opt.Pins == nil {
		return nil, fmt.Errorf("e-paper at %s: its lines DC, reset and busy are missing", opt.Port)
	}
	p, err := bus.SPI(opt.Port, 4*physic.MegaHertz)
	if err != nil {
		return nil, fmt.Errorf("e-paper: %w", err)
	}
	d, err := open(p.Conn(), opt)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	d.port = p
	return d, nil
}

func open(c spi.Conn, opt Options) (*Display, error) {
	pins, err := opt.Pins()
	if err != nil {
		return nil, fmt.Errorf("e-paper at %s: open its lines: %w", opt.Port, err)
	}
	d := &Display{opt: opt, conn: c, pins: pins, img: image.NewGray(image.Rect(0, 0, Width, Height))}
	if err := d.setUp(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Display) failed(what string, err error) error {
	return fmt.Errorf("%s e-paper at %s (check its cable and the lines DC, reset and busy): %w", what, d.opt.Port, err)
}

var (
	errBusy   = errors.New("it stays busy")
	errAbsent = errors.New("it never says that it is busy: is it there?")
)

// await waits until the busy line has a level, no later than until.
func (d *Display) await(want gpio.Level, until time.Time, otherwise error) error {
	for {
		l, err := d.pins.Busy.Level()
		switch {
		case err != nil:
			return fmt.Errorf("read the line busy: %w", err)
		case l == want:
			return nil
		case time.Now().After(until):
			return otherwise
		}
		<-time.After(poll)
	}
}

// command sends a command and its data.
func (d *Display) command(c byte, data ...byte) error {
	if err := d.pins.DC.Out(gpio.Low); err != nil {
		return fmt.Errorf("drive the line DC: %w", err)
	}
	if err := d.conn.Tx([]byte{c}, nil); err != nil || len(data) == 0 {
		return err
	}
	if err := d.pins.DC.Out(gpio.High); err != nil {
		return fmt.Errorf("drive the line DC: %w", err)
	}
	return d.conn.Tx(data, nil)
}

// Commands of the SSD1680.
const (
	driverOutput  = 0x01
	dataEntry     = 0x11
	softReset     = 0x12
	sensor        = 0x18
	activate      = 0x20
	control1      = 0x21
	control2      = 0x22
	writeNew      = 0x24
	writeOld      = 0x26
	border        = 0x3C
	windowX       = 0x44
	windowY       = 0x45
	counterX      = 0x4E
	counterY      = 0x4F
	nothing       = 0x7F
	modeFull      = 0xF7
	modePartial   = 0xFF
	borderFull    = 0x05
	borderPartial = 0x80
)

// setUp resets the panel and tells it its size.
func (d *Display) setUp() error {
	for _, l := range []gpio.Level{gpio.High, gpio.Low, gpio.High} {
		if err := d.pins.Reset.Out(l); err != nil {
			return d.failed("reset", fmt.Errorf("drive the line reset: %w", err))
		}
		<-time.After(10 * time.Millisecond)
	}
	if err := d.await(gpio.Low, time.Now().Add(begin), errBusy); err != nil {
		return d.failed("reset", err)
	}
	if err := d.command(softReset); err != nil {
		return d.failed("set up", err)
	}
	<-time.After(10 * time.Millisecond)
	if err := d.await(gpio.Low, time.Now().Add(begin), errBusy); err != nil {
		return d.failed("set up", err)
	}
	const last = Width - 1
	for _, c := range [][]byte{
		{driverOutput, last, 0, 0}, {dataEntry, 0x03}, {windowX, 0, stride - 1}, {windowY, 0, 0, last, 0},
		{control1, 0x00, 0x80}, {sensor, 0x80},
	} {
		if err := d.command(c[0], c[1:]...); err != nil {
			return d.failed("set up", err)
		}
	}
	return nil
}

// Draw shows a picture. It returns when the refresh has begun, and waits for the
// one before. A picture that is shown already is not refreshed; the panel is
// then only asked whether it still finishes what it began.
func (d *Display) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	draw.Draw(d.img, r, src, sp, draw.Src)
	want := d.pack()
	l, err := d.pins.Busy.Level()
	switch {
	case err != nil:
		return d.failed("ask", fmt.Errorf("read the line busy: %w", err))
	case string(want) == string(d.shown) && l == gpio.High && time.Since(d.began) < finish:
		return nil
	}
	if err := d.await(gpio.Low, d.began.Add(finish), errBusy); err != nil {
		return d.failed("refresh", err)
	}
	if string(want) == string(d.shown) && time.Since(d.fulls) < fullEach {
		if err := d.command(nothing); err != nil {
			return d.failed("ask", err)
		}
		return nil
	}
	return d.refresh(want)
}

func (d *Display) refresh(want []byte) error {
	full := d.shown == nil || d.passed >= partials || time.Since(d.fulls) >= fullEach
	mode, edge, old := byte(modePartial), byte(borderPartial), d.shown
	if full {
		mode, edge, old = modeFull, borderFull, want
	}
	if err := d.setUp(); err != nil {
		return err
	}
	for _, c := range [][]byte{
		{border, edge},
		{counterX, 0}, {counterY, 0, 0}, append([]byte{writeOld}, old...),
		{counterX, 0}, {counterY, 0, 0}, append([]byte{writeNew}, want...),
		{control2, mode}, {activate},
	} {
		if err := d.command(c[0], c[1:]...); err != nil {
			return d.failed("draw on", err)
		}
	}
	d.began = time.Now()
	if err := d.await(gpio.High, d.began.Add(begin), errAbsent); err != nil {
		return d.failed("refresh", err)
	}
	d.shown, d.passed = want, d.passed+1
	if full {
		d.fulls, d.passed = d.began, 0
	}
	return nil
}

// pack turns the picture into the panel's order: lines along its short side,
// the first pixel in the highest bit, white is 1.
func (d *Display) pack() []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = 0xFF
	}
	for y := range Height {
		for x := range Width {
			if d.img.GrayAt(x, y).Y >= 0x80 {
				continue
			}
			across, along := y, Width-1-x
			if d.opt.Rotated {
				across, along = Height-1-y, x
			}
			b[along*stride+across/8] &^= 0x80 >> (across % 8)
		}
	}
	return b
}

// Halt makes the panel white, so that nobody takes an old picture for the
// truth, and waits until it is.
func (d *Display) Halt() error {
	if err := d.Draw(d.img.Bounds(), image.White, image.Point{}); err != nil {
		return err
	}
	if err := d.await(gpio.Low, d.began.Add(finish), errBusy); err != nil {
		return d.failed("blank", err)
	}
	return nil
}

// Close gives the port and the lines back. Closing twice is allowed.
func (d *Display) Close() error {
	var errs []error
	if d.port != nil {
		errs = append(errs, d.port.Close())
	}
	if d.pins.Close != nil {
		errs = append(errs, d.pins.Close())
		d.pins.Close = nil
	}
	return errors.Join(errs...)
}

// Pace is the shortest time between two pictures that nobody is in a hurry for.
func (d *Display) Pace() time.Duration { return Pace }

// ColorModel is that of greys; half and more is white.
func (d *Display) ColorModel() color.Model { return color.GrayModel }

// Bounds begin at 0, 0.
func (d *Display) Bounds() image.Rectangle { return d.img.Bounds() }

func (d *Display) String() string { return "2.13 inch e-paper at " + d.opt.Port }
