package timetable

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"nabat/gateway/alert"
)

// Bounds of a calendar file. A school's calendar of a year is far below them;
// a file that somebody prepared must not take the gateway's memory or time.
const (
	maxFile     = 4 << 20 // bytes
	maxEvents   = 5000
	maxEntries  = 20_000 // after recurring events were written out
	maxProblems = 100    // that are named one by one
	maxDays     = 800    // from Options.From
)

// Options say how a calendar file is understood.
type Options struct {
	// From and To bound what is taken from the file, because a rule without an
	// end would go on for ever. The location of From is the site's time zone,
	// in which times without a zone are meant. No more than 800 days are taken.
	From, To time.Time
	// Language is the one in which summaries are written, and said.
	Language alert.Language
	// Zones and Messages are the ids that events may name.
	Zones, Messages []string
}

// Problem is an event, or a file, that cannot be used.
type Problem struct {
	// Line is where the event begins, or the line that is wrong, from 1.
	Line int
	// UID is the event's name for itself; empty where it has none.
	UID string
	// What is wrong, and what would be right.
	What, Remedy string
}

// Error returns "line N, event UID: what; remedy".
func (p Problem) Error() string {
	if p.UID == "" {
		return fmt.Sprintf("line %d: %s; %s", p.Line, p.What, p.Remedy)
	}
	return fmt.Sprintf("line %d, event %s: %s; %s", p.Line, quote(p.UID), p.What, p.Remedy)
}

// Feed is what a calendar file adds to a table.
type Feed struct {
	// Entries are ordered by time.
	Entries  []Entry
	Holidays []Span
	// Problems are the events that were left out, by line.
	Problems []Problem
	// Ignored counts all-day events that are no holidays: they are due at no time.
	Ignored int
}

// ReadCalendar reads an iCalendar file (RFC 5545). Events that cannot be used
// are left out and named in Feed.Problems; an error means that nothing of the
// file can be used, and is a Problem unless r failed.
//
// An event with a time is said at that time: the message that X-NABAT-MESSAGE or
// a category names, or else its summary. The category BELL makes a bell of it,
// and HOLIDAY makes a holiday of its days. X-NABAT-ZONES names zones; without
// it the event is said everywhere.
func ReadCalendar(r io.Reader, o Options) (Feed, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return Feed{}, fmt.Errorf("read calendar: %w", err)
	}
	if len(b) > maxFile {
		return Feed{}, Problem{Line: 1, What: fmt.Sprintf("the file is larger than %d MiB", maxFile>>20), Remedy: "export the current school year only"}
	}
	file, err := scan(string(b))
	if err != nil {
		return Feed{}, err
	}
	if len(file.events) > maxEvents {
		return Feed{}, Problem{Line: file.events[maxEvents].line, What: fmt.Sprintf("the file has more than %d events", maxEvents), Remedy: "export the current school year only"}
	}
	if last := o.From.AddDate(0, 0, maxDays); o.To.After(last) {
		o.To = last
	}
	c := &reader{o: o, zones: newZones(o.From.Location(), file.zones), work: maxWork}
	var events []event
	for _, b := range file.events {
		e, err := c.event(b)
		if err != nil {
			c.problem(b, err)
			continue
		}
		events = append(events, e)
	}
	for _, e := range current(events) {
		if err := c.take(e); err != nil {
			c.problem(e.block, err)
		}
	}
	return c.done(), nil
}

// reader makes a Feed of the events of one file.
type reader struct {
	o      Options
	zones  *zones
	feed   Feed
	more   int // problems beyond maxProblems
	work   int // occurrences that may still be worked out
	never  int // rules that never came true
	unsaid int // entries beyond maxEntries
}

// problem notes why an event was left out.
func (c *reader) problem(b block, err error) {
	var p Problem
	if !errors.As(err, &p) {
		p = Problem{What: plain(err.Error()), Remedy: "correct the event in the program that it comes from, and export it again"}
	}
	if len(c.feed.Problems) >= maxProblems {
		c.more++
		return
	}
	p.Line, p.UID = cmp.Or(p.Line, b.line), b.value("UID")
	c.feed.Problems = append(c.feed.Problems, p)
}

func (c *reader) done() Feed {
	slices.SortStableFunc(c.feed.Problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	if c.more += c.unsaid; c.more > 0 {
		c.feed.Problems = append(c.feed.Problems, Problem{Line: 1, What: fmt.Sprintf("%d more cannot be used", c.more), Remedy: "export less at once: the bells and spots of this school year"})
	}
	slices.SortStableFunc(c.feed.Entries, byTime)
	c.feed.Entries = slices.CompactFunc(c.feed.Entries, func(a, b Entry) bool { return a.ID == b.ID })
	return c.feed
}
