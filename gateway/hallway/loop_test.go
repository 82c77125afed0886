package hallway

import (
	"context"
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
)

// play runs displays in a bubble of time of its own while f acts.
func play(t *testing.T, h *house, f func(opt Options), displays ...Display) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h.changed = make(chan struct{}) // of this bubble
		begin := time.Now()
		h.stamp = func() alert.Stamp {
			return alert.Stamp{Wall: time.Date(2026, 11, 23, 12, 45, 7, 0, time.UTC).Add(time.Since(begin)), Synced: true}
		}
		opt := options(h, displays...)
		all, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- all.Run(ctx) }()
		synctest.Wait()
		f(opt)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestADisplayThatHangsIsAConditionAndDelaysNoOther(t *testing.T) {
	h, bad, good := newHouse(), newCanvas(128, 64), newCanvas(128, 64)
	play(t, h, func(opt Options) {
		pass(2 * time.Second)
		if len(conditions(opt.Health)) != 0 {
			t.Fatalf("%v", conditions(opt.Health))
		}
		hang := make(chan struct{})
		bad.set(func() { bad.hang = hang })
		pass(5 * time.Second)
		if c := conditions(opt.Health); !strings.Contains(c["display-lost:bad"], "does not answer") || len(c) != 1 {
			t.Errorf("after five seconds: %v", c)
		}
		before := good.shown()
		h.press(alert.Fire, alert.LevelEmergency, alert.Actual, "canteen")
		synctest.Wait()
		if string(good.shown().Pix) == string(before.Pix) {
			t.Error("the other display does not show the alarm at once")
		}
		pass(time.Hour)
		bad.set(func() {
			if bad.calls != 1 || bad.most != 1 {
				t.Errorf("%d calls in flight, at most %d", bad.calls, bad.most)
			}
			bad.hang = nil
		})
		opens := bad.opens
		close(hang)
		pass(lastRetry + time.Second)
		if c := conditions(opt.Health); len(c) != 0 {
			t.Errorf("after it came back: %v", c)
		}
		if bad.opens <= opens || bad.closed == 0 {
			t.Error("not initialised anew")
		}
		if string(bad.shown().Pix) != string(good.shown().Pix) {
			t.Error("it does not show the alarm")
		}
	}, Display{ID: "bad", Open: bad.open}, Display{ID: "good", Open: good.open})
	if good.halted != 1 || good.closed != 1 {
		t.Errorf("at the end: %d times blanked, %d times closed", good.halted, good.closed)
	}
}

func TestADisplayThatIsAbsentVanishesAndComesBack(t *testing.T) {
	h, c := newHouse(), newCanvas(128, 64)
	c.fail = errUnplugged
	play(t, h, func(opt Options) {
		pass(time.Second)
		if got := conditions(opt.Health)["display-lost:it"]; !strings.Contains(got, "unplugged") || !strings.Contains(got, "check its power") {
			t.Errorf("absent: %q", got)
		}
		pass(10 * time.Minute)
		if n := c.opens; n < 10*60/8-2 || n > 10*60/8+6 {
			t.Errorf("opened %d times in ten minutes", n)
		}
		c.set(func() { c.fail = nil })
		pass(lastRetry + time.Second)
		if got := conditions(opt.Health); len(got) != 0 || c.shown() == nil {
			t.Errorf("present: %v", got)
		}
		opens := c.opens
		c.set(func() { c.fail = errUnplugged })
		pass(5 * time.Second)
		if got := conditions(opt.Health); len(got) != 1 {
			t.Errorf("vanished: %v", got)
		}
		c.set(func() { c.fail = nil })
		pass(lastRetry + time.Second)
		if got := conditions(opt.Health); len(got) != 0 || c.opens == opens {
			t.Errorf("back: %v", got)
		}
		c.set(func() { c.panics = true })
		pass(5 * time.Second)
		if got := conditions(opt.Health)["display-lost:it"]; !strings.Contains(got, "index out of range") {
			t.Errorf("a driver with a mistake: %q", got)
		}
		c.set(func() { c.panics = false })
		pass(lastRetry + time.Second)
		if got := conditions(opt.Health); len(got) != 0 {
			t.Errorf("after the mistake: %v", got)
		}
	}, Display{ID: "it", Open: c.open})
}

func TestNothingIsShownBeforeTheStateIsKnown(t *testing.T) {
	h, c := newHouse(), newCanvas(128, 64)
	h.loaded = false
	play(t, h, func(Options) {
		pass(10 * time.Second)
		if c.opens != 0 {
			t.Error("opened before the state is known")
		}
		h.loaded = true
		h.press(alert.Fire, alert.LevelEmergency, alert.Actual, "canteen")
		synctest.Wait()
		if c.shown() == nil || len(c.frames) != 1 {
			t.Errorf("%d frames", len(c.frames))
		}
	}, Display{ID: "it", Open: c.open})
}

