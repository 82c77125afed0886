// Package hallway says what small displays on the walls show, and keeps saying
// it: emergencies first, then notices, all-clears, and the clock with the next
// bell.
//
// A display follows the state of this moment and nothing else. Each has a loop
// and a hand of its own, so that one which hangs, or is not there, delays no
// other; a quiet alert never reaches any of them.
package hallway

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"time"

	"periph.io/x/conn/v3/display"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/timetable"
	"nabat/gateway/words"
	"nabat/hw/display/glyph"
)

// Source tells the state of this moment. View is nil until it is loaded.
// Changed returns a channel that is closed at the next change: take it first,
// then View, and no change is missed.
type Source interface {
	View() *alert.View
	Changed() <-chan struct{}
}

// Display is one display on a wall.
type Display struct {
	ID string
	// Zones are those whose alerts and notices it shows; none, or "*", means all.
	Zones []string
	// Languages are those that it shows, in their order; none means all three,
	// the site's own first.
	Languages []alert.Language
	// Direction is where people leave from here: "left", "right", "up", "down",
	// or empty. It is shown where an alert says evacuate.
	Direction string
	// Open finds the device and initialises it. It is called again after every
	// error, and its error says what to do. The Drawer is used by one goroutine
	// at a time. Halt must blank the display; if the Drawer has a Close method,
	// that is called last. What a Drawer further says about itself is in Cells
	// and Paper.
	Open func() (display.Drawer, error)
}

// Cells is what a Drawer may implement that shows characters rather than
// pixels: the size of a cell in pixels. Text is laid out cell by cell for it.
type Cells interface {
	Cell() image.Point
}

// Paper is what a Drawer may implement that is slow and wears out when it is
// redrawn, and keeps its picture without power: the shortest time between two
// frames that nobody is in a hurry for.
type Paper interface {
	Pace() time.Duration
}

// Options configure Displays. Site, Source and Now must be set.
type Options struct {
	Site   *alert.Site
	Source Source
	// Health may be nil. Conditions are "display-lost:ID".
	Health *health.Registry
	// Now tells the time. While it is not synchronised no time of day is shown.
	Now func() alert.Stamp
	// Zone is the site's time zone; nil means time.Local.
	Zone *time.Location
	// NextBell returns the first bell after now; nil means that there are none.
	NextBell func(now time.Time) (timetable.Entry, bool)
	Displays []Display
}

// Displays is the job that drives all displays of a site.
type Displays struct {
	opt   Options
	panes []*pane
}

// New makes the job. It opens nothing.
func New(opt Options) (*Displays, error) {
	if opt.Site == nil || opt.Source == nil || opt.Now == nil {
		return nil, errors.New("displays need a site, a source and a clock")
	}
	if opt.Zone == nil {
		opt.Zone = time.Local
	}
	font, err := glyph.Load()
	if err != nil {
		return nil, fmt.Errorf("displays: %w", err)
	}
	real, err := loadTypeface()
	if err != nil {
		return nil, fmt.Errorf("displays: %w", err)
	}
	dictionary := make(map[alert.Language]words.Words)
	for _, l := range alert.Languages() {
		dictionary[l] = words.In(l)
	}
	d := &Displays{opt: opt}
	seen := make(map[string]bool)
	for _, one := range opt.Displays {
		switch {
		case one.ID == "" || seen[one.ID]:
			return nil, fmt.Errorf("display %q: give every display an id of its own", one.ID)
		case one.Open == nil:
			return nil, fmt.Errorf("display %q has no driver", one.ID)
		}
		seen[one.ID] = true
		d.panes = append(d.panes, newPane(opt, one, dictionary, font, real))
	}
	return d, nil
}

// Run drives the displays until ctx ends, then blanks them, so that none shows
// yesterday's alarm. It is an optional job. Run returns nil within a few seconds
// of the end of ctx also when a driver hangs in the kernel: that call alone is
// left behind, and the display is not touched again before it has returned.
func (d *Displays) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, p := range d.panes {
		wg.Go(func() { p.run(ctx) })
	}
	wg.Wait()
	<-ctx.Done() // a site without displays is no reason to end
	return nil
}
