package announce

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
	"nabat/gateway/words"
)

// Announcement is something to say: a chime, and words in each language.
type Announcement struct {
	// ID is that of the alert, notice or timetable entry.
	ID       string
	Priority alert.Priority
	Status   alert.Status
	Chime    alert.Chime
	// Repeat says that it is said again and again until it is no longer due.
	Repeat bool
	// Text is what is said, without the words of a drill around it.
	Text alert.Text
	// Parts are the words, one part for each language that has any.
	Parts []Part
	// Since orders announcements of the same rank: the oldest comes first.
	Since alert.Stamp

	key    string        // differs from that of every other thing to say
	stands time.Duration // how long after Since it may begin; zero is not known
}

// Part is what is said in one language.
type Part struct {
	Language alert.Language
	Words    []Segment
	// Around is said before and after the words: that this is a drill. Where it
	// is not empty and cannot be said, the words are not said either. Without any
	// words it is said once.
	Around Segment
}

// Routine is an entry of the timetable that is due.
type Routine struct {
	timetable.Entry
	// Rang is when it became due.
	Rang alert.Stamp
}

// rank orders announcements. A real emergency goes before any drill, whatever
// the drill pretends; among each, leaving goes before staying.
func (a Announcement) rank() int {
	real := 0
	if a.Priority >= alert.PriorityEmergency && a.Status != alert.Exercise && a.Status != alert.Test {
		real = 1 + int(alert.PriorityEvacuate)
	}
	return real + int(a.Priority)
}

// composer finds the words of announcements. It is pure and never changed.
type composer struct {
	site  *alert.Site
	words map[alert.Language]words.Words
}

func newComposer(site *alert.Site) *composer {
	c := &composer{site: site, words: make(map[alert.Language]words.Words)}
	for _, l := range alert.Languages() {
		c.words[l] = words.In(l)
	}
	return c
}

// build makes an announcement of the words in each language.
func (c *composer) build(a Announcement, say func(alert.Language) []Segment) Announcement {
	around := ""
	switch a.Status {
	case alert.Exercise:
		around = "pa.drill"
	case alert.Test:
		around = "pa.test"
	case alert.Actual:
	}
	text := func(l alert.Language) string {
		var all []string
		for _, s := range say(l) {
			all = append(all, s.Text)
		}
		return strings.Join(all, " ")
	}
	a.Text = alert.Text{RU: text(alert.Russian), KK: text(alert.Kazakh), EN: text(alert.English)}
	for _, l := range c.site.SpokenLanguages() {
		p := Part{Language: l, Words: say(l)}
		if len(p.Words) == 0 {
			continue
		}
		if around != "" {
			p.Around = c.fixed(l, around)[0]
		}
		a.Parts = append(a.Parts, p)
	}
	if around != "" && len(a.Parts) == 0 { // a chime alone would be taken for what is real
		for _, l := range c.site.SpokenLanguages() {
			a.Parts = append(a.Parts, Part{Language: l, Around: c.fixed(l, around)[0]})
		}
	}
	return a
}

// emergency is what an alert has said while it is open.
func (c *composer) emergency(a alert.Alert, plan alert.Plan) Announcement {
	p := urgency(plan)
	chime := chimeOf(p)
	if m, ok := c.site.Message(plan.Message); ok {
		chime = cmp.Or(m.Chime, chime)
	}
	return c.build(Announcement{
		ID: a.ID, Priority: p, Status: a.Status(), Chime: chime, Repeat: true, Since: a.First.At,
		key: fmt.Sprint("alert ", a.ID, " ", a.Status(), " ", p),
	}, func(l alert.Language) []Segment { return c.alarm(l, a.Kind, a.Place, plan) })
}

func urgency(plan alert.Plan) alert.Priority {
	if plan.Response == alert.Evacuate {
		return alert.PriorityEvacuate
	}
	return alert.PriorityEmergency
}

// alarm is what is said of an emergency: what it is, what to do, where.
func (c *composer) alarm(l alert.Language, k alert.Kind, at alert.Location, plan alert.Plan) []Segment {
	list := c.urgent(l, k, plan)
	if plan.ShowPlace {
		list = append(list, c.place(l, at)...)
	}
	return list
}

// urgent is what it is and what to do. What a site has not put into a language
// is said in the usual words of that language.
func (c *composer) urgent(l alert.Language, k alert.Kind, plan alert.Plan) []Segment {
	if m, ok := c.site.Message(plan.Message); ok {
		if said := message(l, m); len(said) > 0 {
			return said
		}
	}
	list := []Segment{{Language: l, Text: c.headline(l, k), ID: string(k)}}
	do := own(plan.Instruction, l)
	if do == "" {
		do = c.words[l].Or("pa.do."+string(plan.Response), "")
	}
	if do != "" {
		list = append(list, Segment{Language: l, Text: do, ID: string(k)})
	}
	return list
}

