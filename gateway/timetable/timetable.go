// Package timetable says what a school day has in store: bells and informing
// spots by weekday, term and holiday, from the configuration and from an
// iCalendar file. It is pure: the caller brings the time and the bytes.
//
// Everything is meant by the wall clock of the site. A bell whose time does not
// exist on the day on which clocks go forward rings once, at the first minute
// that does; one whose time comes twice when they go back rings once, the first
// time.
package timetable

import (
	"time"

	"nabat/gateway/alert"
)

// Entry is one thing that is due at a time.
type Entry struct {
	// ID names the entry of this day for ever: its rule and its date.
	ID string
	// At is when it is due, in the site's own time zone.
	At time.Time
	// Name is what people call it: "2nd lesson", "Break". It may be empty, and
	// may have one language only; Text.In finds it.
	Name alert.Text
	// Message is the id of what is said; empty means Words.
	Message string
	// Words are what is said where there is no Message, in the languages that
	// have a text here: a calendar has one. Without any the Chime is all.
	Words alert.Text
	// Chime goes before the words; empty means the message's own.
	Chime alert.Chime
	// Zones are where it is said; "*" means all.
	Zones []string
	// Bell says that it is a bell, which pages and displays count down to.
	Bell bool
}

// Table is a checked timetable. It is never changed; the zero Table is empty.
// All methods may be called from any goroutine.
type Table struct {
	// Rules are what repeats, in the order of the file.
	Rules []Rule
	// Terms bound the days on which rules hold; none means all days.
	Terms []Span
	// Holidays are days on which no rule holds.
	Holidays []Span
	// Quiet are the times of day at which routine is not said, whoever wants it.
	Quiet []Hours
	// Dated are single entries, as a calendar file has them. They hold on
	// holidays as well, and outside terms.
	Dated []Entry
}

// Rule is an entry that repeats by weekday.
type Rule struct {
	ID      string
	Days    [7]bool       // by time.Weekday
	At      time.Duration // since midnight by the wall clock, below 24 h
	Name    alert.Text
	Message string
	Words   alert.Text
	Chime   alert.Chime
	Zones   []string
	Bell    bool
	// Anyway says that holidays and the ends of terms do not matter.
	Anyway bool
}

// Span is a span of days, both included, at midnight UTC.
type Span struct{ First, Last time.Time }

// Hours is a span of the day since midnight; it goes over midnight when To is
// not after From.
type Hours struct{ From, To time.Duration }

// horizon is how far ahead Next looks: over the longest holidays
// and into the next school year.
const horizon = 400

// Between returns the entries that are due at from or later and before to, in
// the time zone of from, ordered by time. Quiet hours do not matter here: what
// is due is shown, and Silent says whether it is said. It costs one look at
// every rule for each day.
func (t Table) Between(from, to time.Time) []Entry { return t.between(from, to) }

// Next returns the first bell after now; ok is false where none comes within
// 400 days.
func (t Table) Next(now time.Time) (e Entry, ok bool) {
	return t.next(now, func(e Entry) bool { return e.Bell })
}

// Day returns the entries of the day on which at is, in its time zone.
func (t Table) Day(at time.Time) []Entry {
	today := dateOf(at)
	return t.between(today.at(0, at.Location()), today.add(1).at(0, at.Location()))
}

// Silent reports whether routine is not said at this time of day, by the wall
// clock of at. An emergency and a notice of a person do not ask it.
func (t Table) Silent(at time.Time) bool {
	h, m, s := at.Clock()
	now := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	for _, q := range t.Quiet {
		if q.Holds(now) {
			return true
		}
	}
	return false
}

// Holds reports whether a time of day lies in the span: From does, To does not.
func (h Hours) Holds(at time.Duration) bool {
	if h.From < h.To {
		return h.From <= at && at < h.To
	}
	return h.From <= at || at < h.To
}

// With returns the table with the entries and holidays of a calendar as well.
func (t Table) With(f Feed) Table {
	t.Dated = append(append([]Entry(nil), t.Dated...), f.Entries...)
	t.Holidays = append(append([]Span(nil), t.Holidays...), f.Holidays...)
	return t
}
