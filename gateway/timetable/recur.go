package timetable

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Bounds of the work that the rules of one file may cause.
const (
	maxWork  = 300_000 // occurrences of all events together
	maxNever = 8       // rules that never come true: each costs a walk to the year 9999
	maxList  = 64      // values in the BY… lists of one rule
	maxTimes = 48      // times a day
)

// current leaves out what a later revision in the same file replaces.
func current(events []event) []event {
	latest := map[string]int{}
	for _, e := range events {
		if e.uid != "" && e.recurs == nil {
			latest[e.uid] = max(latest[e.uid], e.sequence)
		}
	}
	changed := map[string][]moment{}
	var list []event
	for _, e := range events {
		if e.uid != "" && e.recurs != nil {
			changed[e.uid] = append(changed[e.uid], *e.recurs)
		}
		if e.uid != "" && e.recurs == nil && e.sequence < latest[e.uid] {
			continue
		}
		list = append(list, e)
	}
	for i, e := range list {
		if e.recurs == nil {
			list[i].except = append(e.except, changed[e.uid]...)
		}
	}
	return list
}

// take writes one event out into entries or holidays.
func (c *reader) take(e event) error {
	if e.cancelled {
		return nil
	}
	if e.start.day && !e.holiday {
		c.feed.Ignored++
		return nil
	}
	starts, err := c.starts(e)
	if err != nil {
		return err
	}
	for _, wall := range starts {
		if e.holiday {
			length := e.last.t.Sub(dateOf(e.start.wall).t)
			first := dateOf(wall).t
			c.feed.Holidays = append(c.feed.Holidays, Span{First: first, Last: first.Add(length)})
			continue
		}
		at := onClock(wall, e.start.loc).In(c.o.From.Location())
		if at.Before(c.o.From) || !at.Before(c.o.To) {
			continue
		}
		if len(c.feed.Entries) >= maxEntries {
			c.unsaid++
			continue
		}
		entry := e.entry
		entry.ID, entry.At = e.id(at), at
		c.feed.Entries = append(c.feed.Entries, entry)
	}
	return nil
}

// starts returns when the event begins, by its own clock, from a day before the
// wanted time to a day after it, so that no zone matters yet.
func (c *reader) starts(e event) ([]time.Time, error) {
	length := e.last.t.Sub(dateOf(e.start.wall).t)
	from := wall(c.o.From).AddDate(0, 0, -2).Add(-length)
	to := wall(c.o.To).AddDate(0, 0, 2)
	var list []time.Time
	if e.rule == "" {
		list = append(list, e.start.wall)
	} else {
		ruled, err := c.ruled(e, from, to)
		if err != nil {
			return nil, err
		}
		list = ruled
	}
	for _, m := range e.also {
		if m.day {
			list = append(list, m.wall.Add(e.start.wall.Sub(dateOf(e.start.wall).t)))
			continue
		}
		list = append(list, wall(m.time().In(e.start.loc)))
	}
	list = slices.DeleteFunc(list, func(at time.Time) bool { return at.Before(from) || at.After(to) || e.excepted(at) })
	slices.SortFunc(list, time.Time.Compare)
	return slices.CompactFunc(list, time.Time.Equal), nil
}

// excepted reports whether an occurrence is left out, or stands elsewhere in
// the file.
func (e event) excepted(at time.Time) bool {
	return slices.ContainsFunc(e.except, func(m moment) bool {
		if m.day || e.start.day {
			return dateOf(m.wall) == dateOf(at)
		}
		return m.time().Equal(onClock(at, e.start.loc))
	})
}

// ruled works a recurrence rule out, by the event's own clock.
func (c *reader) ruled(e event, from, to time.Time) (list []time.Time, err error) {
	o, err := parseRule(e)
	if err != nil {
		return nil, err
	}
	if c.never >= maxNever || c.work <= 0 {
		return nil, Problem{What: "the rules before this one take too much work", Remedy: "export the bells and spots of this school year only"}
	}
	err = protect(func() error {
		list, err = c.walk(o, e.start.wall, from, to)
		return err
	})
	return list, err
}

