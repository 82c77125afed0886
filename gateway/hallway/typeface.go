package hallway

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"io"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"nabat/hw/display/glyph"
)

// letters draws and measures text of one size.
type letters interface {
	// measure returns the width of a text in pixels.
	measure(text string) int
	// line is the distance from one line to the next.
	line() int
	// put draws a text with the top left corner of its line at p.
	put(dst draw.Image, p image.Point, text string, ink color.Color)
}

// bitmap is the small font, scaled by a whole number.
type bitmap struct {
	font         *glyph.Font
	pitch, scale int
}

func (b bitmap) measure(text string) int { return b.font.Measure(text, b.pitch, b.scale) }
func (b bitmap) line() int               { return (glyph.Height + 1) * b.scale }
func (b bitmap) put(dst draw.Image, p image.Point, text string, ink color.Color) {
	b.font.Draw(dst, p, text, b.pitch, b.scale, ink)
}

// outline is the large font at one size.
type outline struct{ face font.Face }

func (o outline) measure(text string) int { return font.MeasureString(o.face, text).Ceil() }
func (o outline) line() int {
	m := o.face.Metrics()
	return (m.Ascent + m.Descent).Ceil()
}
func (o outline) put(dst draw.Image, p image.Point, text string, ink color.Color) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(ink), Face: o.face, Dot: fixed.P(p.X, p.Y+o.face.Metrics().Ascent.Ceil())}
	d.DrawString(text)
}

//go:embed fonts/sans-bold.ttf.gz
var packed []byte

// typeface is the large font; it is read by many, a face of it by one.
type typeface struct{ font *sfnt.Font }

// loadTypeface unpacks the embedded font; the error is one of the file.
func loadTypeface() (*typeface, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack the font: %w", err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("unpack the font: %w", err)
	}
	f, err := opentype.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("read the font: %w", err)
	}
	return &typeface{font: f}, nil
}

// at returns the font at a size in pixels.
func (t *typeface) at(size int) (letters, error) {
	face, err := opentype.NewFace(t.font, &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, fmt.Errorf("font at %d pixels: %w", size, err)
	}
	return outline{face: face}, nil
}
