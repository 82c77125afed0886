// Package glyph is a bitmap font of 5x8 pixels with Latin, Russian and Kazakh
// letters, digits, punctuation and arrows, for displays that are too small for
// another. It does no I/O.
package glyph

import (
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"unicode/utf8"
)

// Width and Height are the size of a glyph in pixels. Pitch is the usual
// distance from one glyph to the next.
const (
	Width  = 5
	Height = 8
	Pitch  = 6
)

// Glyph is the picture of a letter: eight rows, the top one first. Bit 4 is the
// leftmost pixel, as in the character generator of an HD44780.
type Glyph [Height]byte

// Lit reports whether a pixel is set.
func (g Glyph) Lit(x, y int) bool {
	return x >= 0 && x < Width && y >= 0 && y < Height && g[y]&(0x10>>x) != 0
}

// Distance is how many pixels differ.
func (g Glyph) Distance(other Glyph) int {
	n := 0
	for y := range g {
		for diff := g[y] ^ other[y]; diff != 0; diff &= diff - 1 {
			n++
		}
	}
	return n
}

// Font is the glyphs by their letters. It is never changed.
type Font struct {
	glyphs map[rune]Glyph
	order  []rune
}

//go:embed font.txt
var source string

// Load returns the font. The error is one of the embedded file, which the tests
// keep readable.
func Load() (*Font, error) { return parse(source) }

// parse reads blocks: a line of letters with spaces between, then eight lines
// of their pictures, also with spaces between. A line "= A B" says that A looks
// like B; one that begins with "//" is a remark.
func parse(text string) (*Font, error) {
	f := &Font{glyphs: map[rune]Glyph{' ': {}, '\u00a0': {}}}
	var letters []rune
	row := Height
	for n, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "//" {
			continue
		}
		fail := func(what string) error { return fmt.Errorf("bitmap font, line %d: %s", n+1, what) }
		switch {
		case row == Height && fields[0] == "=" && len(fields) == 3:
			to, _ := utf8.DecodeRuneInString(fields[1])
			from, _ := utf8.DecodeRuneInString(fields[2])
			like, ok := f.glyphs[from]
			if !ok {
				return nil, fail("no such letter yet: " + fields[2])
			}
			if err := f.add(to, like); err != nil {
				return nil, fail(err.Error())
			}
		case row == Height:
			letters, row = letters[:0], 0
			for _, field := range fields {
				r, size := utf8.DecodeRuneInString(field)
				if size != len(field) {
					return nil, fail("want single letters, found " + field)
				}
				if err := f.add(r, Glyph{}); err != nil {
					return nil, fail(err.Error())
				}
				letters = append(letters, r)
			}
		default:
			if len(fields) != len(letters) {
				return nil, fail(fmt.Sprintf("%d pictures for %d letters", len(fields), len(letters)))
			}
			for i, field := range fields {
				if len(field) != Width || strings.Trim(field, ".#") != "" {
					return nil, fail("want five of . and #, found " + field)
				}
				g := f.glyphs[letters[i]]
				for x := range Width {
					if field[x] == '#' {
						g[row] |= 0x10 >> x
					}
				}
				f.glyphs[letters[i]] = g
			}
			row++
		}
	}
	if row != Height {
		return nil, fmt.Errorf("bitmap font: the last block has %d rows", row)
	}
	return f, nil
}

func (f *Font) add(r rune, g Glyph) error {
	if _, ok := f.glyphs[r]; ok {
		return fmt.Errorf("letter %q is there twice", r)
	}
	f.glyphs[r] = g
	f.order = append(f.order, r)
	return nil
}

// Of returns the picture of a letter; ok is false where the font has none, and
// the picture is then that of a question mark.
func (f *Font) Of(r rune) (g Glyph, ok bool) {
	g, ok = f.glyphs[r]
	if !ok {
		g = f.glyphs['?']
	}
	return g, ok
}

// Letters returns every letter of the font but blanks, in the order of its file.
func (f *Font) Letters() []rune { return append([]rune(nil), f.order...) }

// Measure returns the width in pixels of a text, without the gap after it.
func (f *Font) Measure(text string, pitch, scale int) int {
	n := utf8.RuneCountInString(text)
	if n == 0 {
		return 0
	}
	return ((n-1)*pitch + Width) * scale
}

// Draw puts a text on dst with its top left corner at p, every pixel scale by
// scale large, letters pitch pixels apart.
func (f *Font) Draw(dst draw.Image, p image.Point, text string, pitch, scale int, ink color.Color) {
	src := image.NewUniform(ink)
	for _, r := range text {
		g, _ := f.Of(r)
		for y := range Height {
			for x := range Width {
				if g.Lit(x, y) {
					at := p.Add(image.Pt(x*scale, y*scale))
					draw.Draw(dst, image.Rectangle{Min: at, Max: at.Add(image.Pt(scale, scale))}, src, image.Point{}, draw.Src)
				}
			}
		}
		p.X += pitch * scale
	}
}
