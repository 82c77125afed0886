package alert

import (
	"fmt"
	"slices"
	"time"
)

// Response is CAP 1.2's <responseType>: what everyone in the building is asked
// to do. It chooses the pictogram, the usual words and the urgency of what is
// said.
type Response string

// Responses, in CAP 1.2's own spelling.
const (
	Evacuate Response = "Evacuate" // leave the building
	Shelter  Response = "Shelter"  // stay where you are, lock the door
	Avoid    Response = "Avoid"    // keep away from the place
	Monitor  Response = "Monitor"  // look out and report
	Prepare  Response = "Prepare"  // be ready for what comes next
	AllClear Response = "AllClear" // the danger is over
	// NoResponse asks nothing of anybody; CAP's word is "None".
	NoResponse Response = "None"
)

// Responses returns the responses that a plan may name, the most urgent first.
func Responses() []Response {
	return []Response{Evacuate, Shelter, Avoid, Monitor, Prepare, NoResponse}
}

// Valid reports whether r is one of Responses.
func (r Response) Valid() bool { return slices.Contains(Responses(), r) }

// UsualResponse returns what a kind asks of everyone where the site's plan says
// nothing else.
func UsualResponse(k Kind) Response {
	switch k {
	case Fire:
		return Evacuate
	case Intruder, Violence:
		return Shelter
	case Medical:
		return Avoid
	case Stranger, MissingChild:
		return Monitor
	case Bullying, Help, Technical:
		return NoResponse
	}
	return Prepare // a kind of the site's own
}

// Priority orders what the loudspeakers say: a higher one interrupts a lower
// one at once. The zero Priority is no announcement's.
type Priority uint8

// Priorities, the lowest first.
const (
	// PriorityRoutine is a bell or an informing spot. It is dropped when
	// interrupted.
	PriorityRoutine Priority = 1
	// PriorityNotice is what a person has to say to the building. It begins
	// anew after an interruption while it still stands.
	PriorityNotice Priority = 2
	// PriorityEmergency repeats until it is ended.
	PriorityEmergency Priority = 3
	// PriorityEvacuate is an emergency in which people must leave.
	PriorityEvacuate Priority = 4
)

// Priorities returns every priority, the lowest first.
func Priorities() []Priority {
	return []Priority{PriorityRoutine, PriorityNotice, PriorityEmergency, PriorityEvacuate}
}

// String returns the word used on the wire and in the configuration.
func (p Priority) String() string {
	switch p {
	case PriorityRoutine:
		return "routine"
	case PriorityNotice:
		return "notice"
	case PriorityEmergency:
		return "emergency"
	case PriorityEvacuate:
		return "evacuate"
	}
	return fmt.Sprintf("priority(%d)", uint8(p))
}

// MarshalText writes the word used on the wire; the zero Priority becomes an
// empty text.
func (p Priority) MarshalText() ([]byte, error) {
	if p == 0 {
		return nil, nil
	}
	if p > PriorityEvacuate {
		return nil, fmt.Errorf("priority %d: %w", uint8(p), ErrUnknownWord)
	}
	return []byte(p.String()), nil
}

// UnmarshalText accepts the words that MarshalText writes and nothing else.
func (p *Priority) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*p = 0
		return nil
	}
	for _, known := range Priorities() {
		if known.String() == string(b) {
			*p = known
			return nil
		}
	}
	return fmt.Errorf("priority %q: want routine, notice, emergency or evacuate: %w", b, ErrUnknownWord)
}

// Everywhere is the word for every zone, or every screen, in a list of ids.
const Everywhere = "*"

// Zone is a part of the site that hears and sees the same: loudspeakers,
// screens and displays belong to zones.
type Zone struct {
	ID   string
	Name Text
}

// Message is something that the site wants to say more than once: by a bell, a
// plan, or a person who names it.
type Message struct {
	ID   string
	Text Text
	// Priority is what it is said with when a person or the timetable says it.
	Priority Priority
	// Recorded holds paths of WAV files that are played in place of a
	// synthesised voice, by language; a language that is missing is synthesised.
	Recorded map[Language]string
	// Chime is the sound before the words; empty means the priority's own.
	Chime Chime
	// Silent says that there are no words to say: a bell is its chime alone.
	Silent bool
}

// Chime names a sound of our own making that goes before words.
type Chime string

// Chimes.
const (
	ChimeNone      Chime = "none"
	ChimeBell      Chime = "bell"      // the beginning and end of lessons
	ChimeGong      Chime = "gong"      // a notice
	ChimeEmergency Chime = "emergency" // stay and lock: two tones, nothing like a bell
	ChimeEvacuate  Chime = "evacuate"  // leave: a rising sweep
	ChimeAllClear  Chime = "all-clear" // the danger is over: a falling chord
)

// Chimes returns every chime that a configuration may name.
func Chimes() []Chime {
	return []Chime{ChimeNone, ChimeBell, ChimeGong, ChimeEmergency, ChimeEvacuate, ChimeAllClear}
}

// Orientation is how a screen hangs.
type Orientation string

// Orientations.
const (
	Landscape Orientation = "landscape"
	Portrait  Orientation = "portrait"
)

// Screen is one lobby monitor.
type Screen struct {
	ID string
	// Zones are the zones whose announcements it shows; none means all.
	Zones []string
	// Languages are those that it shows, in their order; none means all, the
	// site's own first.
	Languages   []Language
	Orientation Orientation
	// Width and Height are its pixels; zero where the installer did not say.
	Width, Height int
	// Watched says that a screen which does not prove itself is a condition.
	Watched bool
}

// Helpline is a number or an address where a child is heard.
type Helpline struct {
	Name Text
	// Phone is as people dial it; URL becomes a QR code. One of them is set.
	Phone string
	URL   string
}

// Ended is a public emergency, or a drill of one, that was cleared while the
// gateway was running. It is remembered for a while, so that pages and
// loudspeakers can say that it is over; a restart forgets it, because yesterday's
// all-clear must never be said today.
type Ended struct {
	// Alert is the alert as it was when it was cleared.
	Alert Alert
	// At is when the clear took effect.
	At Stamp
	// Outcome is what the person said.
	Outcome Outcome
}

// AllClearFor is how long an Ended is remembered.
const AllClearFor = 15 * time.Minute

// Sounding is what one zone's loudspeakers say at this moment, or would say if
// there were any.
type Sounding struct {
	Zone string `json:"zone"`
	// Announcement is the id of the alert, notice or timetable entry.
	Announcement string   `json:"announcement"`
	Priority     Priority `json:"priority"`
	Status       Status   `json:"status"`
	// Text is what is said, without the words of a drill around it.
	Text Text `json:"text"`
	// Since is when it began; Times how often it has been said in full.
	Since Stamp `json:"since,omitzero"`
	Times int   `json:"times"`
	// Speakers is how many loudspeakers of the zone say it, Silent how many
	// cannot. A zone without any is only shown.
	Speakers int `json:"speakers"`
	Silent   int `json:"silent"`
}
