package timetable

import (
	"fmt"
	"time"

	"nabat/gateway/alert"
)

// Options say how a calendar file is understood.
type Options struct {
	// From and To bound what is taken from the file, in the site's time zone: a
	// rule without an end would go on for ever. Take up to MostDays.
	From, To time.Time
	// Language is the one in which summaries are written, and said.
	Language alert.Language
	// Zones and Messages are the ids that events may name.
	Zones    []alert.Zone
	Messages []string
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

// Error returns "line N (UID): what; remedy".
func (p Problem) Error() string {
	if p.UID == "" {
		return fmt.Sprintf("line %d: %s; %s", p.Line, p.What, p.Remedy)
	}
	return fmt.Sprintf("line %d (%s): %s; %s", p.Line, p.UID, p.What, p.Remedy)
}

