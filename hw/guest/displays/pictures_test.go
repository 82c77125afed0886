//go:build inguest

package displays

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"slices"
	"testing"
	"time"

	"periph.io/x/conn/v3/display"

	"nabat/gateway/alert"
	"nabat/gateway/hallway"
	"nabat/hw/display/framebuffer"
)

// golden returns a picture that came with the guest; nil when there is none.
func golden(t *testing.T, name string) *image.Gray {
	t.Helper()
	f, err := os.Open("/golden/" + name + ".png")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	grey, ok := img.(*image.Gray)
	if !ok {
		t.Fatalf("%s is a %T", name, img)
	}
	return grey
}

// hand prints a picture for the other side of the console.
func hand(t *testing.T, name string, img image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("PICTURE %s %s\n", name, base64.StdEncoding.EncodeToString(b.Bytes()))
}

func same(a, b *image.Gray) bool {
	return a != nil && b != nil && a.Rect == b.Rect && bytes.Equal(a.Pix, b.Pix)
}

// scenes are what the pictures are taken of.
var scenes = []struct {
	name string
	lang alert.Language
	play func(h *house)
}{
	{"emergency-ru", alert.Russian, func(h *house) { h.press(alert.Fire, alert.Actual, "canteen") }},
	{"emergency-kk", alert.Kazakh, func(h *house) { h.press(alert.Fire, alert.Actual, "canteen") }},
	{"emergency-en", alert.English, func(h *house) { h.press(alert.Intruder, alert.Actual, "room") }},
	{"drill-ru", alert.Russian, func(h *house) { h.press(alert.Intruder, alert.Exercise, "room") }},
	{"clock-kk", alert.Kazakh, func(*house) {}},
}

// TestPictures plays each scene on all displays at once.
func TestPictures(t *testing.T) {
	b := newBench(t)
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			b.set(func() { b.lights = nil })
			h := open(t, s.lang, "lcd", "matrix", "oled", "paper")
			s.play(h)
			still := []string{"lcd", "oled", "paper"}
			if s.name == "clock-kk" {
				still = []string{"matrix", "lcd", "oled", "paper"} // the time fits; the next bell runs
			}
			for _, id := range still {
				name := id + "-" + s.name
				if want := golden(t, name); want != nil {
					await(t, name, func() bool { return same(b.shows(id), want) }, func() any {
						hand(t, name, b.shows(id))
						return "the picture differs from the one that was looked at"
					})
				} else {
					hand(t, name, b.settled(t, id))
				}
			}
			name := "matrix-" + s.name
			switch want := golden(t, name); {
			case slices.Contains(still, "matrix"):
			case want != nil:
				b.awaitRibbon(t, name, want)
			default:
				hand(t, name, b.ribbon(t))
			}
			if got := h.lost(); len(got) != 0 {
				t.Errorf("conditions %v", got)
			}
			h.stop()
			for _, id := range []string{"matrix", "oled"} {
				if dark := b.shows(id); slices.Max(dark.Pix) != 0 {
					t.Errorf("%s is not dark after the end", id)
				}
			}
		})
	}
}

// settled returns a picture that has stood for a while. It is for making the
// golden ones only, on a machine with nothing else to do.
func (b *bench) settled(t *testing.T, id string) *image.Gray {
	t.Helper()
	last, since := b.shows(id), time.Now()
	await(t, id, func() bool {
		if now := b.shows(id); !same(now, last) {
			last, since = now, time.Now()
		}
		return time.Since(since) > time.Second
	}, func() any { return "it never stands still" })
	return last
}

// shifted reports whether b is a, moved to the left by n columns.
func shifted(a, b *image.Gray, n int) bool {
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() - n {
			if a.GrayAt(x+n, y) != b.GrayAt(x, y) {
				return false
			}
		}
	}
	return true
}

// ribbon puts together what ran through the matrix once, from dark to dark. It is for making the golden ones only.
func (b *bench) ribbon(t *testing.T) *image.Gray {
	t.Helper()
	dark := image.NewGray(image.Rect(0, 0, 32, 8))
	var run []*image.Gray
	await(t, "ribbon", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		last := -1
		for i, img := range b.lights {
			if !same(img, dark) {
				continue
			}
			if last >= 0 && i-last > 20 {
				run = b.lights[last:i]
				return true
			}
			last = i
		}
		return false
	}, func() any { return len(b.lights) })
	var columns [][8]byte
	for i := 1; i < len(run); i++ {
		n := 1
		for n < 8 && !shifted(run[i-1], run[i], n) {
			n++
		}
		for x := 32 - n; x < 32; x++ {
			var c [8]byte
			for y := range c {
				c[y] = run[i].GrayAt(x, y).Y
			}
			columns = append(columns, c)
		}
	}
	for len(columns) > 0 && columns[len(columns)-1] == [8]byte{} {
		columns = columns[:len(columns)-1]
	}
	img := image.NewGray(image.Rect(0, 0, len(columns), 8))
	for x, c := range columns {
		for y, v := range c {
			img.SetGray(x, y, color.Gray{Y: v})
		}
	}
	return img
}

// awaitRibbon waits until the matrix has shown a good part of a ribbon, in its
// order and nothing else.
func (b *bench) awaitRibbon(t *testing.T, name string, want *image.Gray) {
	t.Helper()
	window := func(offset int) *image.Gray {
		img := image.NewGray(image.Rect(0, 0, 32, 8))
		for y := range 8 {
			for x := range 32 {
				img.SetGray(x, y, want.GrayAt(x+offset-32, y))
			}
		}
		return img
	}
	next, seen, at := 0, 0, 0
	await(t, name, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for ; next < len(b.lights); next++ {
			img := b.lights[next]
			found := false
			for n := range want.Rect.Dx() + 33 {
				if o := (at + n) % (want.Rect.Dx() + 33); same(img, window(o)) {
					found, at, seen = true, o, seen+1
					break
				}
			}
			// Before the scene there was the clock, or nothing.
			if !found && seen > 0 {
				hand(t, name, img)
				t.Fatalf("%s: the matrix shows what is not in the picture", name)
			}
		}
		return seen > want.Rect.Dx()/3
	}, func() any { return fmt.Sprintf("%d pictures, %d of them in their place", next, seen) })
	t.Logf("%s: %d of %d columns seen", name, seen, want.Rect.Dx()+33)
}

// TestScreen shows a scene on the screen and leaves it there, for somebody
// outside to look at what the machine sends to its monitor.
func TestScreen(t *testing.T) {
	h := &house{changed: make(chan struct{})}
	d := hallway.Display{ID: "screen", Languages: []alert.Language{alert.Kazakh}, Direction: "right"}
	d.Open = func() (display.Drawer, error) { return drawer(framebuffer.Open(framebuffer.Options{})) }
	h.press(alert.Fire, alert.Actual, "canteen")
	h.run(t, []hallway.Display{d})
	file, err := os.Open("/dev/fb0")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	corner := make([]byte, 4)
	await(t, "the screen", func() bool {
		_, err := file.ReadAt(corner, 0)
		return err == nil && corner[2] == 0x8C // red
	}, func() any { return h.health.List() })
	<-time.After(time.Second) // the kernel copies to the adapter later
	fmt.Println("SCREEN READY")
	<-time.After(patience)
	if got := h.lost(); len(got) != 0 {
		t.Errorf("conditions %v", got)
	}
}
