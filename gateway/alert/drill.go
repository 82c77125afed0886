package alert

import "errors"

// Drill says what an exercise pretends, or which one is to end.
type Drill struct {
	// Kind, Level and Place say what is pretended, and at which of the site's
	// places. To end drills, an empty Kind or Place means any.
	Kind  Kind
	Level Level
	Place string
	// Origin is where the drill came from ("console", "dispatch"); Who is a
	// role or an operator's id; Why is free text.
	Origin, Who, Why string
	// Command is the id of the command that brought it, if one did.
	Command string
}

// Errors about drills.
var (
	// ErrDrill: the drill is not complete, or names what the site does not have.
	ErrDrill = errors.New("not a drill that this site can hold")
	// ErrDrillRuns: this drill is running already.
	ErrDrillRuns = errors.New("this drill is running already")
	// ErrRealAlert: a real alert stands in the way of an exercise.
	ErrRealAlert = errors.New("a real alert is open: no drill begins now")
	// ErrNoDrill: there is nothing to end.
	ErrNoDrill = errors.New("no such drill is running")
)
