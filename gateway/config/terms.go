package config

import (
	"time"

	"nabat/gateway/timetable"
)

// spans reads every [[term]], or every [[holiday]], which may be a single day.
func (r *reader) spans(top *section, what string) []timetable.Span {
	var list []timetable.Span
	for _, s := range top.tables(what) {
		if what == "holiday" && s.has("date") {
			day, ok := s.date("date")
			if s.has("first") || s.has("last") {
				s.report(s.lineOf("date"), "write date, or first and last", "date stands beside first or last")
			}
			_, _ = s.get("first")
			_, _ = s.get("last")
			s.end()
			if ok {
				list = append(list, timetable.Span{First: day, Last: day})
			}
			continue
		}
		first, firstOK := s.date("first")
		last, lastOK := s.date("last")
		if what == "holiday" {
			_, _ = s.get("date")
		}
		for _, key := range []string{"first", "last"} {
			if !s.has(key) {
				s.report(s.line, "write first = 2026-09-01 and last = 2026-10-25", "%s is missing", key)
			}
		}
		s.end()
		switch {
		case !firstOK || !lastOK:
		case last.Before(first):
			s.report(s.lineOf("last"), "exchange the two", "last comes before first")
		case last.Sub(first) > longestSpan:
			s.report(s.lineOf("last"), "is the year right?", "the %s is longer than a year", what)
		default:
			list = append(list, timetable.Span{First: first, Last: last})
		}
	}
	return list
}

// quiet reads [quiet].
func (r *reader) quiet(top *section) []timetable.Hours {
	s, there := top.table("quiet")
	if !there {
		return nil
	}
	from, fromOK := s.hour("from")
	to, toOK := s.hour("to")
	s.end()
	if !fromOK || !toOK {
		return nil
	}
	if from == to {
		s.report(s.lineOf("to"), "write the hours in which nothing is said, or leave [quiet] out", "from and to are the same")
		return nil
	}
	return []timetable.Hours{{From: from, To: to}}
}

// hour reads a time of day that must be there.
func (s *section) hour(key string) (since time.Duration, ok bool) {
	n, there := s.get(key)
	if !there {
		s.report(s.line, `write from = "20:00" and to = "07:00"`, "%s is missing", key)
		return 0, false
	}
	return s.clock(key, n)
}
