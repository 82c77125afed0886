package timetable

import (
	"cmp"
	"slices"
	"time"
)

// date is a day of the calendar without a time zone: midnight UTC.
type date struct{ t time.Time }

func dateOf(t time.Time) date {
	y, m, d := t.Date()
	return date{time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}
}

func (d date) add(days int) date { return date{d.t.AddDate(0, 0, days)} }

// String is the date as an entry's id has it.
func (d date) String() string { return d.t.Format(time.DateOnly) }

func (d date) in(s Span) bool { return !d.t.Before(s.First) && !d.t.After(s.Last) }

// exists reports whether the zone has the day at all: a country that moves over
// the date line leaves one out.
func (d date) exists(loc *time.Location) bool {
	y, m, day := d.t.Date()
	return dateOf(time.Date(y, m, day, 12, 0, 0, 0, loc)) == d
}

// at returns the one moment at which the wall clock of loc shows since midnight
// on the day: the first of two, and the end of the gap where there is none.
func (d date) at(since time.Duration, loc *time.Location) time.Time {
	y, m, day := d.t.Date()
	h, rest := int(since/time.Hour), since%time.Hour
	t := time.Date(y, m, day, h, int(rest/time.Minute), int(rest%time.Minute/time.Second), 0, loc)
	start, end := t.ZoneBounds()
	// As time.Date does not say which of two offsets it took, both sides are
	// looked at.
	switch wanted := d.t.Add(since); wall(t).Compare(wanted) {
	case 1: // the time is in a gap, and t behind it
		return start
	case -1: // the time is in a gap, and t before it
		return end
	}
	if start.IsZero() {
		return t
	}
	_, before := start.Add(-time.Second).Zone()
	_, after := t.Zone()
	if first := t.Add(time.Duration(after-before) * time.Second); first.Before(start) {
		return first
	}
	return t
}

// wall is the wall clock's reading as if it were UTC, for comparing readings.
func wall(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}

// open reports whether rules hold on a day.
func (t Table) open(d date) bool {
	if slices.ContainsFunc(t.Holidays, d.in) {
		return false
	}
	return len(t.Terms) == 0 || slices.ContainsFunc(t.Terms, d.in)
}

func (t Table) between(from, to time.Time) []Entry {
	list := t.ruled(from, to)
	for _, e := range t.Dated {
		if within(e.At, from, to) {
			e.At = e.At.In(from.Location())
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, byTime)
	return list
}

func within(at, from, to time.Time) bool { return !at.Before(from) && at.Before(to) }

// ruled returns what the rules alone have between two times, day by day.
func (t Table) ruled(from, to time.Time) []Entry {
	var list []Entry
	loc := from.Location()
	// A gap at midnight moves an entry into the next day, so that the day before
	// is looked at as well.
	last := dateOf(to.In(loc))
	for d := dateOf(from).add(-1); !d.t.After(last.t); d = d.add(1) {
		if !d.exists(loc) {
			continue
		}
		open := t.open(d)
		for _, r := range t.Rules {
			if !r.Days[d.t.Weekday()] || !open && !r.Anyway {
				continue
			}
			if at := d.at(r.At, loc); within(at, from, to) {
				list = append(list, r.entry(d, at))
			}
		}
	}
	return list
}

func byTime(a, b Entry) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }

func (r Rule) entry(d date, at time.Time) Entry {
	return Entry{
		ID: r.ID + "/" + d.String(), At: at, Name: r.Name, Message: r.Message, Words: r.Words,
		Chime: r.Chime, Zones: r.Zones, Bell: r.Bell,
	}
}

func (t Table) next(now time.Time, wanted func(Entry) bool) (next Entry, ok bool) {
	earlier := func(e Entry) bool { return wanted(e) && (!ok || byTime(e, next) < 0) }
	for _, e := range t.Dated {
		if e.At.After(now) && earlier(e) {
			next, ok = e, true
			next.At = e.At.In(now.Location())
		}
	}
	if len(t.Rules) == 0 {
		return next, ok
	}
	const week = 7
	from, last := now.Add(1), now.AddDate(0, 0, horizon)
	for from.Before(last) && (!ok || !next.At.Before(from)) {
		to := from.AddDate(0, 0, week)
		for _, e := range t.ruled(from, to) {
			if earlier(e) {
				next, ok = e, true
			}
		}
		from = to
	}
	return next, ok
}
