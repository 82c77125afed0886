package alert

import (
	"errors"
	"time"
)

// View is everything that outputs and pages need to know about this moment.
// It is immutable: any goroutine may read it, nobody may change it.
type View struct {
	// Version grows with every change of the view.
	Version uint64
	// At is when the view was made.
	At    Stamp
	State State
	// Open holds the open alerts of State, in the order of State.Open. Whoever
	// reads the view shares it, because every lamp and page asks for it.
	Open []Alert
	// Truths holds how far each open alert's highest press has come.
	Truths map[Key]Truth
	// Proofs holds the same without a person's acceptance: how far the press
	// itself has verifiably come, TruthReceived at the most.
	Proofs map[Key]Truth
	// Points holds the state of every supervised point, by id.
	Points map[string]PointStatus
	// Notices are the announcements that hold now, the newest first.
	Notices []Notice
	// Ended are the public emergencies and their drills that were cleared in the
	// last AllClearFor, the newest first.
	Ended []Ended
}

// Notice is a text for everyone in the building. It lives in memory only: a
// restart never repeats yesterday's announcement.
type Notice struct {
	// ID is the announcement's id, the subject of its events.
	ID   string
	Text Text
	// Screens are the lobby screens that show it; none means all.
	Screens []string
	// Zones are those whose loudspeakers say it; "*" means all, none that it is
	// shown only.
	Zones []string
	// Priority is that of the loudspeakers; zero means PriorityNotice.
	Priority Priority
	// Message is the id of the site's message that it is, if it is one: its
	// recordings and its chime are used.
	Message string
	// Began is when the notice was made; it ends For later by the monotonic
	// clock.
	Began Stamp
	For   time.Duration
	// Status is Exercise for the words of a drill.
	Status      Status
	Origin, Who string
	// Command is the id of the command that brought the notice, if one did.
	Command string
}

// Truth returns how far a's highest press has come.
func (v *View) Truth(a Alert) Truth { return v.Truths[a.Key] }

// PointStatus is the state of one supervised point.
type PointStatus struct {
	ID string `json:"id"`
	// Armed says that the point was read and has no fault.
	Armed bool `json:"armed"`
	// Active says that the contact is actuated now.
	Active bool `json:"active"`
	// Fault is empty or one of the faults of the vocabulary of the wall.
	Fault  string `json:"fault,omitempty"`
	Detail string `json:"detail,omitempty"`
	// LastProven is when the point was last read without error.
	LastProven Stamp `json:"last_proven,omitzero"`
}

// ErrNotDurable is wrapped by the answer to a decision that holds, although the
// journal could not be written to disk, so that a power cut would undo it.
var ErrNotDurable = errors.New("done, but kept in memory only: the disk cannot be written")

// Decision is what a person (or dispatch for one) decides about an alert.
type Decision struct {
	// Alert is the alert's id.
	Alert string
	// Number is the highest press that the person saw. A press that came
	// after it is not covered by the decision.
	Number uint64
	// Outcome is needed to clear, and only then.
	Outcome Outcome
	// Origin is where the decision came from ("console", "dispatch").
	Origin string
	// Who is a role or an operator's id; Why is free text. Never about a pupil.
	Who string
	Why string
	// ETA is when the team expects to arrive, for a team on its way.
	ETA time.Time
	// Command is the id of the command that brought the decision, if one did.
	Command string
}
