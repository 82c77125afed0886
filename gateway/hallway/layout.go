package hallway

import (
	"image"
	"image/color"
	"image/draw"
	"strings"

	"periph.io/x/conn/v3/display"

	"nabat/hw/display/glyph"
)

// theme is the two colours of a page.
type theme struct{ ground, ink color.Color }

// nature is what can be known about a display from its driver.
type nature struct {
	size  image.Point
	cell  image.Point // of a character display, else zero
	paper bool
	color bool
}

func natureOf(d display.Drawer) nature {
	n := nature{size: d.Bounds().Size()}
	if c, ok := d.(Cells); ok {
		n.cell = c.Cell()
	}
	_, n.paper = d.(Paper)
	r, g, b, _ := d.ColorModel().Convert(color.RGBA{R: 0xC0, A: 0xFF}).RGBA()
	n.color = r != g || g != b
	return n
}

// theme returns the colours of a page. Beside the words they carry nothing of
// their own, and each pair has a contrast of more than 7 to 1.
func (n nature) theme(t tone) theme {
	switch {
	case n.paper:
		return theme{color.White, color.Black}
	case !n.color:
		return theme{color.Black, color.White}
	}
	switch t {
	case alarm:
		return theme{color.RGBA{0x8C, 0x10, 0x10, 0xFF}, color.White}
	case practice:
		return theme{color.RGBA{0x14, 0x3C, 0x82, 0xFF}, color.White}
	case relief:
		return theme{color.RGBA{0x0B, 0x50, 0x30, 0xFF}, color.White}
	case calm:
	}
	return theme{color.RGBA{0x0C, 0x14, 0x20, 0xFF}, color.White}
}

// big reports whether the large font is used.
func (n nature) big() bool { return n.cell == (image.Point{}) && n.size.Y >= 32 }

// scrolls reports whether text runs through the display in one line.
func (n nature) scrolls() bool { return n.cell == (image.Point{}) && n.size.Y < 2*glyph.Height }

// layout returns the pictures of a page, as high as the display. One that is
// wider than the display runs through it.
func (p *pane) layout(n nature, one page) ([]*image.RGBA, error) {
	switch {
	case n.scrolls():
		return []*image.RGBA{p.ribbon(n, one)}, nil
	case !n.big():
		return p.rows(n, one), nil
	}
	return p.posters(n, one)
}

func blankOf(size image.Point, ground color.Color) *image.RGBA {
	img := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(img, img.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	return img
}

// ribbon sets a page in one line.
func (p *pane) ribbon(n nature, one page) *image.RGBA {
	parts := one.parts()
	if one.Clock && one.Do != "" {
		parts = parts[1:] // the time alone is a page before
	}
	if one.Banner != "" {
		// Before and after: who looks up in the middle learns it as well.
		parts = append(append([]string{one.Banner}, parts...), one.Banner)
	}
	text := strings.Join(parts, " · ")
	if one.Arrow != 0 {
		a := strings.Repeat(string(one.Arrow), 3)
		text = a + " " + text + " " + a
	}
	scale := max(1, n.size.Y/glyph.Height)
	set := bitmap{font: p.font, pitch: glyph.Pitch, scale: scale}
	th := n.theme(one.Tone)
	width := max(n.size.X, set.measure(text))
	img := blankOf(image.Pt(width, n.size.Y), th.ground)
	x := 0
	if width == n.size.X {
		x = (width - set.measure(text)) / 2
	}
	set.put(img, image.Pt(x, (n.size.Y-glyph.Height*scale)/2), text, th.ink)
	return img
}

// rows sets a page in the rows of a character display, or of one that is too
// low for the large font. On characters it is in capitals: more of those look
// like the Latin letters that such a display has.
func (p *pane) rows(n nature, one page) []*image.RGBA {
	pitch, height := glyph.Pitch, glyph.Height
	if n.cell != (image.Point{}) {
		pitch, height = n.cell.X, n.cell.Y
	}
	set := bitmap{font: p.font, pitch: pitch, scale: 1}
	width := n.size.X
	if n.cell == (image.Point{}) {
		width++ // the gap after the last letter may be cut
	}
	columns, rows := width/pitch, n.size.Y/height
	upper := func(s string) string {
		if n.cell != (image.Point{}) {
			return strings.ToUpper(s)
		}
		return s
	}
	fits := func(s string) bool { return len([]rune(s)) <= columns }
	var lines []string
	for _, part := range one.parts() {
		if one.Arrow != 0 && part == one.Way {
			part = string(one.Arrow) + " " + part
		}
		lines = append(lines, wrap(upper(part), fits)...)
	}
	head := 0
	if one.Banner != "" && rows > 1 {
		head = 1
	} else if one.Banner != "" {
		lines = append(wrap(upper(one.Banner), fits), lines...)
	}
	th := n.theme(one.Tone)
	var list []*image.RGBA
	for len(lines) > 0 || len(list) == 0 {
		img := blankOf(n.size, th.ground)
		take := lines[:min(len(lines), max(1, rows-head))]
		lines = lines[len(take):]
		if head > 0 {
			take = append(wrap(upper(one.Banner), fits)[:1], take...)
		}
		for y, text := range take {
			x := (columns - len([]rune(text))) / 2
			set.put(img, image.Pt(max(0, x)*pitch, y*height), text, th.ink)
		}
		list = append(list, img)
	}
	return list
}

// wrap breaks a text into lines that fit: between words, and within one that
// does not fit alone.
func wrap(text string, fits func(string) bool) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && fits(line+" "+word) {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
		for _, r := range word {
			if line != "" && !fits(line+string(r)) {
				lines, line = append(lines, line), ""
			}
			line += string(r)
		}
	}
	return append(lines, line)
}

// whole reports whether every word fits alone, so that wrap breaks none.
func whole(text string, fits func(string) bool) bool {
	for _, word := range strings.Fields(text) {
		if !fits(word) {
			return false
		}
	}
	return true
}
