package panel

import (
	"fmt"
	"image"
	"image/color"
)

// Size of the e-paper panel, lying on its long side.
const (
	paperWidth  = 250
	paperHeight = 122
	paperStride = (paperHeight + 7) / 8
)

// Paper is a 2.13 inch e-paper panel with an SSD1680.
type Paper struct {
	ready         bool // reset, and told its size
	new, old      [paperWidth * paperStride]byte
	shown         [paperWidth * paperStride]byte
	x, y          int
	command       byte
	args          []byte
	mode          byte
	windowX       bool
	Fulls, Partly int // refreshes so far
}

// NewPaper returns a panel that shows noise, as it came out of its box.
func NewPaper() *Paper {
	p := &Paper{}
	for i := range p.shown {
		p.shown[i] = byte(i * 37)
	}
	p.Cut()
	return p
}

// Cut takes the power away and gives it back: the picture stays, the memories
// do not.
func (p *Paper) Cut() {
	for i := range p.new {
		p.new[i], p.old[i] = byte(i*11), byte(i*29)
	}
	p.ready, p.command = false, 0
}

// Write takes one transfer; data is the level of the line that tells data from
// commands. began says that a refresh begins now: the panel is busy.
func (p *Paper) Write(data bool, b []byte) (began bool, err error) {
	if !data {
		if len(b) != 1 {
			return false, fmt.Errorf("e-paper: %d bytes as a command", len(b))
		}
		p.command, p.args = b[0], nil
		switch b[0] {
		case 0x12:
			p.ready = false
		case 0x20:
			return true, p.refresh()
		case 0x01, 0x11, 0x18, 0x21, 0x22, 0x24, 0x26, 0x3C, 0x44, 0x45, 0x4E, 0x4F, 0x7F:
		default:
			return false, fmt.Errorf("e-paper: command %#x", b[0])
		}
		return false, nil
	}
	switch p.command {
	case 0x24, 0x26:
		ram := &p.new
		if p.command == 0x26 {
			ram = &p.old
		}
		for _, v := range b {
			ram[p.y*paperStride+p.x] = v
			if p.x++; p.x == paperStride {
				p.x, p.y = 0, (p.y+1)%paperWidth
			}
		}
		return false, nil
	}
	p.args = append(p.args, b...)
	a := p.args
	switch {
	case p.command == 0x11 && a[0] != 0x03:
		return false, fmt.Errorf("e-paper: entry mode %#x", a[0])
	case p.command == 0x44 && len(a) == 2:
		p.windowX = a[0] == 0 && int(a[1]) == paperStride-1
	case p.command == 0x45 && len(a) == 4:
		p.ready = p.windowX && a[0] == 0 && a[1] == 0 && int(a[2])|int(a[3])<<8 == paperWidth-1
	case p.command == 0x4E && len(a) == 1:
		p.x = int(a[0])
	case p.command == 0x4F && len(a) == 2:
		p.y = int(a[0]) | int(a[1])<<8
	case p.command == 0x22:
		p.mode = a[0]
	}
	return false, nil
}

func (p *Paper) refresh() error {
	if !p.ready {
		return fmt.Errorf("e-paper: a refresh of a panel that was not set up")
	}
	switch p.mode {
	case 0xF7:
		p.shown, p.Fulls = p.new, p.Fulls+1
	case 0xFF: // only what differs moves
		p.Partly++
		for i := range p.shown {
			p.shown[i] ^= (p.shown[i] ^ p.new[i]) & (p.old[i] ^ p.new[i])
		}
	default:
		return fmt.Errorf("e-paper: refresh %#x", p.mode)
	}
	return nil
}

// Image is what a person sees, the cable on the left.
func (p *Paper) Image() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, paperWidth, paperHeight))
	for y := range paperHeight {
		for x := range paperWidth {
			if p.shown[(paperWidth-1-x)*paperStride+y/8]&(0x80>>(y%8)) != 0 {
				img.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	return img
}
