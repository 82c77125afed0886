package hallway

import (
	"image"
	"image/draw"
	"strings"

	"nabat/hw/display/glyph"
)

// smallest is the size in pixels below which the bitmap font is easier to read
// than the large one.
const smallest = 13

// block is one text of a poster: how large it is beside the others.
type block struct {
	text  string
	share float64
}

// posters sets a page in the large font, as large as it fits; what does not fit
// at once follows on further pictures.
func (p *pane) posters(n nature, one page) ([]*image.RGBA, error) {
	var blocks []block
	for _, b := range []block{{one.Title, 1}, {one.Do, 0.62}, {one.Way, 0.62}, {one.Where, 0.5}} {
		if b.text != "" {
			blocks = append(blocks, b)
		}
	}
	if one.Title == "" && len(blocks) > 0 {
		blocks[0].share = 1
	}
	if n.size.Y >= 64 {
		if img, ok, err := p.poster(n, one, blocks); ok || err != nil {
			return []*image.RGBA{img}, err
		}
	}
	if one.Clock && one.Do != "" {
		blocks = blocks[1:] // the time alone is a page before
	}
	var list []*image.RGBA
	for _, b := range blocks {
		b.share = 1
		img, ok, err := p.poster(n, one, []block{b})
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, img)
			continue
		}
		for _, part := range p.parts(n, one, b.text) {
			img, _, err := p.poster(n, one, []block{{part, 1}})
			if err != nil {
				return nil, err
			}
			list = append(list, img)
		}
	}
	if len(list) == 0 {
		list = append(list, blankOf(n.size, n.theme(one.Tone).ground))
	}
	return list, nil
}

// area returns where the words of a page go, beside its banner and its arrow.
func (n nature) area(one page) (words, banner, arrow image.Rectangle) {
	margin := n.size.Y / 40
	words = image.Rectangle{Max: n.size}
	if one.Banner != "" {
		banner = words
		banner.Max.Y = max(glyph.Height+2, n.size.Y/6)
		words.Min.Y = banner.Max.Y
	}
	if one.Arrow != 0 {
		side := min(words.Dy(), n.size.X/4)
		arrow = image.Rect(0, 0, side, side).Add(image.Pt(n.size.X-side, words.Min.Y+(words.Dy()-side)/2))
		words.Max.X -= side + margin
		if one.Arrow == '←' {
			arrow = arrow.Add(image.Pt(side-n.size.X, 0))
			words = words.Add(image.Pt(side+margin, 0))
		}
	}
	return words.Inset(margin), banner, arrow
}

// parts cuts a text into pieces that fit in the bitmap font.
func (p *pane) parts(n nature, one page, text string) []string {
	words, _, _ := n.area(one)
	set := bitmap{font: p.font, pitch: glyph.Pitch, scale: 1}
	lines := wrap(text, func(s string) bool { return set.measure(s) <= words.Dx() })
	per := max(1, words.Dy()/set.line())
	var parts []string
	for len(lines) > 0 {
		take := lines[:min(per, len(lines))]
		parts, lines = append(parts, strings.Join(take, " ")), lines[len(take):]
	}
	return parts
}

// setLine is a line of a poster in its letters.
type setLine struct {
	text string
	in   letters
}

// poster draws blocks under each other in the largest size at which they fit;
// ok is false when they do not fit in the smallest, which is then cut off.
func (p *pane) poster(n nature, one page, blocks []block) (img *image.RGBA, ok bool, err error) {
	words, banner, arrow := n.area(one)
	th := n.theme(one.Tone)
	img = blankOf(n.size, th.ground)
	if one.Banner != "" {
		draw.Draw(img, banner, image.NewUniform(th.ink), image.Point{}, draw.Src)
		set, err := p.lettersFor(one.Banner, banner.Dx()-2, banner.Dy())
		if err != nil {
			return nil, false, err
		}
		at := image.Pt((banner.Dx()-set.measure(one.Banner))/2, banner.Min.Y+(banner.Dy()-inkHeight(set))/2)
		set.put(img, at, one.Banner, th.ground)
	}
	if one.Arrow != 0 {
		point(img, arrow.Inset(max(1, arrow.Dx()/16)), one.Arrow, image.NewUniform(th.ink))
	}
	lines, ok, err := p.fit(words, blocks)
	if err != nil {
		return nil, false, err
	}
	height := 0
	for _, l := range lines {
		height += l.in.line()
	}
	y := words.Min.Y + max(0, (words.Dy()-height)/2)
	for _, l := range lines {
		l.in.put(img, image.Pt(words.Min.X+max(0, (words.Dx()-l.in.measure(l.text))/2), y), l.text, th.ink)
		y += l.in.line()
	}
	return img, ok, nil
}

// inkHeight is a line without the gap below the bitmap font.
func inkHeight(set letters) int {
	if b, ok := set.(bitmap); ok {
		return glyph.Height * b.scale
	}
	return set.line()
}

// lettersFor returns the largest letters in which one line fits.
func (p *pane) lettersFor(text string, width, height int) (letters, error) {
	for size := height; size >= smallest; size = size * 9 / 10 {
		set, err := p.real.at(size)
		if err != nil {
			return nil, err
		}
		if set.line() <= height && set.measure(text) <= width {
			return set, nil
		}
	}
	return bitmap{font: p.font, pitch: glyph.Pitch, scale: 1}, nil
}

// fit finds the largest size at which blocks fit into words.
func (p *pane) fit(words image.Rectangle, blocks []block) (lines []setLine, ok bool, err error) {
	for size := words.Dy(); ; size = size * 9 / 10 {
		lines = lines[:0]
		height, broken, last := 0, false, true
		for _, b := range blocks {
			var set letters = bitmap{font: p.font, pitch: glyph.Pitch, scale: 1}
			if s := int(float64(size) * b.share); s >= smallest {
				last = false
				if set, err = p.real.at(s); err != nil {
					return nil, false, err
				}
			}
			fits := func(s string) bool { return set.measure(s) <= words.Dx() }
			broken = broken || !whole(b.text, fits)
			for _, text := range wrap(b.text, fits) {
				lines = append(lines, setLine{text, set})
				height += set.line()
			}
		}
		// The gap below the last line of the bitmap font may be cut.
		if n := len(lines); n > 0 {
			height -= lines[n-1].in.line() - inkHeight(lines[n-1].in)
		}
		if height <= words.Dy() && !broken {
			return lines, true, nil
		}
		if last {
			return lines, height <= words.Dy(), nil
		}
	}
}

// point draws an arrow into r.
func point(img draw.Image, r image.Rectangle, arrow rune, ink image.Image) {
	size := min(r.Dx(), r.Dy())
	for v := range size { // along the arrow, from its tip
		half := size / 8 // of the shaft
		if v <= size/2 {
			half = v
		}
		for u := size/2 - half; u <= size/2+half; u++ { // across
			if u < 0 || u >= size {
				continue
			}
			at := image.Pt(u, v) // '↑'
			switch arrow {
			case '↓':
				at = image.Pt(u, size-1-v)
			case '←':
				at = image.Pt(v, u)
			case '→':
				at = image.Pt(size-1-v, u)
			}
			at = at.Add(r.Min)
			draw.Draw(img, image.Rectangle{Min: at, Max: at.Add(image.Pt(1, 1))}, ink, image.Point{}, draw.Src)
		}
	}
}