// parseRule reads a rule and refuses what no school day needs and what would
// take long to work out.
func parseRule(e event) (o rrule.ROption, err error) {
	const remedy = "want FREQ=DAILY, WEEKLY, MONTHLY or YEARLY with INTERVAL, COUNT or UNTIL, and BYDAY, BYMONTHDAY or BYMONTH"
	wrong := func(format string, args ...any) (rrule.ROption, error) {
		return rrule.ROption{}, Problem{What: "RRULE = " + quote(e.rule) + " " + fmt.Sprintf(format, args...), Remedy: remedy}
	}
	rule := strings.ToUpper(strings.TrimRight(strings.TrimSpace(e.rule), ";"))
	var parsed *rrule.ROption
	err = protect(func() (err error) {
		parsed, err = rrule.StrToROption(rule)
		return err
	})
	if err != nil {
		return wrong("cannot be read (%s)", quote(err.Error()))
	}
	o = *parsed
	const maxInterval, maxSetpos = 1000, 8
	times := max(len(o.Byhour), 1) * max(len(o.Byminute), 1)
	lists := len(o.Bymonth) + len(o.Bymonthday) + len(o.Byyearday) + len(o.Byweekno) + len(o.Byweekday)
	switch {
	case o.Freq > rrule.DAILY:
		return wrong("comes more than once a day")
	case times > maxTimes || len(o.Bysecond) > 1:
		return wrong("comes more than %d times a day", maxTimes)
	case o.Interval > maxInterval || len(o.Bysetpos) > maxSetpos || lists > maxList || len(o.Byeaster) > 0:
		return wrong("is longer than any calendar program writes it")
	}
	for _, d := range o.Byweekday {
		// The library looks beyond the end of a month for a sixth Monday.
		const mostInMonth = 5
		if (len(o.Bymonth) > 0 || o.Freq == rrule.MONTHLY) && max(d.N(), -d.N()) > mostInMonth {
			return wrong("asks for a sixth weekday of a month")
		}
	}
	o.Dtstart = e.start.wall
	if _, value, ok := strings.Cut(rule, "UNTIL="); ok {
		value, _, _ = strings.Cut(value, ";")
		switch {
		case strings.HasSuffix(value, "Z"):
			o.Until = wall(o.Until.In(e.start.loc))
		case len(value) == len("20060102"): // that day included
			o.Until = o.Until.Add(24*time.Hour - time.Second)
		}
	}
	return o, nil
}

// walk lists the occurrences from one reading of the clock to another.
func (c *reader) walk(o rrule.ROption, start, from, to time.Time) ([]time.Time, error) {
	if start.After(to) || !o.Until.IsZero() && o.Until.Before(from) {
		return nil, nil
	}
	if o.Until.IsZero() || o.Until.After(to) {
		o.Until = to
	}
	o.Dtstart = skip(o, start, from)
	r, err := rrule.NewRRule(o)
	if err != nil {
		return nil, err
	}
	var list []time.Time
	next := r.Iterator()
	for n := 0; ; n++ {
		at, ok := next()
		switch {
		case !ok && n == 0:
			c.never++
			return nil, nil
		case !ok:
			return list, nil
		case c.work <= 0:
			return nil, Problem{What: "the rule comes too often", Remedy: "export the bells and spots of this school year only"}
		}
		c.work--
		if !at.Before(from) {
			list = append(list, at)
		}
	}
}

// skip moves the start of a daily or weekly series that is years old by whole
// periods, where nothing counts them.
func skip(o rrule.ROption, start, from time.Time) time.Time {
	days := max(o.Interval, 1)
	switch o.Freq {
	case rrule.WEEKLY:
		days *= 7
	case rrule.DAILY:
	case rrule.YEARLY, rrule.MONTHLY, rrule.HOURLY, rrule.MINUTELY, rrule.SECONDLY:
		return start
	}
	periods := int(from.Sub(start)/(24*time.Hour))/days - 1
	if o.Count > 0 || periods <= 0 {
		return start
	}
	return start.AddDate(0, 0, periods*days)
}
