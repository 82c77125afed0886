// Package timetable says what a school day has in store: bells and informing
// spots by weekday, term and holiday, from the configuration and from an
// iCalendar file. It is pure: the caller brings the time and the bytes.
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
	// Name is what people call it: "2nd lesson", "Break".
	Name alert.Text
	// Message is the id of what is said.
	Message string
	// Zones are where it is said.
	Zones []string
	// Bell says that it is a bell, which pages and displays count down to.
	Bell bool
}

// Table is a checked timetable. It is never changed; the zero Table is empty.
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
	At      time.Duration // since midnight by the wall clock
	Name    alert.Text
	Message string
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