func TestARunThatEndsWhileADriverHangsEnds(t *testing.T) {
	h, c := newHouse(), newCanvas(128, 64)
	synctest.Test(t, func(t *testing.T) {
		h.changed = make(chan struct{})
		hang := make(chan struct{})
		c.hang = hang
		all, err := New(options(h, Display{ID: "it", Open: c.open}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begin := time.Now()
		if err := all.Run(ctx); err != nil || time.Since(begin) > 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		close(hang)
		synctest.Wait()
	})
}

func TestTextRunsSmoothly(t *testing.T) {
	h, c := newHouse(), newCanvas(32, 8)
	play(t, h, func(Options) {
		c.set(func() { c.frames, c.times = nil, nil })
		h.press(alert.Fire, alert.LevelEmergency, alert.Exercise, "canteen")
		synctest.Wait()
		pass(10 * time.Second)
		for i := 2; i < len(c.frames); i++ {
			if gap := c.times[i].Sub(c.times[i-1]); gap > 2*step {
				t.Errorf("frame %d comes %s after the one before", i, gap)
			}
			a, b := c.frames[i-1], c.frames[i]
			for y := range 8 {
				for x := range 31 {
					if a.RGBAAt(x+1, y) != b.RGBAAt(x, y) {
						t.Fatalf("frame %d is not the one before, one column to the left", i)
					}
				}
			}
		}
		// The first letter is lit in its corner; what is beside it is not.
		if blank := blankOf(c.size, color.Black); string(c.frames[0].Pix) != string(blank.Pix) {
			t.Error("text does not come in from the dark")
		}
		if n := len(c.frames); n < 200 || n > 300 {
			t.Errorf("%d columns in ten seconds", n)
		}
	}, Display{ID: "it", Languages: []alert.Language{alert.Russian}, Open: c.open})
}

func TestPaperIsSpared(t *testing.T) {
	h, c := newHouse(), newCanvas(250, 122)
	c.pace = 3 * time.Minute
	play(t, h, func(Options) {
		pass(30 * time.Minute)
		if n := len(c.frames); n < 9 || n > 11 {
			t.Errorf("%d pictures in half an hour of everyday life", n)
		}
		for i := 1; i < len(c.times); i++ {
			if gap := c.times[i].Sub(c.times[i-1]); gap < c.pace {
				t.Errorf("%s between two pictures", gap)
			}
		}
		n := len(c.frames)
		h.press(alert.Fire, alert.LevelEmergency, alert.Actual, "canteen")
		synctest.Wait()
		if len(c.frames) != n+1 {
			t.Error("an emergency waits")
		}
		pass(time.Hour)
		if len(c.frames) != n+1 {
			t.Errorf("an emergency that stands is drawn %d times", len(c.frames)-n)
		}
		h.clear()
		synctest.Wait()
		if len(c.frames) != n+2 {
			t.Error("the all-clear waits")
		}
	}, Display{ID: "it", Open: c.open})
}

// Every page of everything fits every usual display, and shows something.
func TestEveryPageFitsEveryDisplay(t *testing.T) {
	rgb := newCanvas(1280, 720)
	rgb.model = color.RGBAModel
	lcd, wide := newCanvas(16*5, 2*8), newCanvas(20*5, 4*8)
	lcd.cell, wide.cell = image.Pt(5, 8), image.Pt(5, 8)
	for _, c := range []*canvas{newCanvas(128, 64), newCanvas(128, 32), newCanvas(32, 8), newCanvas(96, 8), newCanvas(250, 122), newCanvas(64, 16), lcd, wide, rgb} {
		h := newHouse()
		p := paneOf(t, h, Display{Open: c.open, Direction: "right"})
		d, err := c.open()
		if err != nil {
			t.Fatal(err)
		}
		n := natureOf(d)
		for _, status := range []alert.Status{alert.Actual, alert.Exercise} {
			for _, kind := range append(alert.Kinds(), "gas") {
				h.press(kind, alert.LevelEmergency, status, "room-204")
				for _, one := range p.now(h) {
					imgs, err := p.layout(n, one)
					if err != nil || len(imgs) == 0 {
						t.Fatalf("%v: %d pictures, %v", n, len(imgs), err)
					}
					for _, img := range imgs {
						if img.Bounds().Dy() != c.size.Y || img.Bounds().Dx() < c.size.X {
							t.Errorf("%v: a picture of %v", n, img.Bounds())
						}
						if blank := blankOf(img.Bounds().Size(), img.At(img.Bounds().Dx()/2, 0)); slices.Equal(blank.Pix, img.Pix) {
							t.Errorf("%v: an empty picture for %+v", n, one)
						}
					}
				}
				h.clear()
				h.do(func(v *alert.View) { v.Ended = nil })
			}
		}
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	h, c := newHouse(), newCanvas(8, 8)
	if _, err := New(Options{}); err == nil {
		t.Error("nothing is needed")
	}
	for _, bad := range [][]Display{{{ID: "a", Open: c.open}, {ID: "a", Open: c.open}}, {{Open: c.open}}, {{ID: "a"}}} {
		if _, err := New(options(h, bad...)); err == nil {
			t.Errorf("%d displays accepted", len(bad))
		}
	}
	opt := options(h, Display{ID: "a", Open: c.open})
	opt.NextBell, opt.Health, opt.Zone = nil, nil, nil
	all, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	if pages := all.panes[0].clock(h.stamp()); len(pages) != 1 {
		t.Errorf("without bells: %+v", pages)
	}
	opt.NextBell = func(time.Time) (timetable.Entry, bool) { return timetable.Entry{}, false }
}
