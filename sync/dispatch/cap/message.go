package cap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"nabat/gateway/alert"
)

// Type is CAP's <msgType>, as far as an alert needs it.
type Type string

// Types of messages. The first message of an alert is TypeAlert, each later
// one TypeUpdate, and the one that closes it TypeCancel.
const (
	TypeAlert  Type = "Alert"
	TypeUpdate Type = "Update"
	TypeCancel Type = "Cancel"
)

// Clock says how far the time of a press can be trusted.
type Clock string

// Qualities of a time.
const (
	// ClockSynchronised means that the gateway's clock was right at the press.
	ClockSynchronised Clock = "synchronised"
	// ClockCorrected means that the time was computed afterwards, when the
	// gateway's clock had become right.
	ClockCorrected Clock = "corrected"
	// ClockUnknown means that nobody can say when it was: the message then has
	// no <onset>.
	ClockUnknown Clock = "unknown"
)

// Stage is how far the help has come.
type Stage string

// Stages, each of which includes those before it.
const (
	StageOpen       Stage = "open"
	StageTaken      Stage = "taken"
	StageResponding Stage = "responding"
	StageArrived    Stage = "arrived"
	StageClosed     Stage = "closed"
)

// Alert is what a message tells. Texts may hold anything: what XML cannot
// carry is taken out, and what is too long is cut.
type Alert struct {
	// ID is the alert's id; Site and Gateway say where it comes from.
	ID, Site, Gateway string
	// SiteName is what people call the site; empty falls back to Site.
	SiteName alert.Text
	Kind     alert.Kind
	// KindName is what the site calls a kind of its own; common kinds have names.
	KindName alert.Text
	Level    alert.Level
	Status   alert.Status
	Place    alert.Location
	Point    string
	Presses  uint64
	// Pressed is when the first press was, as far as Clock can be trusted.
	Pressed time.Time
	Clock   Clock
	// Late says that the alert came so late that one has to call back before
	// sending anybody.
	Late    bool
	Stage   Stage
	Outcome alert.Outcome
}

// Message is one CAP message about an alert.
type Message struct {
	Type Type
	// Sender is the dispatch service's name in the world, such as a host name;
	// SenderName is for people.
	Sender, SenderName string
	// Serial numbers the messages of one alert from 1. With Sender and the
	// alert's id it makes the message's identifier.
	Serial int
	// Sent is when this message was made.
	Sent  time.Time
	Alert Alert
	// Earlier are the messages of the alert before this one; an Update or a
	// Cancel needs one at the least.
	Earlier []Reference
}

// Reference names a message that went before.
type Reference struct {
	Serial int
	Sent   time.Time
}

// ErrMessage is wrapped by every error about a message that CAP cannot carry.
var ErrMessage = errors.New("not a CAP message")

func (m Message) check() error {
	switch m.Type {
	case TypeAlert:
		if len(m.Earlier) > 0 {
			return fmt.Errorf("an Alert that refers to earlier messages: %w", ErrMessage)
		}
	case TypeUpdate, TypeCancel:
		if len(m.Earlier) == 0 {
			return fmt.Errorf("%s without a reference to an earlier message: %w", m.Type, ErrMessage)
		}
	default:
		return fmt.Errorf("type %q: %w", m.Type, ErrMessage)
	}
	if m.Sender == "" || m.Alert.ID == "" || m.Serial < 1 {
		return fmt.Errorf("sender, the alert's id and a serial from 1 are needed: %w", ErrMessage)
	}
	if !representable(m.Sent) {
		return fmt.Errorf("sent at %s, want a year from 1 to 9999: %w", m.Sent, ErrMessage)
	}
	for _, r := range m.Earlier {
		if r.Serial < 1 || !representable(r.Sent) {
			return fmt.Errorf("reference to message %d of %s: %w", r.Serial, r.Sent, ErrMessage)
		}
	}
	return nil
}

// representable reports whether CAP's form has room for the year of t.
func representable(t time.Time) bool {
	y := t.UTC().Year()
	return y >= 1 && y <= 9999
}

// stamp writes a time as CAP wants it: whole seconds, an offset in figures
// (never Z), here always that of UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05-07:00") }

// Identifier returns the <identifier> of message number serial about an alert.
func Identifier(site, gateway, alertID string, serial int) string {
	return "nabat." + token(site) + "." + token(gateway) + "." + token(alertID) + "." + strconv.Itoa(serial)
}

// token writes s with letters, digits and dashes only, so that identifiers hold
// nothing that CAP forbids (spaces, commas, < and &). Everything else becomes
// ~ and its bytes in hexadecimal, so that two different ids stay different.
func token(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "~%02x", c)
		}
	}
	return b.String()
}

// senderToken is the same for <sender>, where host names and addresses of mail
// stay readable.
func senderToken(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch c {
		case '.', '@', ':', '/':
			b.WriteByte(c)
		default:
			b.WriteString(token(string([]byte{c})))
		}
	}
	return b.String()
}

func (m Message) references() string {
	list := make([]string, 0, len(m.Earlier))
	for _, r := range m.Earlier {
		list = append(list, senderToken(m.Sender)+","+Identifier(m.Alert.Site, m.Alert.Gateway, m.Alert.ID, r.Serial)+","+stamp(r.Sent))
	}
	return strings.Join(list, " ")
}
