package hallway

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/hw/display/glyph"
)

// hold is how long a picture stands that does not run.
const hold = 4 * time.Second

// speed is how fast text runs, in columns a second; step is the time of one.
// Between the end of a text and the next beginning some columns are dark.
const (
	speed = 25
	step  = time.Second / speed
	dark  = 8
)

// strip is one picture of a reel and how long it is shown. A wide one runs in
// from the right and out to the left.
type strip struct {
	img    *image.RGBA
	ground color.Color // beside it
	wide   bool
	last   time.Duration
}

// reel is what a display goes through, again and again.
type reel struct {
	pages  []page
	nature nature
	strips []strip
	whole  time.Duration
}

// frame returns the picture of this moment and how long it stands.
func (p *pane) frame(view *alert.View, now time.Time) (*image.RGBA, time.Duration, error) {
	stamp := p.opt.Now()
	s := p.scene(view, stamp)
	n := natureOf(p.drawer)
	fresh := s.news != p.news
	if fresh {
		p.news, p.begun = s.news, now
	}
	if slow, ok := p.drawer.(Paper); ok {
		img, err := p.still(s, n, fresh, slow.Pace(), now)
		return img, Reassert, err
	}
	if err := p.wind(s.pages, n); err != nil {
		return nil, 0, err
	}
	img, next := p.reel.at(now.Sub(p.begun))
	return img, min(next, Reassert, untilMinute(stamp)), nil
}

// untilMinute is how long the minute of the clock lasts.
func untilMinute(now alert.Stamp) time.Duration {
	return now.Wall.Truncate(time.Minute).Add(time.Minute).Sub(now.Wall)
}

// wind makes the reel of pages, if it is another than before.
func (p *pane) wind(pages []page, n nature) error {
	same := len(pages) == len(p.reel.pages) && n == p.reel.nature
	for i := 0; same && i < len(pages); i++ {
		same = pages[i] == p.reel.pages[i]
	}
	if same {
		return nil
	}
	r := reel{pages: pages, nature: n}
	for _, one := range pages {
		imgs, err := p.layout(n, one)
		if err != nil {
			return err
		}
		for _, img := range imgs {
			one := strip{img: img, ground: n.theme(one.Tone).ground, last: hold, wide: img.Bounds().Dx() > n.size.X}
			if one.wide {
				one.last = time.Duration(img.Bounds().Dx()+n.size.X+dark) * step
			}
			r.strips, r.whole = append(r.strips, one), r.whole+one.last
		}
	}
	p.reel = r
	return nil
}

// at returns the picture when the reel has run for elapsed, and how long it
// stands.
func (r *reel) at(elapsed time.Duration) (*image.RGBA, time.Duration) {
	elapsed %= r.whole
	i := 0
	for ; i < len(r.strips)-1 && elapsed >= r.strips[i].last; i++ {
		elapsed -= r.strips[i].last
	}
	one := r.strips[i]
	if !one.wide {
		return one.img, one.last - elapsed
	}
	column := int(elapsed / step)
	img := blankOf(r.nature.size, one.ground)
	draw.Draw(img, img.Bounds(), one.img, image.Pt(column-r.nature.size.X, 0), draw.Src)
	return img, time.Duration(column+1)*step - elapsed
}

// still returns the one picture of a slow display: all languages at once, drawn
// anew at once when something happened, and otherwise no more often than pace.
func (p *pane) still(s scene, n nature, fresh bool, pace time.Duration, now time.Time) (*image.RGBA, error) {
	if p.paper != nil && !fresh && now.Sub(p.since) < pace {
		return p.paper, nil
	}
	one := s.pages[0]
	if len(s.pages) > 1 && one.Clock && one.Do == "" {
		one = s.pages[1] // the time with the next bell
	}
	if one.Clock {
		one.Title = "≈ " + one.Title // it may be some minutes old when it is read
	}
	var also []string
	for _, other := range s.pages {
		text := strings.Join(other.parts()[:min(2, len(other.parts()))], " – ")
		if !other.Clock && len(s.pages) > 1 && !strings.HasPrefix(text, one.Title+" – ") && text != one.Title && text != one.Do {
			also = append(also, text)
		}
	}
	img, err := p.sheet(n, one, also)
	if err != nil {
		return nil, err
	}
	p.paper, p.since = img, now
	return img, nil
}

// sheet draws a page with what else is to be said in small letters below.
func (p *pane) sheet(n nature, one page, also []string) (*image.RGBA, error) {
	set := bitmap{font: p.font, pitch: glyph.Pitch, scale: max(1, n.size.Y/160)}
	var lines []string
	for _, text := range also {
		lines = append(lines, wrap(text, func(s string) bool { return set.measure(s) <= n.size.X })...)
	}
	lines = lines[:min(len(lines), n.size.Y/3/set.line())]
	upper := n
	upper.size.Y -= len(lines) * set.line()
	imgs, err := p.posters(upper, one)
	if err != nil {
		return nil, err
	}
	th := n.theme(one.Tone)
	img := blankOf(n.size, th.ground)
	draw.Draw(img, imgs[0].Bounds(), imgs[0], image.Point{}, draw.Src)
	for i, text := range lines {
		set.put(img, image.Pt((n.size.X-set.measure(text))/2, upper.size.Y+i*set.line()), text, th.ink)
	}
	return img, nil
}
