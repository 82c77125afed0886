package framebuffer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"
)

// screen is a usual one of 16, 24 or 32 bits a pixel.
func screen(width, height, bits, gap uint32) (variable, fixed) {
	v := variable{Width: width, Height: height, Bits: bits, Red: field{16, 8, 0}, Green: field{8, 8, 0}, Blue: field{0, 8, 0}}
	if bits == 16 {
		v.Red, v.Green, v.Blue = field{11, 5, 0}, field{5, 6, 0}, field{0, 5, 0}
	}
	line := width*bits/8 + gap
	return v, fixed{Line: line, Size: line * height}
}

// on returns a display whose screen is a file.
func on(t *testing.T, l layout, rotate int) (*Display, string) {
	name := filepath.Join(t.TempDir(), "fb")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	size := image.Rect(0, 0, l.width, l.height)
	if rotate%180 != 0 {
		size = image.Rect(0, 0, l.height, l.width)
	}
	d := &Display{opt: Options{Device: name, Rotate: rotate}, file: f, layout: l, img: image.NewRGBA(size)}
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), d.Close()); err != nil {
			t.Error(err)
		}
	})
	return d, name
}

func TestTheKernelsStructuresHaveTheirSize(t *testing.T) {
	if n := unsafe.Sizeof(variable{}); n != 160 {
		t.Errorf("fb_var_screeninfo has %d bytes, want 160", n)
	}
	if n, want := unsafe.Sizeof(fixed{}), 56+3*unsafe.Sizeof(uintptr(0)); n != want {
		t.Errorf("fb_fix_screeninfo has %d bytes, want %d", n, want)
	}
}

func TestPixelsAreWhereTheScreenHasThem(t *testing.T) {
	for _, bits := range []uint32{16, 24, 32} {
		for _, rotate := range []int{0, 90, 180, 270} {
			v, f := screen(6, 4, bits, 8)
			v.Y, f.Size = 2, f.Size*2
			l, err := layoutOf(v, f)
			if err != nil {
				t.Fatal(err)
			}
			d, name := on(t, l, rotate)
			img := image.NewRGBA(d.Bounds())
			img.SetRGBA(1, 2, color.RGBA{0xFF, 0x80, 0x08, 0xFF})
			for range 2 { // the second time nearly nothing is written
				if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
					t.Fatal(err)
				}
			}
			// Turned clockwise by 90, the top is on the right.
			at := map[int]image.Point{0: {1, 2}, 90: {l.width - 1 - 2, 1}, 180: {4, 1}, 270: {2, l.height - 1 - 1}}[rotate]
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want := map[uint32][]byte{16: {0x01, 0xFC}, 24: {0x08, 0x80, 0xFF}, 32: {0x08, 0x80, 0xFF, 0}}[bits]
			i := (2+at.Y)*l.line + at.X*l.bytes
			if !bytes.Equal(b[i:i+l.bytes], want) {
				t.Errorf("%d bits, turned by %d: %x at %v, want %x", bits, rotate, b[i:i+l.bytes], at, want)
			}
			copy(b[i:], make([]byte, l.bytes))
			if len(bytes.Trim(b, "\x00")) != 0 {
				t.Errorf("%d bits, turned by %d: other pixels are set", bits, rotate)
			}
		}
	}
}

func TestNoWriteIsOfOneLineOnly(t *testing.T) {
	v, f := screen(3, 5, 16, 2)
	l, err := layoutOf(v, f)
	if err != nil {
		t.Fatal(err)
	}
	black := image.NewRGBA(image.Rect(0, 0, 3, 5))
	for y := range 5 {
		img := image.NewRGBA(black.Rect)
		img.SetRGBA(1, y, color.RGBA{0xFF, 0xFF, 0xFF, 0xFF})
		from, to := l.changed(l.pack(black, 0), l.pack(img, 0))
		if to-from != 2 || from < 0 || to > 5 || y < from || y >= to {
			t.Errorf("line %d: %d to %d are written", y, from, to)
		}
	}
	if from, to := l.changed(l.pack(black, 0), l.pack(black, 0)); from != 0 || to != 2 {
		t.Errorf("nothing: %d to %d are written", from, to)
	}
}

func TestOddScreensAreRefused(t *testing.T) {
	for name, change := range map[string]func(*variable, *fixed){
		"no pixels":        func(v *variable, _ *fixed) { v.Width = 0 },
		"eight bits":       func(v *variable, _ *fixed) { v.Bits = 8 },
		"grey":             func(v *variable, _ *fixed) { v.Grey = 1 },
		"planes":           func(_ *variable, f *fixed) { f.Type = 1 },
		"short lines":      func(_ *variable, f *fixed) { f.Line = 3 },
		"little memory":    func(_ *variable, f *fixed) { f.Size-- },
		"a colour outside": func(v *variable, _ *fixed) { v.Red.Offset = 30 },
		"no green":         func(v *variable, _ *fixed) { v.Green.Length = 0 },
		"outside":          func(v *variable, _ *fixed) { v.Y = 1 },
	} {
		v, f := screen(6, 4, 32, 0)
		change(&v, &f)
		if _, err := layoutOf(v, f); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWhatIsNoScreenSaysWhatToDo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		opt  Options
		want string
	}{{Options{Device: "/dev/fb250"}, "monitor"}, {Options{Device: file}, "framebuffer"}, {Options{Rotate: 45}, "rotate"}} {
		if _, err := Open(c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.opt, err)
		}
	}
}

func TestAScreenThatGoesIsAnError(t *testing.T) {
	v, f := screen(6, 4, 32, 0)
	l, err := layoutOf(v, f)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := on(t, l, 0)
	if err := errors.Join(d.Halt(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if err := d.Halt(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func FuzzLayout(f *testing.F) {
	v, x := screen(6, 4, 16, 2)
	var b bytes.Buffer
	for _, n := range []uint32{v.Width, v.Height, v.X, v.Y, v.Bits, v.Red.Offset, v.Red.Length, x.Line, x.Size} {
		if err := binary.Write(&b, binary.LittleEndian, n); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 36 {
			return
		}
		n := func(i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }
		v := variable{Width: n(0), Height: n(1), X: n(2), Y: n(3), Bits: n(4), Red: field{n(5), n(6), 0}, Green: field{0, 5, 0}, Blue: field{5, 5, 0}}
		l, err := layoutOf(v, fixed{Line: n(7), Size: n(8)})
		if err != nil || l.width*l.height > 1<<16 {
			return
		}
		img := image.NewRGBA(image.Rect(0, 0, l.width, l.height))
		if end := l.first + len(l.pack(img, 0)); end > int(n(8)) {
			t.Errorf("drawn until %d of %d", end, n(8))
		}
	})
}
