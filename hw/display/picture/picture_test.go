package picture_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"nabat/hw/display/picture"
)

func TestWhatIsDrawnIsSeen(t *testing.T) {
	p := picture.New("hall", image.Pt(16, 8))
	if err := p.Draw(image.Rect(4, 2, 8, 4), image.White, image.Point{}); err != nil {
		t.Fatal(err)
	}
	b, err := p.PNG()
	if err != nil {
		t.Fatal(err)
	}
	got, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	white := color.GrayModel.Convert(got.At(5, 3)) == color.Gray{Y: 255}
	if dark := color.GrayModel.Convert(got.At(0, 0)) == (color.Gray{}); got.Bounds() != p.Bounds() || !white || !dark {
		t.Errorf("bounds %v, white %v, dark %v", got.Bounds(), white, dark)
	}
	if p.Version() != 1 {
		t.Errorf("version %d", p.Version())
	}
	if err := p.Halt(); err != nil {
		t.Fatal(err)
	}
	if after, err := p.PNG(); err != nil || bytes.Equal(after, b) {
		t.Errorf("it still shows something (%v)", err)
	}
}

func TestDrawingBesideTheDisplayIsCutOff(t *testing.T) {
	p := picture.New("hall", image.Pt(4, 4))
	if err := p.Draw(image.Rect(-10, -10, 100, 100), image.White, image.Point{}); err != nil {
		t.Fatal(err)
	}
}
