package framebuffer

import (
	"fmt"
	"image"
)

// field is where one colour lies in a pixel, in bits.
type field struct{ Offset, Length, Right uint32 }

// variable is the beginning of struct fb_var_screeninfo.
type variable struct {
	Width, Height, VirtualWidth, VirtualHeight, X, Y uint32
	Bits, Grey                                       uint32
	Red, Green, Blue, Clear                          field
	_                                                [20]uint32
}

// fixed is struct fb_fix_screeninfo; an unsigned long is as long as a pointer.
type fixed struct {
	_                   [16]byte
	_                   uintptr
	Size                uint32
	Type, Aux, Visual   uint32
	PanX, PanY, Wrap, _ uint16
	Line                uint32
	_                   uintptr
	_                   uint32
	_                   uint32
	_                   [4]uint16
}

// layout is how a screen keeps its pixels.
type layout struct {
	width, height    int // visible pixels
	bytes            int // of a pixel
	line             int // bytes from one line to the next
	first            int // bytes before the first visible pixel
	red, green, blue field
}

// maxSide bounds a screen, in pixels.
const maxSide = 1 << 14

// layoutOf checks what the kernel says, and refuses what cannot be drawn on.
func layoutOf(v variable, f fixed) (layout, error) {
	l := layout{
		width: int(v.Width), height: int(v.Height), bytes: int(v.Bits / 8), line: int(f.Line),
		red: v.Red, green: v.Green, blue: v.Blue,
	}
	switch {
	case v.Width == 0 || v.Height == 0 || v.Width > maxSide || v.Height > maxSide || v.X > maxSide || v.Y > maxSide || f.Line > maxSide*8:
		return l, fmt.Errorf("it has %dx%d pixels: set a mode, as video=HDMI-A-1:1280x720 on the kernel's command line", v.Width, v.Height)
	case v.Bits != 16 && v.Bits != 24 && v.Bits != 32, v.Grey != 0, f.Type != 0:
		return l, fmt.Errorf("it has %d bits a pixel in another order than red, green, blue: set a mode with 16, 24 or 32", v.Bits)
	case l.line < l.width*l.bytes:
		return l, fmt.Errorf("its lines have %d bytes, too few for %d pixels", l.line, l.width)
	}
	for _, c := range []field{v.Red, v.Green, v.Blue} {
		if c.Length == 0 || c.Length > 8 || c.Offset > 31 || c.Offset+c.Length > v.Bits || c.Right != 0 {
			return l, fmt.Errorf("it keeps a colour in %d bits at %d of %d", c.Length, c.Offset, v.Bits)
		}
	}
	l.first = int(v.Y)*l.line + int(v.X)*l.bytes
	if l.first+(l.height-1)*l.line+l.width*l.bytes > int(f.Size) {
		return l, fmt.Errorf("its memory of %d bytes is too small", f.Size)
	}
	return l, nil
}

// changed returns the lines that differ, at least two: the kernel's own screens
// (6.12) do not notice a write of exactly one line.
func (l layout) changed(before, after []byte) (from, to int) {
	differs := func(y int) bool {
		begin, end := y*l.line, y*l.line+l.width*l.bytes
		return string(before[begin:end]) != string(after[begin:end])
	}
	for from = 0; from < l.height && !differs(from); from++ {
	}
	if from == l.height {
		return 0, min(2, l.height)
	}
	for to = l.height; !differs(to - 1); to-- {
	}
	if to-from < 2 {
		from = max(0, from-1)
		to = min(l.height, from+2)
	}
	return from, to
}

// pack turns a picture into pixels as the screen has them, with the gaps
// between lines.
func (l layout) pack(img *image.RGBA, rotate int) []byte {
	out := make([]byte, (l.height-1)*l.line+l.width*l.bytes)
	size := img.Bounds().Size()
	for y := range l.height {
		i := y * l.line
		for x := range l.width {
			at := image.Pt(x, y)
			switch rotate {
			case 90:
				at = image.Pt(y, size.Y-1-x)
			case 180:
				at = image.Pt(size.X-1-x, size.Y-1-y)
			case 270:
				at = image.Pt(size.X-1-y, x)
			}
			c := img.RGBAAt(at.X, at.Y)
			v := scaled(c.R, l.red) | scaled(c.G, l.green) | scaled(c.B, l.blue)
			for b := range l.bytes {
				out[i+b] = byte(v >> (8 * b))
			}
			i += l.bytes
		}
	}
	return out
}

func scaled(c uint8, f field) uint32 { return uint32(c) >> (8 - f.Length) << f.Offset }
