package main

import (
	"errors"
	"fmt"
	"image"

	pin "periph.io/x/conn/v3/gpio"

	"periph.io/x/conn/v3/display"

	"nabat/gateway/alert"
	"nabat/gateway/config"
	"nabat/gateway/hallway"
	"nabat/gateway/supervise"
	"nabat/gateway/web"
	"nabat/hw/display/epaper"
	"nabat/hw/display/framebuffer"
	"nabat/hw/display/lcd"
	"nabat/hw/display/matrix"
	"nabat/hw/display/oled"
	"nabat/hw/display/picture"
	"nabat/hw/gpio"
)

// addDisplays drives the hallway displays, where the configuration has any.
func (g *gateway) addDisplays(group *supervise.Group) error {
	if len(g.config.Displays) == 0 {
		return nil
	}
	o := hallway.Options{
		Site: g.config.Site, Source: g.engine, Health: g.health, Now: func() alert.Stamp { return g.trusted(g.clock.Now()) }, NextBell: g.sound.calendar.Next,
	}
	for _, d := range g.config.Displays {
		o.Displays = append(o.Displays, hallway.Display{
			ID: d.ID, Zones: d.Zones, Languages: d.Languages, Direction: d.Direction, Open: g.openDisplay(d),
		})
	}
	job, err := hallway.New(o)
	if err != nil {
		return err
	}
	group.Optional("displays", supervise.Started(job.Run))
	return nil
}

// trusted is a time for displays: as screens do, they show that of a clock which
// is sure although the kernel does not hold it for synchronised.
func (g *gateway) trusted(now alert.Stamp) alert.Stamp {
	now.Synced = now.Synced || g.clockSure(now)
	return now
}

// openDisplay returns how a display is found. On a simulated board it is a
// picture that the wall page shows.
func (g *gateway) openDisplay(d config.Display) func() (display.Drawer, error) {
	if p := g.pictures[d.ID]; p != nil {
		return func() (display.Drawer, error) { return p, nil }
	}
	return func() (display.Drawer, error) {
		switch d.Type {
		case config.DisplaySSD1306:
			return opened(oled.Open(oled.Options{Bus: d.Bus, Address: d.Address, Width: d.Width, Height: d.Height}))
		case config.DisplayMAX7219:
			return opened(matrix.Open(matrix.Options{Port: d.Bus, Modules: d.Width / matrixSide}))
		case config.DisplayHD44780:
			return opened(lcd.Open(lcd.Options{Bus: d.Bus, Address: d.Address, Columns: d.Width, Rows: d.Height}))
		case config.DisplayEPaper:
			return opened(epaper.Open(epaper.Options{Port: d.Bus, Pins: paperPins(d)}))
		case config.DisplayFramebuffer:
			return opened(framebuffer.Open(framebuffer.Options{Device: d.Bus}))
		}
		return nil, fmt.Errorf("display %q: type %q has no driver", d.ID, d.Type)
	}
}

// matrixSide is how many dots wide one module of a matrix is.
const matrixSide = 8

// opened keeps a driver that failed from becoming a Drawer that is not nil.
func opened[D display.Drawer](d D, err error) (display.Drawer, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

// paperPins opens the lines of an e-paper panel.
func paperPins(d config.Display) func() (epaper.Pins, error) {
	return func() (epaper.Pins, error) {
		dc, err := gpio.OpenOutput(lineID(d.DC), pin.Low, consumer)
		if err != nil {
			return epaper.Pins{}, err
		}
		reset, err := gpio.OpenOutput(lineID(d.Reset), pin.High, consumer)
		if err != nil {
			return epaper.Pins{}, errors.Join(err, dc.Close())
		}
		busy, err := gpio.OpenInput(lineID(d.Busy), pin.PullDown, consumer)
		if err != nil {
			return epaper.Pins{}, errors.Join(err, dc.Close(), reset.Close())
		}
		return epaper.Pins{DC: dc, Reset: reset, Busy: busy, Close: func() error {
			return errors.Join(dc.Close(), reset.Close(), busy.Close())
		}}, nil
	}
}

// hallwayPictures shows the displays of a simulated board to the wall's page.
type hallwayPictures struct {
	list []config.Display
	by   map[string]*picture.Picture
}

// Displays implements web.Pictures.
func (p hallwayPictures) Displays() []web.DisplayPicture {
	var all []web.DisplayPicture
	for _, d := range p.list {
		one := p.by[d.ID]
		size := one.Bounds().Size()
		all = append(all, web.DisplayPicture{ID: d.ID, Width: size.X, Height: size.Y, Version: one.Version()})
	}
	return all
}

// PNG implements web.Pictures.
func (p hallwayPictures) PNG(id string) ([]byte, error) {
	one := p.by[id]
	if one == nil {
		return nil, fmt.Errorf("display %q: %w", id, errNoPoint)
	}
	return one.PNG()
}

// simPictures returns a picture for each display of a simulated board.
func simPictures(c *config.Config) map[string]*picture.Picture {
	pictures := make(map[string]*picture.Picture)
	if c.Board != config.BoardSim {
		return pictures
	}
	for _, d := range c.Displays {
		size := image.Pt(d.Width, d.Height)
		switch d.Type {
		case config.DisplayHD44780: // cells of five by eight dots
			size = image.Pt(d.Width*5, d.Height*8)
		case config.DisplayEPaper:
			size = image.Pt(epaper.Width, epaper.Height)
		case config.DisplayFramebuffer:
			size = image.Pt(1280, 720)
		case config.DisplaySSD1306, config.DisplayMAX7219:
		}
		pictures[d.ID] = picture.New(d.ID, size)
	}
	return pictures
}
