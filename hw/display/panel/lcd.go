package panel

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"nabat/hw/display/glyph"
)

// LCD is a character display: an HD44780 behind a PCF8574.
type LCD struct {
	columns, rows int
	font          *glyph.Font
	wires         byte // as they stand
	wide          bool // eight wires
	half          byte // the first half, in the upper bits
	halves        int
	two, on       bool
	text          [0x80]byte
	own           [64]byte
	address       byte
	toOwn         bool
}

// NewLCD returns a display that has just been given power.
func NewLCD(columns, rows int) (*LCD, error) {
	font, err := glyph.Load()
	if err != nil {
		return nil, err
	}
	l := &LCD{columns: columns, rows: rows, font: font}
	l.Cut()
	return l, nil
}

// Cut takes the power away and gives it back: the display listens on eight
// wires and is off.
func (l *LCD) Cut() {
	*l = LCD{columns: l.columns, rows: l.rows, font: l.font, wide: true}
	for i := range l.text {
		l.text[i] = ' '
	}
}

// Write takes one transfer to the backpack.
func (l *LCD) Write(b []byte) error {
	for _, w := range b {
		before := l.wires
		l.wires = w
		if before&4 == 0 || w&4 != 0 {
			continue // it takes the data when enable falls
		}
		if before&^4 != w&^4 {
			return fmt.Errorf("LCD: wires changed from %#x to %#x while enable fell", before, w)
		}
		if w&2 != 0 {
			return fmt.Errorf("LCD: it is asked, and nobody listens")
		}
		if l.wide {
			l.take(w&1 != 0, w&0xF0)
			continue
		}
		if l.halves++; l.halves == 1 {
			l.half = w & 0xF0
			continue
		}
		l.halves = 0
		l.take(w&1 != 0, l.half|w>>4)
	}
	return nil
}

func (l *LCD) take(data bool, v byte) {
	switch {
	case data && l.toOwn:
		l.own[l.address&63] = v & 0x1F
		l.address = (l.address + 1) & 63
	case data:
		l.text[l.address] = v
		switch l.address++; l.address {
		case 0x28:
			l.address = 0x40
		case 0x68:
			l.address = 0
		}
	case v&0x80 != 0:
		l.address, l.toOwn = v&0x7F, false
	case v&0x40 != 0:
		l.address, l.toOwn = v&0x3F, true
	case v&0x20 != 0:
		if wide := v&0x10 != 0; wide != l.wide {
			l.wide, l.halves = wide, 0
		}
		l.two = v&0x08 != 0
	case v&0x08 != 0:
		l.on = v&0x04 != 0
	}
}

// code is the character at a place.
func (l *LCD) code(column, row int) byte {
	if row%2 == 1 && !l.two {
		return ' '
	}
	return l.text[row%2*0x40+row/2*l.columns+column]
}

// picture is what the display's own memory, ROM A00, shows for a code.
func (l *LCD) picture(code byte) glyph.Glyph {
	switch {
	case code < 16:
		return glyph.Glyph(l.own[code&7*8 : code&7*8+8])
	case code == 0x7E:
		g, _ := l.font.Of('→')
		return g
	case code == 0x7F:
		g, _ := l.font.Of('←')
		return g
	case code == 0xFF:
		g, _ := l.font.Of('■')
		return g
	}
	g, _ := l.font.Of(rune(code))
	return g
}

// Image is what a person sees: a point each pixel, a gap of one between cells.
func (l *LCD) Image() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, l.columns*6+1, l.rows*9+1))
	if l.wires&8 != 0 {
		draw.Draw(img, img.Bounds(), image.NewUniform(color.Gray{Y: 40}), image.Point{}, draw.Src)
	}
	if !l.on {
		return img
	}
	for row := range l.rows {
		for column := range l.columns {
			g := l.picture(l.code(column, row))
			for y := range glyph.Height {
				for x := range glyph.Width {
					c := color.Gray{Y: 20}
					if g.Lit(x, y) {
						c.Y = 255
					}
					img.SetGray(column*6+1+x, row*9+1+y, c)
				}
			}
		}
	}
	return img
}

// Cells is the picture without the gaps, as a driver draws it.
func (l *LCD) Cells() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, l.columns*glyph.Width, l.rows*glyph.Height))
	for row := range l.rows {
		for column := range l.columns {
			g := l.picture(l.code(column, row))
			for y := range glyph.Height {
				for x := range glyph.Width {
					if l.on && g.Lit(x, y) {
						img.SetGray(column*glyph.Width+x, row*glyph.Height+y, color.Gray{Y: 255})
					}
				}
			}
		}
	}
	return img
}
