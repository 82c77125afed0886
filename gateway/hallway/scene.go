package hallway

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"nabat/gateway/alert"
)

// tone is what a page is about; displays with colours show it as one, beside
// the words.
type tone uint8

const (
	calm tone = iota
	alarm
	practice
	relief
)

// page is what is shown at one time, in one language. Empty parts are left out.
type page struct {
	// Banner says that it is a drill or a test; it stays while parts of the page
	// follow each other.
	Banner string
	// Title is the kind of an alert, or the time; Do is what to do; Way is where
	// to leave, and Arrow the same as a sign; Where is the place.
	Title, Do, Way, Where string
	Arrow                 rune
	Tone                  tone
	// Clock says that Title is the time of day.
	Clock bool
}

// parts returns the texts of the page in the order in which they are read.
func (p page) parts() []string {
	var list []string
	for _, s := range []string{p.Title, p.Do, p.Way, p.Where} {
		if s != "" {
			list = append(list, s)
		}
	}
	return list
}

// scene is all that a display shows until something changes.
type scene struct {
	pages []page
	// news changes when something happened, and not when time goes by.
	news string
}

// maxPages bounds what a display goes through before the beginning comes again:
// of many alerts at once the first ones are the most serious.
const maxPages = 12

// languages returns what the display shows, in its order.
func (p *pane) languages() []alert.Language {
	if len(p.it.Languages) > 0 {
		return p.it.Languages
	}
	list := []alert.Language{p.opt.Site.Language}
	for _, l := range alert.Languages() {
		if l != p.opt.Site.Language {
			list = append(list, l)
		}
	}
	return list
}

// scene returns what the display shows now.
func (p *pane) scene(view *alert.View, now alert.Stamp) scene {
	var pages []page
	if pages = p.emergencies(view); len(pages) == 0 {
		urgent, other := p.notices(view)
		switch {
		case len(urgent) > 0:
			pages = urgent
		case len(other) > 0:
			pages = append(other, p.clock(now)[:1]...)
		default:
			if pages = p.allClears(view); len(pages) > 0 {
				pages = append(pages, p.clock(now)[:1]...)
			}
		}
	}
	if len(pages) == 0 {
		pages = p.clock(now)
	}
	pages = pages[:min(len(pages), maxPages)]
	var news strings.Builder
	for _, one := range pages {
		if one.Clock {
			one = page{}
		}
		for _, s := range append([]string{one.Banner, string(one.Arrow), strconv.Itoa(int(one.Tone))}, one.parts()...) {
			news.WriteString(strconv.Quote(s))
		}
		news.WriteByte('\n')
	}
	return scene{pages: pages, news: news.String()}
}

// public reports whether the display shows an alert. This is the only place
// where alerts reach a hallway, and a quiet one never does: what the site's plan
// shows on every screen, on this one, or says in a zone of this one.
func (p *pane) public(a alert.Alert) bool {
	if a.Level() != alert.LevelEmergency {
		return false
	}
	plan := p.opt.Site.Plan(a.Kind, a.Level())
	return p.meant(plan.Screens, plan.Zones)
}

// meant reports whether something for these screens and zones is for this
// display. What has zones is not for a display of other zones.
func (p *pane) meant(screens, zones []string) bool {
	here := len(p.it.Zones) == 0 || slices.Contains(p.it.Zones, alert.Everywhere) || slices.Contains(zones, alert.Everywhere) ||
		slices.ContainsFunc(p.it.Zones, func(z string) bool { return slices.Contains(zones, z) })
	if len(zones) > 0 {
		return here || slices.Contains(screens, p.it.ID)
	}
	return alert.Covers(screens, p.it.ID)
}

// group is the alerts of one kind and status with their places, the newest first.
type group struct {
	kind   alert.Kind
	status alert.Status
	places []alert.Location
}

func (p *pane) emergencies(view *alert.View) []page {
	var groups []group
	for _, a := range view.Open {
		if !p.public(a) {
			continue
		}
		// Open has the real ones first; beside one of them no drill is shown.
		if len(groups) > 0 && groups[0].status == alert.Actual && a.Status() != alert.Actual {
			break
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.kind == a.Kind && g.status == a.Status() })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{kind: a.Kind, status: a.Status()})
		}
		if p.opt.Site.Plan(a.Kind, a.Level()).ShowPlace {
			groups[i].places = slices.Insert(groups[i].places, 0, a.Place)
		}
	}
	var pages []page
	for _, l := range p.languages() {
		for _, g := range groups {
			pages = append(pages, p.emergency(l, g))
		}
	}
	return pages
}

