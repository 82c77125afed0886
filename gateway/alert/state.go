// Package alert holds the words and rules of Nabat: what an alert is, what can
// happen to it, and the fold that turns any heap of events into the alerts
// that are open now.
//
// The package is pure: no clock, no goroutine, no I/O, standard library only.
package alert

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Key identifies the stream of alerts of one kind at one place, within one
// numbering of presses.
type Key struct {
	Numbering string `json:"numbering"`
	Place     string `json:"place"`
	Kind      Kind   `json:"kind"`
}

// Mark says how far something has come: it covers every press of the key with
// a number up to Number. Who, Why, At, ETA and Revision describe the highest one.
type Mark struct {
	Number   uint64    `json:"number"`
	Who      string    `json:"who,omitempty"`
	Why      string    `json:"why,omitempty"`
	Origin   string    `json:"origin,omitempty"`
	Outcome  Outcome   `json:"outcome,omitempty"`
	ETA      time.Time `json:"eta,omitzero"`
	Revision uint64    `json:"revision,omitempty"`
	At       Stamp     `json:"at,omitzero"`
}

// Team returns what the team of a mark about one is called: its name, which
// dispatch tells as the reason, or else who sent it.
func (m Mark) Team() string {
	if m.Why != "" {
		return m.Why
	}
	return m.Who
}

// later joins two marks: the higher number wins, and of two with the same
// number the earlier one, so that the first person's word stands.
func later(a, b Mark) Mark {
	if cmp.Or(cmp.Compare(b.Number, a.Number), earlier(a, b)) > 0 {
		return b
	}
	return a
}

// latest joins two marks about something that changes while it lasts, such as
// the time at which a team is expected: of two with the same number the one
// with the higher revision wins, and of two that were revised apart from each
// other the one that was said later.
func latest(a, b Mark) Mark {
	if cmp.Or(cmp.Compare(b.Number, a.Number), cmp.Compare(b.Revision, a.Revision), earlier(b, a)) > 0 {
		return b
	}
	return a
}

// earlier compares all of two marks but the number: by time first, so that the
// result is negative when a came first.
func earlier(a, b Mark) int {
	return cmp.Or(
		a.At.Wall.Compare(b.At.Wall),
		cmp.Compare(a.At.Mono, b.At.Mono),
		cmp.Compare(a.At.Boot, b.At.Boot),
		cmp.Compare(btoi(a.At.Synced), btoi(b.At.Synced)),
		cmp.Compare(a.Who, b.Who),
		cmp.Compare(a.Why, b.Why),
		cmp.Compare(a.Origin, b.Origin),
		cmp.Compare(a.Outcome, b.Outcome),
		a.ETA.Compare(b.ETA),
		cmp.Compare(a.Revision, b.Revision),
	)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Alert is all that is known about one Key. It is a join of marks, each of
// which only grows, so that the order and number of times in which events
// arrive cannot change the result.
type Alert struct {
	Key
	// ID is the alert's id as given by its highest press.
	ID    string   `json:"id"`
	Place Location `json:"location"`

	// First is the lowest press of ID, Last the highest press of the key.
	First Press `json:"first"`
	Last  Press `json:"last"`

	// Emergency, Actual and Exercise are the highest press numbers that were
	// an emergency, real, or part of a drill.
	Emergency uint64 `json:"emergency,omitempty"`
	Actual    uint64 `json:"actual,omitempty"`
	Exercise  uint64 `json:"exercise,omitempty"`

	Cleared      Mark `json:"cleared,omitzero"`
	Received     Mark `json:"received,omitzero"`
	Acknowledged Mark `json:"acknowledged,omitzero"`
	Responding   Mark `json:"responding,omitzero"`
	Arrived      Mark `json:"arrived,omitzero"`

	// HelpSteps and EmergencySteps count the steps done of the plan at each level.
	HelpSteps      Steps `json:"help_steps,omitzero"`
	EmergencySteps Steps `json:"emergency_steps,omitzero"`
}

// Steps counts the escalation steps that were done for the presses up to
// Number.
type Steps struct {
	Number uint64 `json:"number"`
	Done   int    `json:"done"`
}

func (s Steps) join(number uint64, done int) Steps {
	switch {
	case number > s.Number:
		return Steps{Number: number, Done: done}
	case number == s.Number:
		s.Done = max(s.Done, done)
	}
	return s
}

// Press is one press as an alert remembers it.
type Press struct {
	Number  uint64  `json:"number"`
	Point   string  `json:"point,omitempty"`
	Gesture Gesture `json:"gesture,omitempty"`
	At      Stamp   `json:"at,omitzero"`
}

// Open reports whether a press stands that nobody has cleared.
func (a Alert) Open() bool { return a.Last.Number > a.Cleared.Number }

// Level returns the level of the presses that nobody has cleared.
func (a Alert) Level() Level {
	if a.Emergency > a.Cleared.Number {
		return LevelEmergency
	}
	return LevelHelp
}

// Status returns the most serious status among the presses that nobody has
// cleared: a real press breaks through a drill, a drill through a test.
func (a Alert) Status() Status {
	switch {
	case a.Actual > a.Cleared.Number:
		return Actual
	case a.Exercise > a.Cleared.Number:
		return Exercise
	default:
		return Test
	}
}

// Covers reports whether m covers the alert's highest press. A press after an
// acknowledgement is not yet acknowledged.
func (a Alert) Covers(m Mark) bool { return m.Number >= a.Last.Number && m.Number > 0 }

// Accepted reports whether a person has taken the alert's highest press.
func (a Alert) Accepted() bool {
	return a.Covers(a.Acknowledged) || a.Covers(a.Responding) || a.Covers(a.Arrived)
}

// State is all alerts of a gateway. The zero State is empty and ready. A State
// is a value: Next returns a new one and leaves the old one as it was, so a
// State may be read from any goroutine.
type State struct {
	alerts map[Key]Alert
}

// NewState returns a State with the given alerts, as read back from a journal.
func NewState(alerts ...Alert) State {
	s := State{alerts: make(map[Key]Alert, len(alerts))}
	for _, a := range alerts {
		s.alerts[a.Key] = a
	}
	return s
}

// Alert returns what is known about key; ok is false where nothing is.
func (s State) Alert(key Key) (a Alert, ok bool) {
	a, ok = s.alerts[key]
	return a, ok
}

// Find returns the alert with the given id, open or not.
func (s State) Find(id string) (a Alert, ok bool) {
	for _, a := range s.alerts {
		if a.ID == id {
			return a, true
		}
	}
	return Alert{}, false
}

// Open returns the open alerts: real ones before exercises, emergencies first
// among them, then the oldest first, by the count of presses.
func (s State) Open() []Alert {
	var open []Alert
	for _, a := range s.alerts {
		if a.Open() {
			open = append(open, a)
		}
	}
	slices.SortFunc(open, func(a, b Alert) int {
		return cmp.Or(
			cmp.Compare(a.Status().gravity(), b.Status().gravity()), cmp.Compare(b.Level(), a.Level()),
			cmp.Compare(a.First.Number, b.First.Number), cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key.Place, b.Key.Place), cmp.Compare(a.Numbering, b.Numbering),
		)
	})
	return open
}

