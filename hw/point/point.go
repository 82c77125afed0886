// Package point is the vocabulary of the wall: supervised inputs and outputs,
// and the signals that they give. It knows nothing of alerts, and reading
// CLOCK_MONOTONIC is its only system call.
package point

import (
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Change is what a Signal says about its point.
type Change uint8

const (
	// Active means that the contact is actuated (a button pressed, a tamper switch open).
	Active Change = iota + 1
	// Inactive means that the contact is at rest.
	Inactive
	// Faulted means that the point cannot be trusted any more; Signal.Fault names why.
	Faulted
	// Restored means that the point works again after Faulted, and was read.
	Restored
)

// Fault names what is wrong with a point, in EN 50131's words where it has one.
type Fault string

// Faults of points. The installer's README says what to do about each.
const (
	FaultLost      Fault = "lost"       // the chip or node is gone
	FaultBusy      Fault = "busy"       // another program holds the line
	FaultReadError Fault = "read-error" // the kernel or bus reports an error
	FaultTamper    Fault = "tamper"     // the housing was opened
	FaultStuck     Fault = "stuck"      // active for longer than any hand would hold it
	FaultChatter   Fault = "chatter"    // the contact bounces without end
	FaultGap       Fault = "gap"        // edges came faster than they could be read
)

// Signal is one report about one point. It is a value; the source sends it and
// forgets it.
type Signal struct {
	// Point is the id of the point in the configuration.
	Point  string
	Change Change
	// At is the source's own time of the change on CLOCK_MONOTONIC.
	At time.Duration
	// Settled says that the level was read at At and that no edge was waiting
	// to be read: it has been so since the last edge. Sources that see raw
	// edges send one 10 ms after the last edge and one every second; sources
	// that debounce on their own (button nodes) send nothing else.
	Settled bool
	// Initial says that the level was found so when the point was first read
	// (at start, or after a fault), not seen to change.
	Initial bool
	// Fault and Detail are set when Change is Faulted. Detail is for a technician.
	Fault  Fault
	Detail string
}

// Edge is one change of a pin's level as the kernel saw it.
type Edge struct {
	Level gpio.Level
	// At is when the kernel saw it, on CLOCK_MONOTONIC.
	At time.Duration
	// Lost is how many edges before this one were dropped because nobody read
	// them in time.
	Lost uint32
}

// InputPin is periph's gpio.PinIn with what a supervised input needs and
// periph's interface cannot say: the kernel's timestamps, and errors.
type InputPin interface {
	gpio.PinIn
	// NextEdge waits for the next edge. timeout < 0 waits for ever. It returns
	// os.ErrDeadlineExceeded when the time ran out, ErrHalted after Halt, and
	// otherwise the error that makes the pin unusable. After such an error the
	// pin has to be opened anew.
	NextEdge(timeout time.Duration) (Edge, error)
	// Level reads the level now, or says why it cannot.
	Level() (gpio.Level, error)
}

// OutputPin is periph's gpio.PinOut; Out reports every error.
type OutputPin interface {
	gpio.PinOut
}
