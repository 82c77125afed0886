package config

import (
	"cmp"
	"fmt"
)

// displays reads every [[display]]. The lines of an e-paper panel belong to the
// wall.
func (w *wall) displays(top *section) []Display {
	var list []Display
	ids, places := map[string]int{}, map[string]int{}
	for _, s := range top.tables("display") {
		d := Display{ID: s.id("id", `write id = "oled-1"`)}
		fresh := s.unique("display", d.ID, ids)
		if word, _, ok := s.required("type", `write type = "ssd1306", "max7219", "hd44780", "epaper" or "framebuffer"`); ok {
			d.Type = DisplayType(s.oneOf("type", word, string(DisplaySSD1306), string(DisplayMAX7219), string(DisplayHD44780), string(DisplayEPaper), string(DisplayFramebuffer)))
		}
		d.Zones = s.pick("zones", zoneChoices(w.site, false))
		d.Languages = s.languages("languages")
		w.part(s, &d)
		if word, _, ok := s.str("direction"); ok {
			d.Direction = s.oneOf("direction", word, "left", "right", "up", "down")
		}
		s.end()
		if at := fmt.Sprintf("%s %d", d.Bus, d.Address); d.Bus != "" {
			if first, twice := places[at]; twice {
				s.report(s.line, "give each display a bus or an address of its own", "the display in line %d is there already", first)
			} else {
				places[at] = s.line
			}
		}
		if fresh {
			list = append(list, d)
		}
	}
	return list
}

// usual is what a display of a type has where the installer says nothing.
type usual struct {
	bus           string
	address       int64 // 0 where there is none
	width, height int64
	most          int64 // of either; 0 where they cannot be chosen
	lines         bool
}

func usualDisplay(t DisplayType) usual {
	switch t {
	case DisplaySSD1306:
		return usual{bus: "/dev/i2c-1", address: 0x3c, width: 128, height: 64, most: 128}
	case DisplayMAX7219:
		return usual{bus: "/dev/spidev0.0", width: 32, height: 8, most: 256}
	case DisplayHD44780:
		return usual{bus: "/dev/i2c-1", address: 0x27, width: 16, height: 2, most: 40}
	case DisplayEPaper:
		return usual{bus: "/dev/spidev0.0", width: 250, height: 122, lines: true}
	case DisplayFramebuffer:
		return usual{bus: "/dev/fb0"}
	}
	return usual{}
}

// part reads what belongs to the type of a display.
func (w *wall) part(s *section, d *Display) {
	u := usualDisplay(d.Type)
	d.Bus = u.bus
	if bus, ok := s.path("bus"); ok {
		d.Bus = bus
	}
	const lowest, highest = 0x03, 0x77
	d.Address = int(s.number("address", u.address, lowest, highest))
	width, height := s.size(cmp.Or(u.most, 256))
	d.Width, d.Height = int(u.width), int(u.height)
	if width > 0 && height > 0 {
		d.Width, d.Height = width, height
	}
	d.DC, d.Reset, d.Busy = w.wire(s, "dc", u), w.wire(s, "reset", u), w.wire(s, "busy", u)
	if d.Type == "" {
		return
	}
	foreign := map[string]bool{"address": u.address == 0, "width": u.most == 0, "height": u.most == 0, "dc": !u.lines, "reset": !u.lines, "busy": !u.lines}
	for _, key := range s.n.keys {
		if foreign[key] {
			s.report(s.lineOf(key), "leave it out", "%s does not belong to type = %s", key, quote(string(d.Type)))
		}
	}
	if s.has("width") && s.has("height") && !d.possible() {
		s.report(s.lineOf("width"), d.sizes(), "a display of this type is not %d by %d", d.Width, d.Height)
	}
}

// possible reports whether such a display is made in this size.
func (d Display) possible() bool {
	switch d.Type {
	case DisplaySSD1306:
		return d.Width%8 == 0 && d.Height%8 == 0 && d.Height <= 64
	case DisplayMAX7219:
		return d.Width%8 == 0 && d.Height == 8
	case DisplayHD44780:
		return d.Width >= 8 && d.Height <= 4 && d.Width*d.Height <= 80
	case DisplayEPaper, DisplayFramebuffer:
		return true
	}
	return true
}

func (d Display) sizes() string {
	switch d.Type {
	case DisplaySSD1306:
		return "want 128 by 64, 128 by 32 or another size in steps of 8"
	case DisplayMAX7219:
		return "want 8 for each matrix in the chain by 8: 32 by 8 for four of them"
	case DisplayHD44780:
		return "want letters by rows: 16 by 2, 20 by 4"
	case DisplayEPaper, DisplayFramebuffer:
	}
	return "leave both out"
}

// wire reads one line of an e-paper panel.
func (w *wall) wire(s *section, key string, u usual) Line {
	t, there := s.table(key)
	if !there {
		if u.lines && w.board == BoardGPIO {
			s.report(s.line, "write "+key+" = { line = 25 }", "%s is missing", key)
		}
		return Line{}
	}
	defer t.end()
	return w.line(t, s.title+"'s "+key+" line")
}
