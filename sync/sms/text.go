package sms

import (
	"slices"
	"strings"
	"unicode"

	"nabat/gateway/alert"
	"nabat/gateway/words"
)

// longest bounds a text: three parts of a message in letters of any alphabet.
const longest = 3 * 67

// writer writes messages in one language. It puts in what the wall knows, the
// kind, the place and the time, and nothing that a person has typed.
type writer struct {
	site *alert.Site
	lang alert.Language
	w    words.Words
}

func newWriter(site *alert.Site, lang alert.Language) writer {
	return writer{site: site, lang: lang, w: words.In(lang)}
}

// ask says that help is called for and that nobody has taken it.
func (t writer) ask(e alert.Event, pressed alert.Stamp) string {
	key := "sms.ask.help"
	if e.Level == alert.LevelEmergency {
		key = "sms.ask.emergency"
	}
	return t.finish(e.Status, t.w.Fill(key, t.about(e, pressed)...))
}

// clear says that an alert is over.
func (t writer) clear(e alert.Event, pressed alert.Stamp) string {
	pairs := append(t.about(e, pressed), "outcome", t.w.Or("outcome."+string(e.Outcome), ""))
	return t.finish(e.Status, t.w.Fill("sms.clear", pairs...))
}

// summary says what did not come, and what of it is open now.
func (t writer) summary(m missed, open []alert.Alert) string {
	var parts []string
	if m.stale > 0 {
		parts = append(parts, t.w.Count(t.lang, "n.sms.stale", m.stale))
	}
	if m.unsure > 0 {
		parts = append(parts, t.w.Count(t.lang, "n.sms.unsure", m.unsure))
	}
	if len(open) == 0 {
		parts = append(parts, t.w.Get("sms.open.none"))
	} else {
		var names []string
		for _, a := range open {
			name := t.kind(a.Kind) + ", " + t.place(a.Place)
			if a.Status() == alert.Exercise {
				name = t.w.Get("sms.drill") + " " + name
			}
			names = append(names, name)
		}
		parts = append(parts, t.w.Fill("sms.open", "list", strings.Join(names, "; ")))
	}
	return t.cut(t.w.Fill("sms.summary", "site", t.siteName(), "text", strings.Join(parts, " ")))
}

func (t writer) about(e alert.Event, pressed alert.Stamp) []string {
	place := alert.Location{}
	if e.Place != nil {
		place = *e.Place
	}
	clock := pressed.Wall.Local().Format("15:04")
	if !pressed.Synced {
		clock = "~" + clock
	}
	return []string{"kind", t.kind(e.Kind), "place", t.place(place), "time", clock, "site", t.siteName()}
}

func (t writer) finish(s alert.Status, text string) string {
	switch s {
	case alert.Exercise:
		text = t.w.Get("sms.drill") + " " + text
	case alert.Test:
		text = t.w.Get("sms.test") + " " + text
	case alert.Actual:
	}
	return t.cut(text)
}

func (t writer) kind(k alert.Kind) string {
	if name, ok := t.site.Kinds[k]; ok {
		return name.In(t.lang)
	}
	return t.w.Or("kind."+string(k), string(k))
}

// place names a place from the inside out: whoever runs there looks for the room.
func (t writer) place(l alert.Location) string {
	path := slices.Clone(l.Path)
	if p, ok := t.site.Places[l.ID]; ok {
		path = p.In(t.lang).Path
	}
	if len(path) == 0 {
		return l.ID
	}
	slices.Reverse(path)
	return strings.Join(path, ", ")
}

func (t writer) siteName() string {
	if name := t.site.Name.In(t.lang); name != "" {
		return name
	}
	return t.site.ID
}

// cut makes one line of a text, no longer than a message may be.
func (t writer) cut(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(c rune) bool {
		return unicode.IsSpace(c) || unicode.IsControl(c)
	}), " ")
	if r := []rune(text); len(r) > longest {
		text = string(r[:longest-1]) + "…"
	}
	return text
}

// tail shows which number is meant without showing it.
func tail(number string) string {
	return "…" + number[max(0, len(number)-2):]
}
