package alert

import (
	"errors"
	"fmt"
	"slices"
)

// Kind is the nature of a threat or request. The set is open: a site may add
// kinds of its own in its configuration; the constants below always exist.
type Kind string

// Kinds that every site knows.
const (
	Intruder     Kind = "intruder"
	Violence     Kind = "violence"
	Bullying     Kind = "bullying"
	Medical      Kind = "medical"
	Fire         Kind = "fire"
	Stranger     Kind = "stranger"
	MissingChild Kind = "missing-child"
	Help         Kind = "help"
	Technical    Kind = "technical"
)

// Kinds returns the kinds that every site knows, in the order of urgency in
// which pages list them.
func Kinds() []Kind {
	return []Kind{Fire, Intruder, Violence, Medical, MissingChild, Stranger, Bullying, Help, Technical}
}

// Known reports whether k is one of Kinds or of the site's own extra kinds.
func (k Kind) Known(extra ...Kind) bool {
	return slices.Contains(Kinds(), k) || slices.Contains(extra, k)
}

// Level is how loudly an alert is handled. Levels are ordered: an alert may
// rise from LevelHelp to LevelEmergency and never falls back on its own.
type Level uint8

const (
	// LevelHelp is quiet: the duty adult's screen and the lamp, nothing public.
	LevelHelp Level = 1
	// LevelEmergency runs the site's plan for the kind: lobby, lamps, dispatch.
	LevelEmergency Level = 2
)

// ErrUnknownWord is wrapped by every error about a word outside its
// vocabulary (a level, a status, an outcome).
var ErrUnknownWord = errors.New("unknown word")

// String returns the word used on the wire.
func (l Level) String() string {
	switch l {
	case LevelHelp:
		return "help"
	case LevelEmergency:
		return "emergency"
	default:
		return fmt.Sprintf("level(%d)", uint8(l))
	}
}

// MarshalText writes the word used on the wire; the zero Level becomes an
// empty string so that events without a level stay readable.
func (l Level) MarshalText() ([]byte, error) {
	if l == 0 {
		return nil, nil
	}
	if l > LevelEmergency {
		return nil, fmt.Errorf("level %d: %w", uint8(l), ErrUnknownWord)
	}
	return []byte(l.String()), nil
}

// UnmarshalText accepts the words that MarshalText writes and nothing else.
func (l *Level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "":
		*l = 0
	case "help":
		*l = LevelHelp
	case "emergency":
		*l = LevelEmergency
	default:
		return fmt.Errorf("level %q: want help or emergency: %w", b, ErrUnknownWord)
	}
	return nil
}

// Status is CAP 1.2's <status>: whether an alert is real.
type Status string

// Statuses, in CAP 1.2's own spelling.
const (
	Actual   Status = "Actual"   // a real press; always breaks through the others
	Exercise Status = "Exercise" // part of a drill
	Test     Status = "Test"     // proves the path and asks nobody to come
)

// Valid reports whether s is one of the three statuses that Nabat uses.
func (s Status) Valid() bool { return s == Actual || s == Exercise || s == Test }

// gravity orders statuses, the most serious first. A word that got lost counts
// as real.
func (s Status) gravity() int {
	switch s {
	case Exercise:
		return 1
	case Test:
		return 2
	case Actual:
		return 0
	}
	return 0
}

// Outcome is what a person says when clearing an alert.
type Outcome string

// Outcomes of an alert.
const (
	Resolved     Outcome = "resolved"
	FalsePress   Outcome = "false-press"
	TestComplete Outcome = "test-complete"
)

// Outcomes returns every outcome, in the order in which pages offer them.
func Outcomes() []Outcome { return []Outcome{Resolved, FalsePress, TestComplete} }

// Valid reports whether o is one of Outcomes.
func (o Outcome) Valid() bool { return slices.Contains(Outcomes(), o) }

// Gesture is what a hand did with a button.
type Gesture string

const (
	// Tap is the beginning of any press of at least 30 ms.
	Tap Gesture = "tap"
	// Hold is a press that lasts 3 s or longer; it follows the Tap of the same press.
	Hold Gesture = "hold"
)
