package alert

import (
	"strings"
	"time"
)

// Type names what happened. Each is the CloudEvents type of the event.
type Type string

// Types of events. The contract with dispatch lists what each one means.
const (
	Raised       Type = "nabat.alert.raised"
	Escalated    Type = "nabat.alert.escalated"
	Received     Type = "nabat.alert.received"
	Acknowledged Type = "nabat.alert.acknowledged"
	Responding   Type = "nabat.alert.responding"
	Arrived      Type = "nabat.alert.arrived"
	Cleared      Type = "nabat.alert.cleared"

	DrillStarted Type = "nabat.drill.started"
	DrillEnded   Type = "nabat.drill.ended"

	PointFault    Type = "nabat.point.fault"
	PointRestored Type = "nabat.point.restored"

	AnnouncementStarted Type = "nabat.announcement.started"
	AnnouncementEnded   Type = "nabat.announcement.ended"
	// AnnouncementSaid is a line of the play log: what the loudspeakers of one
	// zone have said, how often, and why they stopped.
	AnnouncementSaid Type = "nabat.announcement.said"

	GatewayStarted Type = "nabat.gateway.started"
	GatewayStopped Type = "nabat.gateway.stopped"
	LinkUp         Type = "nabat.link.up"
	LinkDown       Type = "nabat.link.down"
	ConfigApplied  Type = "nabat.config.applied"
	ConfigRefused  Type = "nabat.config.refused"

	CommandAccepted Type = "nabat.command.accepted"
	CommandRefused  Type = "nabat.command.refused"

	ClockSynchronised Type = "nabat.clock.synchronised"

	JournalGap       Type = "nabat.journal.gap"
	JournalParked    Type = "nabat.journal.parked"
	JournalRecovered Type = "nabat.journal.recovered"
)

// Short returns the type without its leading "nabat.", as topics carry it.
func (t Type) Short() string { return strings.TrimPrefix(string(t), "nabat.") }

// Urgent reports whether events of this type travel in the alarm lane, ahead
// of any backlog of others. Received is not urgent: it tells dispatch what
// dispatch itself said.
func (t Type) Urgent() bool {
	switch t {
	case Raised, Escalated, Acknowledged, Responding, Arrived, Cleared, DrillStarted, DrillEnded, CommandAccepted:
		return true
	case Received, PointFault, PointRestored, AnnouncementStarted, AnnouncementEnded, AnnouncementSaid,
		GatewayStarted, GatewayStopped, LinkUp, LinkDown, ConfigApplied, ConfigRefused, CommandRefused, ClockSynchronised,
		JournalGap, JournalParked, JournalRecovered:
		return false
	}
	return false
}

// Stamp is a moment as a machine without a trustworthy clock can know it.
// Order events by their sequence, never by a Stamp.
type Stamp struct {
	// Wall is what the wall clock said, in UTC.
	Wall time.Time `json:"wall,omitzero"`
	// Boot is the kernel's boot id; Mono values compare within one boot only.
	Boot string `json:"boot,omitempty"`
	// Mono is CLOCK_MONOTONIC since boot.
	Mono time.Duration `json:"mono,omitempty"`
	// Synced says that the kernel held Wall for synchronised.
	Synced bool `json:"synced,omitempty"`
}

// Since returns how long before s the stamp earlier was: by the monotonic
// clock within one boot; by the wall clock across boots when both were
// synchronised; else only the time that s's own boot has lasted, which never
// exceeds the truth. It is never negative.
func (s Stamp) Since(earlier Stamp) time.Duration {
	var d time.Duration
	switch {
	case s.Boot == earlier.Boot:
		d = s.Mono - earlier.Mono
	case s.Synced && earlier.Synced:
		d = s.Wall.Sub(earlier.Wall)
	default:
		d = s.Mono
	}
	return max(d, 0)
}

// Ref is the identity of an event for ever: the random epoch of the journal
// file that numbered it first, and its sequence there.
type Ref struct {
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Event is one thing that happened. It is a value: never changed after it was
// made. Fields that a type does not use stay zero and are not on the wire.
// The journal adds the identity (Ref) when it commits the event.
type Event struct {
	Type Type `json:"-"`
	// Subject is the alert's id (UUIDv7) for alert events; the point, link or
	// cursor for others.
	Subject string `json:"-"`
	// At is when the gateway made the event.
	At Stamp `json:"-"`

	// Numbering and Number order the presses of one gateway: Number counts up
	// over all its points, Numbering is the random id of that count. A Cleared,
	// Received or Acknowledged event carries the highest number that it covers.
	Numbering string `json:"numbering,omitempty"`
	Number    uint64 `json:"number,omitempty"`

	Kind    Kind      `json:"kind,omitempty"`
	Level   Level     `json:"level,omitzero"`
	Status  Status    `json:"status,omitempty"`
	Place   *Location `json:"place,omitempty"`
	Point   string    `json:"point,omitempty"`
	Gesture Gesture   `json:"gesture,omitempty"`
	// PressedAt is the source's own time of the edge, on the wall clock.
	PressedAt time.Time `json:"pressed_at,omitzero"`
	// PressedMono is the same edge on the kernel's monotonic clock, in
	// nanoseconds since boot, exactly as the kernel reported it.
	PressedMono time.Duration `json:"pressed_mono_ns,omitempty"`

	// Step counts the steps done of the plan at level Plan when a deadline
	// escalates an alert; To is whom the step asks.
	Step int    `json:"step,omitempty"`
	Plan Level  `json:"plan,omitzero"`
	To   string `json:"to,omitempty"`

	Outcome Outcome `json:"outcome,omitempty"`
	// Origin is where a decision came from: "console", "dispatch", "point".
	Origin string `json:"origin,omitempty"`
	// Who took the decision, as a role or an operator's id; never a pupil.
	Who string `json:"who,omitempty"`
	// Why is the reason in a person's own words.
	Why string `json:"why,omitempty"`
	// ETA is when a responding team expects to arrive. Revision counts what was
	// said before about the same press, so that the last word wins whatever the
	// clock did between.
	ETA      time.Time `json:"eta,omitzero"`
	Revision uint64    `json:"revision,omitempty"`

	// Command is the id of the command from dispatch that this event answers
	// or carries out; Counter is its counter.
	Command string `json:"command,omitempty"`
	Counter uint64 `json:"counter,omitempty"`
	// Text is what an announcement says; Until is when it ends by itself.
	Text  *Text     `json:"text,omitempty"`
	Until time.Time `json:"until,omitzero"`
	// Zones and Screens say where an announcement is said and shown; Priority is
	// that of the loudspeakers.
	Zones    []string `json:"zones,omitempty"`
	Screens  []string `json:"screens,omitempty"`
	Priority Priority `json:"priority,omitzero"`

	// Fault names what is wrong with a point; Detail says it in words for a
	// technician; LastProven is when the point was last seen to work.
	Fault      string    `json:"fault,omitempty"`
	Detail     string    `json:"detail,omitempty"`
	LastProven time.Time `json:"last_proven,omitzero"`

	// From, Through and Count describe ranges in the journal's loss ledger.
	From    *Ref   `json:"from,omitempty"`
	Through *Ref   `json:"through,omitempty"`
	Count   uint64 `json:"count,omitempty"`
}

// Key returns the key of the alert that the event is about; ok is false for
// events that are not about an alert's presses.
func (e Event) Key() (key Key, ok bool) {
	if e.Number == 0 || e.Place == nil || e.Kind == "" {
		return Key{}, false
	}
	return Key{Numbering: e.Numbering, Place: e.Place.ID, Kind: e.Kind}, true
}