// Next folds one event into the state. It is pure, and it does not depend on
// the order or the number of times in which events are folded: an alert is
// open if and only if its highest press number exceeds its highest cleared
// number. Events that are not about alerts leave the state as it is.
//
// Its one precondition: the presses of one alert id have consecutive numbers
// within their key, which holds because an id is kept until it is cleared.
func (s State) Next(e Event) State {
	key, ok := e.Key()
	if !ok {
		return s
	}
	a := s.alerts[key]
	a.Key = key
	mark := Mark{Number: e.Number, Who: e.Who, Why: e.Why, Origin: e.Origin, Outcome: e.Outcome, ETA: e.ETA, Revision: e.Revision, At: e.At}
	switch e.Type {
	case Raised:
		a = a.raise(e)
	case Escalated:
		a = a.escalate(e)
	case Received:
		a.Received = later(a.Received, mark)
	case Acknowledged:
		a.Acknowledged = later(a.Acknowledged, mark)
	case Responding:
		a.Responding = latest(a.Responding, mark)
	case Arrived:
		a.Arrived = later(a.Arrived, mark)
	case Cleared:
		a.Cleared = later(a.Cleared, mark)
	case DrillStarted, DrillEnded, PointFault, PointRestored, AnnouncementStarted, AnnouncementEnded, AnnouncementSaid,
		GatewayStarted, GatewayStopped, LinkUp, LinkDown, ConfigApplied, ConfigRefused, CommandAccepted, CommandRefused, ClockSynchronised, JournalGap, JournalParked, JournalRecovered:
		return s
	default:
		return s
	}
	next := State{alerts: maps.Clone(s.alerts)}
	if next.alerts == nil {
		next.alerts = make(map[Key]Alert)
	}
	next.alerts[key] = a
	return next
}

func (a Alert) raise(e Event) Alert {
	p := Press{Number: e.Number, Point: e.Point, Gesture: e.Gesture, At: e.At}
	switch {
	case e.Number > a.Last.Number:
		if e.Subject != a.ID {
			a.First = p
		}
		a.ID, a.Last, a.Place = e.Subject, p, *e.Place
	case e.Subject == a.ID && e.Number < a.First.Number:
		a.First = p
	}
	return a.rise(e)
}

// escalate folds an escalation: by a hand that holds the button, which is a
// press with a number of its own (so that a clear of the tap, still on its way
// to a slow disk, cannot swallow it), or by a deadline that ran out.
func (a Alert) escalate(e Event) Alert {
	if e.Gesture != "" {
		return a.raise(e)
	}
	if e.Plan == LevelEmergency {
		a.EmergencySteps = a.EmergencySteps.join(e.Number, e.Step)
	} else {
		a.HelpSteps = a.HelpSteps.join(e.Number, e.Step)
	}
	return a.rise(e)
}

// rise notes how serious press e.Number was.
func (a Alert) rise(e Event) Alert {
	if e.Level == LevelEmergency {
		a.Emergency = max(a.Emergency, e.Number)
	}
	switch e.Status {
	case Test:
	case Exercise:
		a.Exercise = max(a.Exercise, e.Number)
	case Actual:
		a.Actual = max(a.Actual, e.Number)
	default: // a status that got lost must not turn a call for help into a test
		a.Actual = max(a.Actual, e.Number)
	}
	return a
}

// HighestNumber returns the highest press number that the state knows in the
// given numbering; the next press takes a higher one. Marks count as well: if
// only the acknowledgement of a press is left of it, its number must not be
// given to another press, which would be born acknowledged.
func (s State) HighestNumber(numbering string) uint64 {
	var n uint64
	for k, a := range s.alerts {
		if k.Numbering == numbering {
			n = max(n, a.HighestPress())
		}
	}
	return n
}
