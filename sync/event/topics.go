package event

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"nabat/gateway/alert"
)

// ErrID is wrapped by every error about an id that cannot be part of a topic.
var ErrID = errors.New("unusable id")

// CheckID reports why id cannot be one level of a topic: it would then reach
// somebody else, or nobody.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("empty: %w", ErrID)
	case len(id) > 64:
		return fmt.Errorf("%.64q… has %d bytes, at most 64 are allowed: %w", id, len(id), ErrID)
	case !utf8.ValidString(id):
		return fmt.Errorf("%q is not UTF-8: %w", id, ErrID)
	case strings.HasPrefix(id, "$"):
		return fmt.Errorf("%q begins with $, which brokers keep for themselves: %w", id, ErrID)
	}
	for _, r := range id {
		if r == '/' || r == '+' || r == '#' || unicode.IsControl(r) || unicode.IsSpace(r) || r == utf8.RuneError {
			return fmt.Errorf("%q contains %q; use letters, digits, - and _: %w", id, r, ErrID)
		}
	}
	return nil
}

// Topics names the topics of one gateway. It is immutable.
type Topics struct {
	base   string
	events map[alert.Type]string
}

// NewTopics checks the ids and returns the topics of a gateway.
func NewTopics(site, gateway string) (Topics, error) {
	if err := CheckID(site); err != nil {
		return Topics{}, fmt.Errorf("site id: %w", err)
	}
	if err := CheckID(gateway); err != nil {
		return Topics{}, fmt.Errorf("gateway id: %w", err)
	}
	t := Topics{base: "nabat/1/" + site + "/" + gateway + "/", events: make(map[alert.Type]string)}
	for _, typ := range []alert.Type{
		alert.Raised, alert.Escalated, alert.Received, alert.Acknowledged, alert.Responding, alert.Arrived, alert.Cleared,
		alert.DrillStarted, alert.DrillEnded, alert.PointFault, alert.PointRestored,
		alert.AnnouncementStarted, alert.AnnouncementEnded,
		alert.GatewayStarted, alert.GatewayStopped, alert.LinkUp, alert.LinkDown, alert.ConfigApplied, alert.ConfigRefused,
		alert.CommandAccepted, alert.CommandRefused, alert.ClockSynchronised,
		alert.JournalGap, alert.JournalParked, alert.JournalRecovered,
	} {
		t.events[typ] = t.base + "event/" + typ.Short()
	}
	return t, nil
}

// Event returns the topic of events of type t. Types of a later version are
// allowed; an error means that no topic can carry the type.
func (t Topics) Event(typ alert.Type) (string, error) {
	if s, ok := t.events[typ]; ok {
		return s, nil
	}
	if err := CheckID(typ.Short()); err != nil {
		return "", fmt.Errorf("event type: %w", err)
	}
	return t.base + "event/" + typ.Short(), nil
}

// Events returns the filter that matches every event of the gateway.
func (t Topics) Events() string { return t.base + "event/#" }

// Status returns the topic of the retained status document.
func (t Topics) Status() string { return t.base + "status" }

// Receipt returns the topic on which dispatch says what it has stored.
func (t Topics) Receipt() string { return t.base + "receipt" }

// Command returns the topic of signed commands from dispatch.
func (t Topics) Command() string { return t.base + "command" }
