package web

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
	"nabat/gateway/web/slides"
)

// Timetable tells what is due on a day. It is called from many goroutines.
type Timetable interface {
	// Day returns the entries of the day on which at lies in the site's time
	// zone, in the order of their times.
	Day(at time.Time) []timetable.Entry
}

const (
	// usualSlide is how long a slide stands where the options do not say.
	usualSlide = 15 * time.Second
	shortSlide = 3 * time.Second
	// maxBells is how many bells of a day a screen is told.
	maxBells = 40
	// daysAhead is how far the next bell is looked for.
	daysAhead = 7
	// lookEvery is how often time and timetable are looked at.
	lookEvery = time.Second
	// slidesPath is where slides are asked for.
	slidesPath = "/slides/"
)

// everyday holds what screens show while nothing is wrong. It is kept by a loop
// of its own and never made at the moment of an event: if a screen were told of
// a new minute just when something quiet happened, the moment would betray it.
type everyday struct {
	mu      sync.Mutex // guards all below
	now     ordinary
	changed chan struct{}
	// zero is the wall time at which the monotonic clock was zero, while it is
	// believed.
	zero     time.Time
	believed bool
	minute   time.Time // for which the bells were asked
}

// ordinary is one moment's worth of it. It is replaced, never edited.
type ordinary struct {
	Clock *lobbyClock
	Wall  time.Time // midnight of the day, zero without a believed clock
	Bells []dayBell
	List  []slides.Slide
}

type dayBell struct {
	At    int64 // milliseconds since 1970
	Day   time.Weekday
	Later bool // on another day than today
	Name  alert.Text
	Zones []string
}

// lobbyClock is the gateway's clock: a page adds the monotonic milliseconds of
// the last message. It stays the same until the clock is set.
type lobbyClock struct {
	// Zero is the wall time in milliseconds since 1970 at monotonic zero.
	Zero int64 `json:"zero"`
	// Zone is what is added to it for the time of day here, in milliseconds.
	Zone int64 `json:"zone"`
}

// lobbyEveryday is what a screen is told.
type lobbyEveryday struct {
	Clock *lobbyClock    `json:"clock,omitempty"`
	Days  []string       `json:"days,omitempty"`
	Bells []lobbyBell    `json:"bells,omitempty"`
	Steps []lobbySlide   `json:"slides,omitempty"`
	For   int64          `json:"for"`
	Help  []lobbyContact `json:"help,omitempty"`
}

// lobbyBell is a bell; its texts are in the screen's languages.
type lobbyBell struct {
	At    int64    `json:"at"`
	Names []string `json:"names"`
	// Days names the day of the week, for a bell that is not today's.
	Days []string `json:"days,omitempty"`
}

// lobbySlide is one step of the rotation.
type lobbySlide struct {
	URL     string         `json:"url"`
	Lang    alert.Language `json:"lang,omitempty"`
	Picture bool           `json:"picture,omitempty"`
}

// lobbyContact is a helpline.
type lobbyContact struct {
	Names []string `json:"names"`
	Phone string   `json:"phone,omitempty"`
	QR    *qrCode  `json:"qr,omitempty"`
}

// keepEveryday keeps what screens show in ordinary times until ctx ends.
func (s *Server) keepEveryday(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	var shelved <-chan struct{}
	if s.shelf != nil {
		group.Go(func() { _ = s.shelf.Run(ctx) }) // ends without an error
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if s.shelf != nil {
			shelved = s.shelf.Changed()
		}
		s.lookAtTheDay()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-shelved:
		}
	}
}

// lookAtTheDay takes the present time, bells and slides over.
func (s *Server) lookAtTheDay() {
	e := &s.everyday
	now := s.opt.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	next := ordinary{Bells: e.now.Bells}
	if zero, ok := e.believe(now, s.opt.ClockSure); ok {
		wall := zero.Add(now.Mono).Local()
		_, offset := wall.Zone()
		next.Clock = &lobbyClock{Zero: zero.UnixMilli(), Zone: int64(offset) * 1000}
		next.Wall = time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, wall.Location())
		if minute := wall.Truncate(time.Minute); !minute.Equal(e.minute) {
			e.minute, next.Bells = minute, s.bells(wall)
		}
	} else {
		e.minute, next.Bells = time.Time{}, nil
	}
	if s.shelf != nil {
		next.List = s.shelf.List()
	}
	if reflect.DeepEqual(next, e.now) {
		return
	}
	e.now = next
	if e.changed != nil {
		close(e.changed)
	}
	e.changed = make(chan struct{})
}

// believe returns the wall time at monotonic zero while the clock is to be
// believed: while it is synchronised, or sure says so, and afterwards until it
// is set to another time.
func (e *everyday) believe(now alert.Stamp, sure func(alert.Stamp) bool) (zero time.Time, ok bool) {
	zero = now.Wall.Add(-now.Mono)
	away := zero.Sub(e.zero).Abs()
	switch {
	case now.Synced || (sure != nil && sure(now)):
		if !e.believed || away > daytimeSlack {
			e.zero, e.believed = zero, true
		}
	case e.believed && away > time.Minute:
		e.believed = false
	}
	return e.zero, e.believed
}

