package config

import (
	"fmt"
	"slices"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
)

// Bounds of a timetable.
const (
	maxTimesADay = 96 // in one rule
	maxRules     = 2000
	longestSpan  = 400 * 24 * time.Hour
)

// timetable reads bells, spots, terms, holidays and quiet hours.
func (r *reader) timetable(top *section, c *Config) timetable.Table {
	var t timetable.Table
	t.Terms = r.spans(top, "term")
	t.Holidays = r.spans(top, "holiday")
	t.Quiet = r.quiet(top)
	b := &bells{r: r, site: c.Site, quiet: t.Quiet, taken: map[slot]int{}}
	b.read(top, "bell")
	b.read(top, "spot")
	t.Rules = b.rules
	if b.bound > 0 && len(t.Terms) == 0 {
		r.warn(b.bound, "write a [[term]] section with the first and the last day of school, or anyway = true", "there is no term, so that the bells ring in the summer as well")
	}
	if b.first > 0 && len(c.Speakers) == 0 {
		r.warn(b.first, "write a [[speaker]] section", "there is no loudspeaker, so that nothing is heard")
	}
	return t
}

// slot is what two rules must not both have.
type slot struct {
	day  time.Weekday
	at   time.Duration
	zone string
}

// bells reads the rules of a timetable.
type bells struct {
	r     *reader
	site  *alert.Site
	quiet []timetable.Hours
	rules []timetable.Rule
	taken map[slot]int
	full  bool
	first int // line of the first rule, and of the first one that terms bind
	bound int
}

// read reads every [[bell]], or every [[spot]].
func (b *bells) read(top *section, what string) {
	for i, s := range top.tables(what) {
		s.title = fmt.Sprintf("%s %d", what, i+1)
		rule := timetable.Rule{Bell: what == "bell", Days: s.days(), Name: s.optionalText("name"), Anyway: s.yes("anyway", false)}
		b.sound(s, &rule)
		rule.Zones = []string{alert.Everywhere}
		if zones := s.pick("zones", zoneChoices(b.site, true)); s.has("zones") {
			rule.Zones = zones
			if len(s.n.fields["zones"].items) == 0 {
				s.report(s.lineOf("zones"), "name a zone, or leave the line out for all", "zones names no zone")
			}
		}
		for _, at := range s.times() {
			b.add(s, rule, at, i+1)
		}
		s.end()
		if b.first == 0 {
			b.first = s.line
		}
		if b.bound == 0 && !rule.Anyway {
			b.bound = s.line
		}
	}
}

// add makes one rule of each time of day.
func (b *bells) add(s *section, rule timetable.Rule, at clockTime, number int) {
	if len(b.rules) == maxRules {
		if !b.full {
			s.report(at.line, "name several days in one section", "there are more than %d times in all bells and spots", maxRules)
		}
		b.full = true
		return
	}
	what := "spot"
	if rule.Bell {
		what = "bell"
	}
	rule.At = at.since
	rule.ID = fmt.Sprintf("%s-%d-%02d%02d", what, number, int(at.since.Hours()), int(at.since.Minutes())%60)
	if slices.ContainsFunc(b.quiet, func(q timetable.Hours) bool { return q.Holds(at.since) }) {
		b.r.warn(at.line, "choose another time, or other hours in [quiet]", "%s", s.about(quote(at.text)+" lies in the quiet hours, so that it is not heard"))
	}
	zones := rule.Zones
	if slices.Contains(zones, alert.Everywhere) {
		zones = zoneChoices(b.site, false).known
	}
	warned := false
	for day, on := range rule.Days {
		for _, zone := range zones {
			k := slot{day: time.Weekday(day), at: at.since, zone: zone}
			switch first, twice := b.taken[k]; {
			case !on:
			case twice && !warned:
				warned = true
				b.r.warn(at.line, "leave one of the two out, or give them other days, times or zones", "%s", s.about(fmt.Sprintf("something else is due at %s in line %d already", at.text, first)))
			case !twice:
				b.taken[k] = at.line
			}
		}
	}
	b.rules = append(b.rules, rule)
}

// sound reads what is heard: a message, a chime, or the bell that a bell has
// when it says nothing else.
func (b *bells) sound(s *section, rule *timetable.Rule) {
	if !rule.Bell && !s.has("message") {
		_, _ = s.get("message")
		s.report(s.line, `write message = "…", the id of a [[message]]`, "message is missing")
	}
	m, _ := s.message("message", b.site)
	rule.Message = m.ID
	rule.Chime = s.chime("chime")
	if rule.Bell && rule.Message == "" && rule.Chime == alert.ChimeNone {
		s.report(s.lineOf("chime"), `leave the line out for the usual bell, or write message = "…"`, "a bell without a chime and a message is not heard")
	}
	if rule.Bell && rule.Message == "" && rule.Chime == "" {
		rule.Chime = alert.ChimeBell
	}
	if rule.Bell && rule.Name == (alert.Text{}) {
		rule.Name = alert.Text{RU: "Звонок", KK: "Қоңырау", EN: "Bell"}
	}
	if !rule.Bell && rule.Name == (alert.Text{}) {
		rule.Name = m.Text
	}
	if m.Priority >= alert.PriorityEmergency {
		s.report(s.lineOf("message"), `choose a message with the priority "routine" or "notice"`, "message %s has the priority %s, which the timetable must not use", quote(m.ID), m.Priority)
	}
}
