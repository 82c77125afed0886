package timetable

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLine bounds one unfolded line of an event, maxParams what stands before
// its value.
const (
	maxLine   = 16 << 10
	maxParams = 1 << 10
)

// block is the lines of one event, unfolded, with those only that matter here.
type block struct {
	line  int // of its BEGIN, from 1
	lines []string
	wrong string // what is wrong with a line; empty where nothing is
}

// value returns the first value of a property as it stands, for messages and
// for texts without escapes.
func (b block) value(name string) string {
	for _, l := range b.lines {
		if n, _ := nameOf(l); n == name {
			_, v, _ := strings.Cut(l, ":")
			return v
		}
	}
	return ""
}

// vtimezone is what a file says about a time zone.
type vtimezone struct {
	id, location string
	offsets      []string
}

// source is a calendar file taken to pieces.
type source struct {
	events []block
	zones  []vtimezone
}

// matters lists the properties of an event that are looked at. Attachments,
// descriptions and reminders are passed over: they are long, and never said.
func matters(name string) bool {
	switch name {
	case "UID", "SEQUENCE", "STATUS", "SUMMARY", "CATEGORIES", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE",
		"RECURRENCE-ID", "X-NABAT-MESSAGE", "X-NABAT-ZONES", "X-NABAT-HOLIDAY", "X-MICROSOFT-CDO-ALLDAYEVENT":
		return true
	}
	return false
}

// nameOf splits an unfolded line after the name of its property.
func nameOf(line string) (name, rest string) {
	i := strings.IndexAny(line, ";:")
	if i < 0 {
		return strings.ToUpper(line), ""
	}
	return strings.ToUpper(line[:i]), line[i:]
}

// scan cuts a file into events, so that a mistake in one of them costs that one
// only and can be named by its line: the library reads a calendar as a whole.
func scan(text string) (source, error) {
	var (
		s      source
		begun  bool
		open   []string // components that have begun
		depth  int      // of the event in open; 0 outside events
		latest string
	)
	text = strings.TrimPrefix(text, "\ufeff")
	physical := strings.Split(text, "\n")
	for i := 0; i < len(physical); i++ {
		at := i + 1
		line := strings.TrimSuffix(physical[i], "\r")
		if next := i + 1; next < len(physical) && folded(physical[next]) {
			var unfolded strings.Builder
			unfolded.WriteString(line)
			for ; next < len(physical) && folded(physical[next]); next++ {
				unfolded.WriteString(strings.TrimSuffix(physical[next][1:], "\r"))
			}
			line, i = unfolded.String(), next-1
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, rest := nameOf(line)
		kind := strings.ToUpper(strings.TrimSpace(strings.TrimPrefix(rest, ":")))
		if !begun {
			if name != "BEGIN" || kind != "VCALENDAR" {
				return source{}, Problem{Line: at, What: "this is no iCalendar file: it does not begin with BEGIN:VCALENDAR", Remedy: `export the calendar as "iCalendar" or ".ics"`}
			}
			begun = true
		}
		switch name {
		case "BEGIN":
			if len(open) > 8 {
				return source{}, Problem{Line: at, What: "parts of the calendar stand in each other too deeply", Remedy: "export the calendar again"}
			}
			open = append(open, kind)
			switch {
			case kind == "VEVENT" && depth == 0:
				depth = len(open)
				s.events = append(s.events, block{line: at})
			case kind == "VTIMEZONE":
				s.zones = append(s.zones, vtimezone{})
			}
		case "END":
			if len(open) == 0 || open[len(open)-1] != kind {
				if i == len(physical)-1 {
					return source{}, cutOff(at)
				}
				return source{}, Problem{Line: at, What: "END:" + quote(kind) + " ends what had not begun", Remedy: "export the calendar again, and do not change the file by hand"}
			}
			open = open[:len(open)-1]
			if len(open) < depth {
				depth = 0
			}
		default:
			switch {
			case depth > 0 && len(open) == depth && matters(name):
				s.events[len(s.events)-1].add(line, at)
			case len(open) > 1 && open[1] == "VTIMEZONE":
				s.zones[len(s.zones)-1].add(name, rest)
			}
		}
		latest = name + ":" + kind
	}
	if !begun {
		return source{}, Problem{Line: 1, What: "the file is empty", Remedy: `export the calendar as "iCalendar" or ".ics"`}
	}
	if len(open) > 0 || latest != "END:VCALENDAR" {
		return source{}, cutOff(len(physical))
	}
	return s, nil
}

func cutOff(line int) Problem {
	return Problem{Line: line, What: "the file ends before END:VCALENDAR", Remedy: "it was copied in part: copy or export it again"}
}

func folded(line string) bool { return line != "" && (line[0] == ' ' || line[0] == '\t') }

func (b *block) add(line string, at int) {
	before, _, found := strings.Cut(line, ":")
	switch {
	case b.wrong != "":
	case !found:
		b.wrong = "line " + strconv.Itoa(at) + " has no colon"
	case len(line) > maxLine || len(before) > maxParams || len(b.lines) > 1000:
		b.wrong = "line " + strconv.Itoa(at) + " is too long"
	case !utf8.ValidString(line):
		b.wrong = "line " + strconv.Itoa(at) + " is not in UTF-8"
	default:
		b.lines = append(b.lines, line)
	}
}

func (t *vtimezone) add(name, rest string) {
	_, value, _ := strings.Cut(rest, ":")
	switch name {
	case "TZID":
		t.id = value
	case "X-LIC-LOCATION":
		t.location = value
	case "TZOFFSETTO":
		t.offsets = append(t.offsets, value)
	}
}

// quote puts a text from the file into a message: short, on one line, with
// nothing that a terminal would obey.
func quote(text string) string {
	const most = 64
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return strconv.QuoteToGraphic(strings.ToValidUTF8(text, "\ufffd"))
}