// snapshot returns what holds now, and the channel that is closed when it does
// no longer.
func (e *everyday) snapshot() (ordinary, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.now, e.changed
}

// bells returns those of today, and the first one of a later day.
func (s *Server) bells(wall time.Time) []dayBell {
	if s.opt.Timetable == nil {
		return nil
	}
	var list []dayBell
	for ahead := range daysAhead + 1 {
		for _, entry := range s.opt.Timetable.Day(wall.AddDate(0, 0, ahead)) {
			if !entry.Bell || len(list) >= maxBells {
				continue
			}
			list = append(list, dayBell{At: entry.At.UnixMilli(), Day: entry.At.Weekday(), Later: ahead > 0, Name: entry.Name, Zones: slices.Clone(entry.Zones)})
			if ahead > 0 {
				return list
			}
		}
	}
	return list
}

// everydayNow returns what a screen is told while nothing is wrong.
func (s *Server) everydayNow(screen alert.Screen, lang alert.Language) *lobbyEveryday {
	now, _ := s.everyday.snapshot()
	langs := screenLanguages(screen, lang)
	told := &lobbyEveryday{Clock: now.Clock, For: s.slideFor().Milliseconds(), Steps: steps(now.List, langs)}
	if !now.Wall.IsZero() {
		for _, l := range langs {
			told.Days = append(told.Days, s.dayName(l, now.Wall))
		}
	}
	for _, b := range now.Bells {
		if len(b.Zones) > 0 && !hears(screen, b.Zones) {
			continue
		}
		bell := lobbyBell{At: b.At}
		for _, l := range langs {
			name := b.Name.In(l)
			if name == "" {
				name = s.words[l].Get("lobby.bell")
			}
			bell.Names = append(bell.Names, name)
			if b.Later {
				bell.Days = append(bell.Days, s.words[l].Get("weekday."+strconv.Itoa(int(b.Day))))
			}
		}
		told.Bells = append(told.Bells, bell)
	}
	for i, h := range s.opt.Site.Helplines {
		contact := lobbyContact{Phone: h.Phone, QR: s.codes[i]}
		for _, l := range langs {
			contact.Names = append(contact.Names, h.Name.In(l))
		}
		told.Help = append(told.Help, contact)
	}
	return told
}

func (s *Server) slideFor() time.Duration {
	if s.opt.SlideFor <= 0 {
		return usualSlide
	}
	return max(s.opt.SlideFor, shortSlide)
}

// dayName is a date as people say it.
func (s *Server) dayName(l alert.Language, day time.Time) string {
	w := s.words[l]
	return w.Fill("date", "weekday", w.Get("weekday."+strconv.Itoa(int(day.Weekday()))),
		"day", strconv.Itoa(day.Day()), "month", w.Get("month."+strconv.Itoa(int(day.Month()))))
}

// steps puts slides into the order of a screen: each slide once in every
// language that both have; in its first one where they have none in common.
func steps(list []slides.Slide, langs []alert.Language) []lobbySlide {
	var all []lobbySlide
	for _, slide := range list {
		var shown []lobbySlide
		for _, l := range append([]alert.Language{""}, langs...) {
			for _, f := range slide.Faces {
				if f.Lang == l {
					shown = append(shown, step(f))
				}
			}
		}
		if len(shown) == 0 {
			shown = append(shown, step(slide.Faces[0]))
		}
		all = append(all, shown...)
	}
	return all
}

func step(f slides.Face) lobbySlide {
	return lobbySlide{URL: slides.Address(slidesPath, f.Hash, f.File), Lang: f.Lang, Picture: f.Picture}
}

// makeCodes makes the QR code of each helpline: of its address, else of its number.
func (s *Server) makeCodes() {
	for _, h := range s.opt.Site.Helplines {
		content := h.URL
		if content == "" {
			content = "tel:" + dialled(h.Phone)
		}
		code, err := newQR(content)
		if err != nil {
			s.log.Warn("a helpline is shown without its QR code: shorten its address", "helpline", h.Name.In(s.opt.Site.Language), "error", err)
		}
		s.codes = append(s.codes, code)
	}
}

// dialled keeps of a phone number what a telephone dials.
func dialled(phone string) string {
	return string(slices.DeleteFunc([]byte(phone), func(c byte) bool { return (c < '0' || c > '9') && c != '+' && c != '*' && c != '#' }))
}

// slide serves one slide: a page as its nodes, a picture as it is. Its address
// holds a hash, so that browsers keep it and a screen never mixes two versions.
func (s *Server) slide(w http.ResponseWriter, r *http.Request) {
	if s.shelf == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	if page, ok := s.shelf.Page(r.PathValue("file"), r.PathValue("hash"), slidesPath); ok {
		h.Set("Cache-Control", "public, max-age=86400, immutable")
		s.answer(w, http.StatusOK, page)
		return
	}
	body, media, ok := s.shelf.Picture(r.Context(), r.PathValue("file"), r.PathValue("hash"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	h.Set("Cache-Control", "public, max-age=86400, immutable")
	h.Set("Content-Type", media)
	// A failed write means that the browser has gone; nobody is left to tell.
	_, _ = w.Write(body)
}
