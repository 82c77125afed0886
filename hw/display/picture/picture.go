// Package picture is a display without hardware: what is drawn on it can be
// looked at as a PNG. The demonstration shows its hallway displays that way.
package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"sync"

	"periph.io/x/conn/v3/display"
)

// Picture is a display in memory. All methods may be called from any goroutine.
type Picture struct {
	name string
	size image.Point

	mu      sync.Mutex // guards what follows
	canvas  *image.Gray
	version uint64
}

var _ display.Drawer = (*Picture)(nil)

// New returns a dark display of size pixels.
func New(name string, size image.Point) *Picture {
	return &Picture{name: name, size: size, canvas: image.NewGray(image.Rectangle{Max: size})}
}

// String implements display.Drawer.
func (p *Picture) String() string {
	return fmt.Sprintf("%s (%d × %d, simulated)", p.name, p.size.X, p.size.Y)
}

// Halt implements display.Drawer: the display goes dark.
func (p *Picture) Halt() error {
	return p.Draw(p.Bounds(), image.Black, image.Point{})
}

// ColorModel implements display.Drawer.
func (p *Picture) ColorModel() color.Model { return color.GrayModel }

// Bounds implements display.Drawer.
func (p *Picture) Bounds() image.Rectangle { return image.Rectangle{Max: p.size} }

// Draw implements display.Drawer.
func (p *Picture) Draw(dst image.Rectangle, src image.Image, sp image.Point) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	draw.Draw(p.canvas, dst, src, sp, draw.Src)
	p.version++
	return nil
}

// Version grows with every Draw.
func (p *Picture) Version() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version
}

// PNG returns what the display shows.
func (p *Picture) PNG() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b bytes.Buffer
	if err := png.Encode(&b, p.canvas); err != nil {
		return nil, fmt.Errorf("encode what %s shows: %w", p.name, err)
	}
	return b.Bytes(), nil
}
