package hallway

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"time"

	"periph.io/x/conn/v3/display"

	"nabat/gateway/alert"
	"nabat/gateway/words"
	"nabat/hw/display/glyph"
)

// Reassert is how often a display is told its picture again, so that one that
// stopped answering is noticed.
const Reassert = time.Second

// patience is how long a call of a driver may last. With Reassert it makes up
// the five seconds within which a display that hangs is a condition.
const patience = 3 * time.Second

// First and last wait before a display that failed is opened again.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 8 * time.Second
)

// pane drives one display. The goroutine of run owns every field, but drawer
// belongs to the call in flight while there is one.
type pane struct {
	opt   Options
	it    Display
	words map[alert.Language]words.Words
	font  *glyph.Font
	real  *typeface

	drawer display.Drawer
	flight chan error // of a call that hung; nil when none does
	failed int        // in a row
	retry  time.Time  // not before

	news  string
	begun time.Time // when the news began
	reel  reel
	paper *image.RGBA // what a slow display shows
	since time.Time   // when paper was new
}

func newPane(opt Options, it Display, w map[alert.Language]words.Words, font *glyph.Font, real *typeface) *pane {
	return &pane{opt: opt, it: it, words: w, font: font, real: real}
}

var errHung = errors.New("it does not answer")

// do calls a driver and waits for patience. A call that lasts longer is left
// alone, and nothing else is asked of the display until it has returned: its
// goroutine is the only one.
func (p *pane) do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("its driver failed: %v", r)
			}
			done <- err
		}()
		err = f()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		p.flight = done
		return fmt.Errorf("%w for %s", errHung, patience)
	}
}

func (p *pane) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changed := p.opt.Source.Changed()
		timer.Reset(p.pass(time.Now()))
		select {
		case <-ctx.Done():
			p.blank()
			return
		case <-changed:
		case <-timer.C:
		case err := <-p.flight:
			// It answers at last; what it did meanwhile nobody knows.
			p.flight = nil
			p.lose(errors.Join(errHung, err))
		}
	}
}

// pass makes the display follow the state and returns how long nothing has to
// be done.
func (p *pane) pass(now time.Time) time.Duration {
	view := p.opt.Source.View()
	switch {
	case p.flight != nil || view == nil:
		return Reassert
	case p.drawer == nil:
		if early := p.retry.Sub(now); early > 0 {
			return early
		}
		if err := p.do(p.open); err != nil {
			p.lose(err)
			return Reassert
		}
	}
	frame, next, err := p.frame(view, now)
	if err == nil {
		err = p.do(func() error { return p.drawer.Draw(p.drawer.Bounds(), frame, image.Point{}) })
	}
	if err != nil {
		p.lose(err)
		return Reassert
	}
	p.failed = 0
	p.opt.Health.Clear("display-lost:" + p.it.ID)
	return max(0, next-time.Since(now))
}

func (p *pane) open() error {
	d, err := p.it.Open()
	if err != nil {
		return err
	}
	if d.Bounds().Empty() {
		return errors.Join(errors.New("it says that it has no size"), shut(d))
	}
	p.drawer = d
	return nil
}

// lose sets the condition and gives the driver back, to open it anew later: a
// display that was unplugged needs its initialisation again.
func (p *pane) lose(err error) {
	p.opt.Health.Set("display-lost:"+p.it.ID, fmt.Sprintf(
		"display %s may show nothing, or something old: %v; check its power, its cable and its address. It is tried again and again", p.it.ID, err))
	if p.flight == nil && p.drawer != nil {
		d := p.drawer
		p.drawer = nil
		// It failed already; that closing it fails as well says nothing new.
		_ = p.do(func() error { return shut(d) })
	}
	p.paper, p.news = nil, ""
	wait := lastRetry
	if p.failed < 4 {
		wait = firstRetry << p.failed
	}
	p.failed++
	p.retry = time.Now().Add(wait)
}

// blank leaves a display without a picture, so that nobody takes an old one for
// the truth.
func (p *pane) blank() {
	if p.flight != nil || p.drawer == nil {
		return
	}
	d := p.drawer
	p.drawer = nil
	// There is nobody to tell: the job is over.
	_ = p.do(func() error { return errors.Join(d.Halt(), shut(d)) })
}

func shut(d display.Drawer) error {
	if c, ok := d.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
