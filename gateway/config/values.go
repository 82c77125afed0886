package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"nabat/gateway/alert"
)

// decimal reads a number that may have a fraction, within bounds.
func (s *section) decimal(key string, absent, low, high float64) float64 {
	n, ok := s.get(key)
	if !ok {
		return absent
	}
	if n.shape != shapeInteger && n.shape != shapeFloat {
		s.wrongShape(key, n, fmt.Sprintf("%s = %v, a number without quotes", key, absent))
		return absent
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(n.data, "_", ""), 64)
	if err != nil || math.IsNaN(v) || v < low || v > high {
		s.report(n.line, fmt.Sprintf("want %v to %v", low, high), "%s = %s is out of bounds", key, n.data)
		return absent
	}
	return v
}

// optionalText reads { ru = "…", kk = "…", en = "…" } where it is there.
func (s *section) optionalText(key string) alert.Text {
	if !s.has(key) {
		_, _ = s.get(key)
		return alert.Text{}
	}
	return s.text(key)
}

// languages reads a list of languages.
func (s *section) languages(key string) []alert.Language {
	var known []string
	for _, l := range alert.Languages() {
		known = append(known, string(l))
	}
	var list []alert.Language
	for _, id := range s.pick(key, choices{what: "language", known: known}) {
		list = append(list, alert.Language(id))
	}
	return list
}

// perLanguage reads a table with a text for some of the languages.
func (s *section) perLanguage(key, want string, check func(t *section, language string)) map[alert.Language]string {
	n, ok := s.get(key)
	if !ok {
		return nil
	}
	if n.shape != shapeTable {
		s.wrongShape(key, n, key+" = "+want)
		return nil
	}
	t := &section{r: s.r, n: n, line: n.line, title: s.about(key)}
	values := map[alert.Language]string{}
	for _, l := range alert.Languages() {
		if text, _, ok := t.str(string(l)); ok {
			check(t, string(l))
			values[l] = text
		}
	}
	t.end()
	return values
}

// choices are the ids that a list may name.
type choices struct {
	what  string // "screen", "zone"
	known []string
	star  bool                   // "*" stands for all
	none  func(id string) string // the remedy where nothing is known yet; nil for the usual one
	more  string                 // said after the remedy for an unknown id
}

// pick reads a list of known ids, each named once. What is wrong is left out.
func (s *section) pick(key string, c choices) []string {
	list, _ := s.texts(key)
	var ids []string
	for _, n := range list {
		all := c.star && n.data == alert.Everywhere
		switch {
		case all && len(list) > 1:
			s.report(n.line, fmt.Sprintf(`write %s = ["*"] alone, or name the %ss`, key, c.what), `"*" stands beside other %ss`, c.what)
		case !all && !slices.Contains(c.known, n.data):
			remedy := instead(n.data, c.known)
			if len(c.known) == 0 && c.none != nil {
				remedy = c.none(n.data)
			}
			s.report(n.line, remedy+c.more, "%s %s is unknown", c.what, quote(n.data))
		case slices.Contains(ids, n.data):
			s.report(n.line, "name each "+c.what+" once", "%s %s is listed twice", c.what, quote(n.data))
		default:
			ids = append(ids, n.data)
		}
	}
	return ids
}

// date reads a day: 2026-09-01, with or without quotes.
func (s *section) date(key string) (day time.Time, ok bool) {
	n, there := s.get(key)
	if !there {
		return time.Time{}, false
	}
	want := "write " + key + " = 2026-09-01: year, month, day"
	if n.shape != shapeTime && n.shape != shapeText {
		s.report(n.line, want, "%s is %s", key, n.shape)
		return time.Time{}, false
	}
	const lowest, highest = 2000, 2199
	day, err := time.Parse(time.DateOnly, n.data)
	if err != nil || day.Year() < lowest || day.Year() > highest {
		s.report(n.line, want, "%s = %s is no day", key, quote(n.data))
		return time.Time{}, false
	}
	return day, true
}

// clock reads a time of day that stands in n.
func (s *section) clock(key string, n *node) (since time.Duration, ok bool) {
	want := `write the time with hours and minutes in quotes: "08:30"`
	if n.shape != shapeText {
		s.report(n.line, want, "%s is %s", key, n.shape)
		return 0, false
	}
	at, err := time.Parse("15:04", n.data)
	if err != nil {
		s.report(n.line, want, "%s = %s is no time of day", key, quote(n.data))
		return 0, false
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, true
}

// unique notes an id and reports one that is used already.
func (s *section) unique(what, id string, lines map[string]int) bool {
	if id == "" {
		return false
	}
	if first, twice := lines[id]; twice {
		s.report(s.lineOf("id"), "give each "+what+" an id of its own", "the id %s is used already in line %d", quote(id), first)
		return false
	}
	lines[id] = s.lineOf("id")
	s.title = what + " " + quote(id)
	return true
}