func (c *composer) headline(l alert.Language, k alert.Kind) string {
	if text := c.words[l].Or("pa.kind."+string(k), ""); text != "" {
		return text
	}
	if name := own(c.site.Kinds[k], l); name != "" {
		return c.words[l].Fill("pa.kind.named", "kind", name)
	}
	return c.words[l].Get("pa.kind.other")
}

// place says where, from the inside out. A place that the site does not know
// any more has a name in the site's own language only.
func (c *composer) place(l alert.Language, at alert.Location) []Segment {
	var path []string
	if p, ok := c.site.Places[at.ID]; ok {
		path = p.In(l).Path
	} else if l == c.site.Language {
		path = slices.Clone(at.Path)
	}
	slices.Reverse(path)
	path = slices.DeleteFunc(path, func(s string) bool { return strings.TrimSpace(s) == "" })
	if len(path) == 0 {
		return nil
	}
	return []Segment{{Language: l, Text: c.words[l].Fill("pa.place", "place", strings.Join(path, ", ")), ID: at.ID}}
}

// fixed is one of the usual texts.
func (c *composer) fixed(l alert.Language, key string) []Segment {
	return []Segment{{Language: l, Text: c.words[l].Get(key), ID: key}}
}

// over is what is said when an emergency, or a drill, has ended.
//
// It begins within overFor or not at all: a loudspeaker that comes back later
// would say it when nobody knows any more what is over.
func (c *composer) over(e alert.Ended) Announcement {
	key := "pa.over"
	switch e.Alert.Status() {
	case alert.Exercise:
		key = "pa.over.drill"
	case alert.Test:
		key = "pa.over.test"
	case alert.Actual:
	}
	a := c.build(Announcement{
		ID: e.Alert.ID, Priority: alert.PriorityEmergency, Status: alert.Actual, Chime: alert.ChimeAllClear,
		Since: e.At, stands: overFor, key: fmt.Sprint("over ", e.Alert.ID, " ", e.At.Boot, " ", e.At.Mono),
	}, func(l alert.Language) []Segment { return c.fixed(l, key) })
	a.Status = e.Alert.Status() // its words say what it was, and need none around them
	return a
}

func (c *composer) notice(n alert.Notice) Announcement {
	p := n.Priority
	if p == 0 {
		p = alert.PriorityNotice
	}
	m, named := c.site.Message(n.Message)
	a := Announcement{
		ID: n.ID, Priority: p, Status: n.Status, Chime: chimeOf(p), Repeat: p >= alert.PriorityEmergency, Since: n.Began, stands: n.For,
		key: fmt.Sprint("notice ", n.ID, " ", n.Began.Boot, " ", n.Began.Mono),
	}
	if named {
		a.Chime = cmp.Or(m.Chime, a.Chime)
		return c.build(a, func(l alert.Language) []Segment { return message(l, m) })
	}
	return c.build(a, func(l alert.Language) []Segment { return text(l, n.Text, "") })
}

func (c *composer) routine(r Routine) Announcement {
	a := Announcement{
		ID: r.ID, Priority: alert.PriorityRoutine, Status: alert.Actual, Chime: alert.ChimeGong, Since: r.Rang,
		key: "routine " + r.ID,
	}
	if r.Bell {
		a.Chime = alert.ChimeBell
	}
	m, ok := c.site.Message(r.Message)
	a.Chime = cmp.Or(r.Chime, m.Chime, a.Chime)
	a = c.build(a, func(l alert.Language) []Segment {
		if ok {
			return message(l, m)
		}
		return text(l, r.Words, r.ID)
	})
	if a.Text == (alert.Text{}) {
		a.Text = r.Name // a bell has no words, but a name to show
	}
	return a
}

// message is a message in one language; nothing where it has no words in it.
func message(l alert.Language, m alert.Message) []Segment {
	s := Segment{Language: l, Text: own(m.Text, l), File: m.Recorded[l], ID: m.ID}
	if m.Silent || s.Text == "" && s.File == "" {
		return nil
	}
	return []Segment{s}
}

// text is a text in one language. A voice of another language would only
// garble it.
func text(l alert.Language, t alert.Text, id string) []Segment {
	if s := own(t, l); s != "" {
		return []Segment{{Language: l, Text: s, ID: id}}
	}
	return nil
}

// own returns the text of a language itself, without falling back to another.
func own(t alert.Text, l alert.Language) string {
	switch l {
	case alert.Russian:
		return strings.TrimSpace(t.RU)
	case alert.Kazakh:
		return strings.TrimSpace(t.KK)
	case alert.English:
		return strings.TrimSpace(t.EN)
	}
	return ""
}

func chimeOf(p alert.Priority) alert.Chime {
	switch p {
	case alert.PriorityEvacuate:
		return alert.ChimeEvacuate
	case alert.PriorityEmergency:
		return alert.ChimeEmergency
	case alert.PriorityNotice:
		return alert.ChimeGong
	case alert.PriorityRoutine:
		return alert.ChimeBell
	}
	return alert.ChimeGong
}
