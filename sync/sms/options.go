package sms

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/sync/cursor"
)

// Contact is one person, or one shared telephone, whom a step may ask.
type Contact struct {
	// ID names the contact in the table and in logs; the number is never there.
	ID string
	// Role is the word that steps ask by.
	Role string
	// Number is in E.164, with its "+".
	Number   string
	Language alert.Language
}

// Options says whom to ask and through what. All but Baud, PINFile, Drills,
// Health, Log and Timing are needed.
type Options struct {
	Site     *alert.Site
	Contacts []Contact
	// Device is the modem's serial line, Baud its speed: 115200.
	Device string
	Baud   int
	// PINFile holds the PIN of the SIM card on its first line. It is tried once
	// for each state of the file, because the third wrong one locks the card.
	PINFile string
	// Drills sends messages about drills as well, marked in words.
	Drills bool
	// PerHour is how many messages one contact gets in any hour.
	PerHour int
	// Stale is the age beyond which a message is skipped.
	Stale time.Duration
	// Path is the file of the (event, recipient) table.
	Path string
	// Alarms is the alarm lane, read by a cursor of its own.
	Alarms cursor.Lane
	// Alert returns what is known now about an alert: nobody is asked about one
	// that is closed or taken.
	Alert func(id string) (alert.Alert, bool)
	// Now stamps moments. Ages are told by alert.Stamp.Since, never by the wall
	// clock alone.
	Now    func() alert.Stamp
	Health *health.Registry
	Log    *slog.Logger
	Timing Timing
}

// Timing holds every duration of the modem; zero means the default beside it.
type Timing struct {
	Command  time.Duration // 5 s: the answer to a short command
	Submit   time.Duration // 90 s: the network's answer to a message
	Write    time.Duration // 5 s: one write to the line
	Settle   time.Duration // 300 ms: silence after the line was opened, before it is spoken to
	Poll     time.Duration // 30 s: between two looks at registration and signal
	Register time.Duration // 5 s: the same while not registered
	Reopen   time.Duration // 5 s: between two attempts to open the line
	Again    time.Duration // 15 s: before a message that the modem refused is tried again; doubles
	Grace    time.Duration // 3 s: how long the end waits for the answer to a hand-over
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Command, 5 * time.Second}, {&t.Submit, 90 * time.Second}, {&t.Write, 5 * time.Second},
		{&t.Settle, 300 * time.Millisecond}, {&t.Poll, 30 * time.Second}, {&t.Register, 5 * time.Second},
		{&t.Reopen, 5 * time.Second}, {&t.Again, 15 * time.Second}, {&t.Grace, 3 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return t
}

// ErrOptions is wrapped by every error of New.
var ErrOptions = errors.New("unusable SMS options")

func (o Options) check() error {
	switch {
	case o.Site == nil || o.Device == "" || o.Path == "":
		return errors.New("site, device and path are needed")
	case o.Alarms.Source == nil || o.Alarms.Appended == nil || o.Alert == nil || o.Now == nil:
		return errors.New("the alarm lane, alerts and a clock are needed")
	case o.PerHour <= 0 || o.Stale <= 0:
		return errors.New("a limit per hour and an age are needed")
	}
	for i, c := range o.Contacts {
		if c.ID == "" || slices.ContainsFunc(o.Contacts[:i], func(other Contact) bool { return other.ID == c.ID }) {
			return fmt.Errorf("contact %d: %q is no id of its own", i+1, c.ID)
		}
	}
	return nil
}
