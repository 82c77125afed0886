package lcd

import (
	"cmp"
	"maps"
	"slices"

	"nabat/hw/display/glyph"
)

// slots is how many glyphs can be defined.
const slots = 8

// frame is what the controller holds.
type frame struct {
	codes  []byte
	custom [slots]glyph.Glyph
}

// table is the controller's own memory of letters, by their pictures.
type table struct {
	code map[glyph.Glyph]byte
	// letters are those that may stand in for another.
	letters []glyph.Glyph
}

// newTable takes the letters that ROM A00 shares with ASCII, the arrows that it
// has in place of two of those, and the full block. Letters that look alike
// have one picture in the font, so that a Russian А is found as well.
func newTable(font *glyph.Font) table {
	t := table{code: make(map[glyph.Glyph]byte)}
	for r := ' '; r <= '}'; r++ {
		if g, ok := font.Of(r); ok {
			t.code[g] = byte(r)
			t.letters = append(t.letters, g)
		}
	}
	for r, code := range map[rune]byte{'→': 0x7E, '←': 0x7F, '■': 0xFF} {
		if g, ok := font.Of(r); ok {
			t.code[g] = code
		}
	}
	return t
}

// frame finds codes for cells. Glyphs that are defined already keep their
// slots.
func (t table) frame(cells []glyph.Glyph, before [slots]glyph.Glyph) frame {
	type stranger struct {
		picture glyph.Glyph
		like    glyph.Glyph // of the own letters
		first   int         // cell
		missed  int         // pixels that would be wrong all over the display
	}
	strangers := make(map[glyph.Glyph]stranger)
	for i, g := range cells {
		if _, ok := t.code[g]; ok {
			continue
		}
		s, ok := strangers[g]
		if !ok {
			s = stranger{picture: g, first: i, like: slices.MinFunc(t.letters, func(a, b glyph.Glyph) int {
				return cmp.Compare(g.Distance(a), g.Distance(b))
			})}
		}
		s.missed += g.Distance(s.like)
		strangers[g] = s
	}
	chosen := slices.SortedFunc(maps.Values(strangers), func(a, b stranger) int {
		return cmp.Or(cmp.Compare(b.missed, a.missed), cmp.Compare(a.first, b.first))
	})
	chosen = chosen[:min(len(chosen), slots)]

	f := frame{codes: make([]byte, len(cells)), custom: before}
	slot := make(map[glyph.Glyph]byte)
	for _, s := range chosen {
		if i := slices.Index(before[:], s.picture); i >= 0 {
			slot[s.picture] = byte(i)
		}
	}
	taken := make(map[byte]bool)
	for _, i := range slot {
		taken[i] = true
	}
	var free byte
	for _, s := range chosen {
		if _, ok := slot[s.picture]; ok {
			continue
		}
		for taken[free] {
			free++
		}
		slot[s.picture], taken[free], f.custom[free] = free, true, s.picture
	}
	for i, g := range cells {
		switch code, own := t.code[g]; {
		case own:
			f.codes[i] = code
		default:
			if n, ok := slot[g]; ok {
				f.codes[i] = n
				continue
			}
			f.codes[i] = t.code[strangers[g].like]
		}
	}
	return f
}
