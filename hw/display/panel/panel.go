// Package panel is what displays make of the bytes that they are sent: models
// of their controllers, for tests of the drivers. They are strict where the data
// sheets are: a command that is not defined in the state of the controller is an
// error, and so is one that no driver of this program has a reason to send.
package panel

import (
	"fmt"
	"image"
	"image/color"
)

// OLED is a panel with an SSD1306 on I2C.
type OLED struct {
	size         image.Point
	ram          [8][128]byte
	mode         byte // 0 horizontal, 1 vertical, 2 page
	page, column int
	segment, com bool // mirrored to the usual way round
	pins         byte
	pump, on     bool
}

// NewOLED returns a panel that has just been given power.
func NewOLED(width, height int) *OLED {
	o := &OLED{size: image.Pt(width, height)}
	o.Cut()
	return o
}

// Cut takes the power away and gives it back: the panel is dark and has noise
// in its memory.
func (o *OLED) Cut() {
	*o = OLED{size: o.size, mode: 2, pins: 0x12}
	for p := range o.ram {
		for x := range o.ram[p] {
			o.ram[p][x] = byte(p*31 + x*17)
		}
	}
}

// Write takes one transfer.
func (o *OLED) Write(b []byte) error {
	if len(b) < 1 {
		return fmt.Errorf("OLED: an empty transfer")
	}
	if b[0] == 0x40 {
		for _, v := range b[1:] {
			o.ram[o.page][o.column] = v
			o.step()
		}
		return nil
	}
	if b[0] != 0x00 {
		return fmt.Errorf("OLED: control byte %#x", b[0])
	}
	for b = b[1:]; len(b) > 0; {
		n := 1 + operands(b[0])
		if len(b) < n {
			return fmt.Errorf("OLED: command %#x is cut off", b[0])
		}
		if err := o.command(b[0], b[1:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func operands(c byte) int {
	switch c {
	case 0x21, 0x22:
		return 2
	case 0x20, 0x81, 0x8D, 0xA8, 0xD3, 0xD5, 0xD9, 0xDA, 0xDB:
		return 1
	}
	return 0
}

func (o *OLED) step() {
	o.column = (o.column + 1) % 128
	if o.mode == 0 && o.column == 0 {
		o.page = (o.page + 1) % 8
	}
}

func (o *OLED) command(c byte, arg []byte) error {
	switch {
	case c <= 0x1F || (c >= 0xB0 && c <= 0xB7):
		if o.mode != 2 {
			return nil // not defined in other modes; the data sheet says ignored
		}
		switch {
		case c <= 0x0F:
			o.column = o.column&0xF0 | int(c)
		case c <= 0x1F:
			o.column = (o.column&0x0F | int(c&0x0F)<<4) % 128
		default:
			o.page = int(c & 7)
		}
	case c == 0x20:
		o.mode = arg[0] & 3
	case c == 0x21, c == 0x22: // the window of the other modes, which the driver leaves
		if o.mode == 2 {
			return nil
		}
		if c == 0x21 {
			o.column = int(arg[0])
		} else {
			o.page = int(arg[0])
		}
	case c == 0x8D:
		o.pump = arg[0]&4 != 0
	case c == 0xA0, c == 0xA1:
		o.segment = c == 0xA0
	case c == 0xC0, c == 0xC8:
		o.com = c == 0xC0
	case c == 0xDA:
		o.pins = arg[0]
	case c == 0xA8:
		if int(arg[0]) != o.size.Y-1 {
			return fmt.Errorf("OLED: %d rows for a panel of %d", arg[0]+1, o.size.Y)
		}
	case c == 0xAE, c == 0xAF:
		o.on = c == 0xAF
	case c == 0xA4, c == 0xA6, c == 0x2E, c == 0x40, c == 0x81, c == 0xD3, c == 0xD5, c == 0xD9, c == 0xDB:
	default:
		return fmt.Errorf("OLED: command %#x", c)
	}
	return nil
}

// Image is what a person sees.
func (o *OLED) Image() *image.Gray {
	img := image.NewGray(image.Rectangle{Max: o.size})
	if !o.on || !o.pump {
		return img
	}
	for y := range o.size.Y {
		for x := range o.size.X {
			row := y
			if wired := o.pins&0x10 == 0; wired != (o.size.Y == 32) {
				row = y*2%o.size.Y + y*2/o.size.Y // every second row is somewhere else
			}
			at := image.Pt(x, row)
			if o.segment {
				at.X = o.size.X - 1 - at.X
			}
			if o.com {
				at.Y = o.size.Y - 1 - at.Y
			}
			if o.ram[y/8][x]&(1<<(y%8)) != 0 {
				img.SetGray(at.X, at.Y, color.Gray{Y: 255})
			}
		}
	}
	return img
}

// Matrix is a chain of MAX7219, each with 8x8 lights.
type Matrix struct {
	shift     []byte // as the bits lie in the chain, the nearest chip last
	registers [][16]byte
}

// NewMatrix returns a chain that has just been given power.
func NewMatrix(modules int) *Matrix {
	m := &Matrix{registers: make([][16]byte, modules)}
	m.Cut()
	return m
}

// Cut takes the power away and gives it back: all is dark.
func (m *Matrix) Cut() {
	m.shift = make([]byte, 2*len(m.registers))
	for i := range m.registers {
		m.registers[i] = [16]byte{1: 0xAA, 5: 0x55} // noise, and shut down
	}
}

// Write takes one transfer, from the fall of the chip select to its rise.
func (m *Matrix) Write(b []byte) error {
	m.shift = append(m.shift, b...)
	m.shift = append([]byte(nil), m.shift[len(m.shift)-2*len(m.registers):]...)
	for i := range m.registers {
		at := len(m.shift) - 2*(i+1)
		m.registers[i][m.shift[at]&0x0F] = m.shift[at+1]
	}
	return nil
}

// Image is what a person sees. The nearest chip is on the right.
func (m *Matrix) Image() *image.Gray {
	n := len(m.registers)
	img := image.NewGray(image.Rect(0, 0, 8*n, 8))
	for i, r := range m.registers {
		if r[0x0C]&1 == 0 && r[0x0F]&1 == 0 {
			continue
		}
		for y := range 8 {
			bits := r[1+y]
			if r[0x09]&(1<<y) != 0 {
				bits |= 0x81 // decoded for numbers: lights that nobody asked for
			}
			if y > int(r[0x0B]&7) {
				bits = 0
			}
			if r[0x0F]&1 != 0 {
				bits = 0xFF
			}
			for x := range 8 {
				if bits&(0x80>>x) != 0 {
					img.SetGray((n-1-i)*8+x, y, color.Gray{Y: 255})
				}
			}
		}
	}
	return img
}
