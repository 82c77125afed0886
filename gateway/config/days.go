package config

import (
	"slices"
	"strings"
	"time"
)

// days reads the days of the week of a rule.
func (s *section) days() [7]bool {
	const remedy = `write days = ["mon", "wed"], or "weekdays", "mon-sat", "daily"`
	n, ok := s.get("days")
	if !ok {
		return span(time.Monday, time.Friday)
	}
	items := []*node{n}
	if n.shape == shapeArray {
		items = n.items
	}
	var days [7]bool
	for _, item := range items {
		if item.shape != shapeText {
			s.report(item.line, remedy, "days is %s", item.shape)
			continue
		}
		named, ok := dayWord(item.data)
		if !ok {
			s.report(item.line, instead(item.data, dayWords()), "day %s is unknown", quote(item.data))
			continue
		}
		for day, on := range named {
			days[day] = days[day] || on
		}
	}
	if len(items) == 0 {
		s.report(n.line, remedy, "days names no day")
	}
	return days
}

func dayWords() []string {
	return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun", "weekdays", "daily", "mon-sat"}
}

// dayWord knows a day, a range of days such as "mon-sat", "weekdays" and "daily".
func dayWord(word string) (days [7]bool, ok bool) {
	switch word {
	case "weekdays":
		return span(time.Monday, time.Friday), true
	case "daily":
		return span(time.Monday, time.Sunday), true
	}
	single := dayWords()[:7]
	first, last, isRange := strings.Cut(word, "-")
	i, j := slices.Index(single, first), slices.Index(single, last)
	if !isRange {
		j = i
	}
	if i < 0 || j < 0 {
		return days, false
	}
	const week = 7 // the list begins on Monday, time.Weekday on Sunday
	return span(time.Weekday((i+1)%week), time.Weekday((j+1)%week)), true
}

// span goes from one weekday to another, over the end of the week if need be.
func span(first, last time.Weekday) (days [7]bool) {
	for d := first; ; d = (d + 1) % 7 {
		days[d] = true
		if d == last {
			return days
		}
	}
}

// clockTime is a time of day with its place in the file.
type clockTime struct {
	since time.Duration
	text  string
	line  int
}

// times reads at: one time of day or several.
func (s *section) times() []clockTime {
	n, ok := s.get("at")
	if !ok {
		s.report(s.line, `write at = ["08:30", "09:15"]`, "at is missing")
		return nil
	}
	items := []*node{n}
	if n.shape == shapeArray {
		items = n.items
	}
	var list []clockTime
	for _, item := range items {
		since, ok := s.clock("at", item)
		switch {
		case !ok:
		case slices.ContainsFunc(list, func(c clockTime) bool { return c.since == since }):
			s.report(item.line, "name each time once", "at has %s twice", quote(item.data))
		default:
			list = append(list, clockTime{since: since, text: item.data, line: item.line})
		}
	}
	switch {
	case len(items) == 0:
		s.report(n.line, `write at = ["08:30", "09:15"]`, "at names no time")
	case len(items) > maxTimesADay:
		s.report(n.line, "a bell more often than every quarter of an hour is an alarm clock", "at names more than %d times", maxTimesADay)
		return nil
	}
	return list
}
