package press

import (
	"time"

	"nabat/hw/point"
)

// Limits of what a hand can do and what a contact does on its own.
const (
	// Debounce is how long a contact has to rest at one level before the level
	// counts. Shorter runs are bounces, at the press and at the release.
	Debounce = 10 * time.Millisecond
	// HoldAfter makes a press a hold.
	HoldAfter = 3 * time.Second
	// StuckAfter is longer than any hand holds a button.
	StuckAfter = time.Minute
	// ChatterEdges is the number of edges in a row, none followed by Debounce of
	// rest, after which the contact is held for broken.
	ChatterEdges = 100
	// TapsPerSecond is more than any hand can do, and far less than what a wet
	// wire picks up from 50 Hz mains, whose half periods pass as presses.
	TapsPerSecond = 20
	// CalmAfter is the rest after which a chattering contact is trusted again.
	CalmAfter = time.Second
	// ProveEvery is the distance of Proven gestures.
	ProveEvery = time.Minute
)

// Kind is what a Gesture says.
type Kind uint8

const (
	// Tap is a press, as soon as it is certain. Every press gives exactly one.
	Tap Kind = iota + 1
	// Hold says that the same press has lasted HoldAfter. At most one a press, after its Tap.
	Hold
	// Released says that the press is over. A press ends with Released or with Faulted.
	Released
	// Faulted says that the point is not to be trusted; Fault names why. It ends a press,
	// except that a stuck button stays down until it is Released.
	Faulted
	// Restored says that the fault that was last reported is over.
	Restored
	// Proven says that the point was read without error; at the first reading and then
	// every ProveEvery while nothing is wrong.
	Proven
)

// String returns the word for logs.
func (k Kind) String() string {
	switch k {
	case Tap:
		return "tap"
	case Hold:
		return "hold"
	case Released:
		return "released"
	case Faulted:
		return "faulted"
	case Restored:
		return "restored"
	case Proven:
		return "proven"
	}
	return "unknown"
}

// Gesture is one thing that a hand did, or that is known about a point.
type Gesture struct {
	// Point is the id of the point in the configuration.
	Point string
	Kind  Kind
	// At is on CLOCK_MONOTONIC, exactly as the source stamped it. For Tap and
	// Hold it is the edge that began the press: the first one after which the
	// contact stayed closed for Debounce. For Released it is the edge that ended
	// it. For the others it is the time of the signal that gave rise to it.
	At time.Duration
	// Held is how long the press is known to have lasted, for Hold and Released.
	Held time.Duration
	// Initial says of a Tap that the button was found pressed (at start, or after
	// a fault), not seen to go down. Such a press never becomes a Hold.
	Initial bool
	// Fault and Detail are set when Kind is Faulted; Fault also when it is Restored.
	Fault  point.Fault
	Detail string
}