// emergency returns the page of one kind in one language.
func (p *pane) emergency(l alert.Language, g group) page {
	w := p.words[l]
	plan := p.opt.Site.Plan(g.kind, alert.LevelEmergency)
	one := page{Tone: alarm, Title: p.kindName(l, g.kind)}
	if g.status != alert.Actual {
		one.Tone, one.Banner = practice, w.Get("status."+string(g.status))
	}
	if one.Do = plan.Instruction.In(l); one.Do == "" {
		one.Do = w.Or("hallway.do."+string(plan.Response), "")
	}
	if plan.Response == alert.Evacuate {
		one.Arrow = arrows(p.it.Direction)
		one.Way = w.Or("hallway.exit."+p.it.Direction, "")
	}
	var names []string
	for _, loc := range g.places[:min(len(g.places), 2)] {
		names = append(names, p.room(l, loc))
	}
	one.Where = strings.Join(names, ", ")
	if more := len(g.places) - len(names); more > 0 && len(names) > 0 {
		one.Where += " " + w.Count(l, "n.places.more", more)
	}
	return one
}

// arrows returns the sign of a direction, zero where there is none.
func arrows(direction string) rune {
	switch direction {
	case "left":
		return '←'
	case "right":
		return '→'
	case "up":
		return '↑'
	case "down":
		return '↓'
	}
	return 0
}

func (p *pane) kindName(l alert.Language, k alert.Kind) string {
	if own, ok := p.opt.Site.Kinds[k]; ok {
		return own.In(l)
	}
	return p.words[l].Or("kind."+string(k), string(k))
}

// room returns the innermost name of a place, as a sign says it.
func (p *pane) room(l alert.Language, loc alert.Location) string {
	if place, ok := p.opt.Site.Places[loc.ID]; ok && len(place.Path) > 0 {
		return place.Path[len(place.Path)-1].In(l)
	}
	if len(loc.Path) > 0 {
		return loc.Path[len(loc.Path)-1]
	}
	return loc.ID
}

// notices returns the pages of what is announced: those of an emergency apart
// from the others.
func (p *pane) notices(view *alert.View) (urgent, other []page) {
	for _, n := range view.Notices {
		screens := n.Screens
		if len(screens) == 0 && len(n.Zones) == 0 {
			screens = []string{alert.Everywhere}
		}
		if !p.meant(screens, n.Zones) {
			continue
		}
		for _, l := range p.languages() {
			text := map[alert.Language]string{alert.Russian: n.Text.RU, alert.Kazakh: n.Text.KK, alert.English: n.Text.EN}[l]
			if text == "" {
				continue // another language says it
			}
			one := page{Do: text, Tone: calm}
			if n.Status == alert.Exercise || n.Status == alert.Test {
				one.Tone, one.Banner = practice, p.words[l].Get("status."+string(n.Status))
			}
			if n.Priority >= alert.PriorityEmergency {
				if one.Banner == "" {
					one.Tone = alarm
				}
				urgent = append(urgent, one)
			} else {
				other = append(other, one)
			}
		}
	}
	return urgent, other
}

// allClears says once, in each language, that what was shown here is over: a
// real one where there was one.
func (p *pane) allClears(view *alert.View) []page {
	var worst alert.Status
	for _, e := range view.Ended {
		if !p.public(e.Alert) {
			continue
		}
		s := e.Alert.Status()
		if worst == "" || s == alert.Actual || (s == alert.Exercise && worst == alert.Test) {
			worst = s
		}
	}
	key := map[alert.Status]string{alert.Actual: "hallway.over", alert.Exercise: "hallway.over.drill", alert.Test: "hallway.over.test"}[worst]
	if key == "" {
		return nil
	}
	var pages []page
	for _, l := range p.languages() {
		pages = append(pages, page{Title: p.words[l].Get(key), Tone: relief})
	}
	return pages
}

// clock returns the everyday pages, at least one: the time alone first, then
// the next bell of today in each language.
func (p *pane) clock(now alert.Stamp) []page {
	lang := p.languages()
	if !now.Synced {
		// A wrong clock on a wall sends a school home at the wrong time.
		pages := []page{{Title: p.opt.Site.Name.In(lang[0])}}
		for _, l := range lang {
			pages = append(pages, page{Title: p.opt.Site.Name.In(l), Do: p.words[l].Get("hallway.clockless")})
		}
		return pages[:max(1, len(pages))]
	}
	wall := now.Wall.In(p.opt.Zone)
	pages := []page{{Title: wall.Format("15:04"), Clock: true}}
	if p.opt.NextBell == nil {
		return pages
	}
	bell, ok := p.opt.NextBell(wall)
	if at := bell.At.In(p.opt.Zone); ok && at.YearDay() == wall.YearDay() && at.Sub(wall) < 24*time.Hour {
		for _, l := range lang {
			pages = append(pages, page{
				Title: pages[0].Title, Clock: true, Where: bell.Name.In(l),
				Do: p.words[l].Fill("hallway.bell", "time", at.Format("15:04")),
			})
		}
	}
	return pages
}
