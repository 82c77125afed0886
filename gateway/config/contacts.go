package config

import (
	"slices"
	"strings"
	"time"

	"nabat/gateway/alert"
)

// Recipient is one person, or one shared telephone, that an escalation may ask.
type Recipient struct {
	// ID is unique; messages and the journal name the recipient by it.
	ID string
	// Role is the word that escalation steps ask by: alert.RoleDuty, RoleHead,
	// RoleDispatch, RoleSecondChannel or one of the site's own.
	Role string
	// Phone is the number in E.164, "+" and 8 to 15 digits. It is hidden from
	// logs, as a person's number must be.
	Phone Secret
	// Language is the one in which messages are written.
	Language alert.Language
}

// SMS is about messages through a GSM modem on a serial line.
type SMS struct {
	Enabled bool
	// Device is the absolute path of the serial device. A name below
	// /dev/serial/by-id stays the same when the modem is plugged in elsewhere.
	Device string
	Baud   int
	// PINFile is the path of the file that holds the SIM card's PIN; empty for
	// a card that asks for none.
	PINFile string
	// Drills says that drills are sent as well, marked in words.
	Drills bool
	// PerHour is the greatest number of messages to one recipient in any hour.
	PerHour int
	// Stale is the age beyond which a message is not sent any more but counted
	// in a summary.
	Stale time.Duration
}

// contacts reads every [[contact]].
func (r *reader) contacts(top *section, site *alert.Site) []Recipient {
	ids, phones := map[string]int{}, map[[2]string]int{}
	var list []Recipient
	for _, s := range top.tables("contact") {
		c := Recipient{ID: s.id("id", `write id = "duty-1"`)}
		if first, twice := ids[c.ID]; twice {
			s.report(s.lineOf("id"), "give each contact an id of its own", "the id %s is used already in line %d", quote(c.ID), first)
		} else if c.ID != "" {
			ids[c.ID] = s.lineOf("id")
			s.title = "contact " + quote(c.ID)
		}
		c.Role = s.id("role", `write role = "duty", "head", "dispatch", "second-channel" or a word of your own that an escalation step asks by`)
		if phone, line, ok := s.required("phone", `write phone = "+77010000000", in the international form`); ok {
			c.Phone = NewSecret(s.phone(phone, line))
			key := [2]string{c.Role, c.Phone.Reveal()}
			if first, twice := phones[key]; twice {
				s.report(line, "leave one of the two out", "the number has the role %s already in line %d", quote(c.Role), first)
			} else if c.Phone.Reveal() != "" {
				phones[key] = line
			}
		}
		c.Language = alert.Language(s.choice("language", string(site.Language), string(alert.Russian), string(alert.Kazakh), string(alert.English)))
		s.end()
		list = append(list, c)
	}
	return list
}

// phone checks a number. No message repeats it.
func (s *section) phone(text string, line int) string {
	digits, plus := strings.CutPrefix(text, "+")
	wrong := strings.ContainsFunc(digits, func(c rune) bool { return c < '0' || c > '9' })
	if !plus || wrong || len(digits) < 8 || len(digits) > 15 || digits[0] == '0' {
		s.report(line, `write "+", the country's code and the number, digits only, as in "+77010000000"`, "phone is not a number in the international form")
		return ""
	}
	return text
}

// sms reads [sms].
func (r *reader) sms(top *section, contacts []Recipient) SMS {
	s, there := top.table("sms")
	if !there {
		return SMS{}
	}
	m := SMS{Enabled: s.yes("enabled", true), Baud: int(s.number("baud", 115200, 1200, 4_000_000))}
	m.Device, _ = s.path("device")
	if m.Enabled && !s.has("device") {
		s.report(s.line, `write device = "/dev/ttyUSB0", or the modem's name below /dev/serial/by-id`, "device is missing")
	}
	m.PINFile, _ = s.path("pin_file")
	m.Drills = s.yes("drills", false)
	m.PerHour = int(s.number("per_hour", 30, 1, 1000))
	m.Stale = 10 * time.Minute
	if d, _, ok := s.duration("stale_after", time.Minute, longestWait); ok {
		m.Stale = d
	}
	if m.Enabled && len(contacts) == 0 {
		s.report(s.line, "write a [[contact]] section, or enabled = false", "there is nobody to send a message to")
	}
	s.end()
	return m
}

// reach is whom the steps of a plan can reach.
type reach struct {
	contacts []Recipient
	link     bool // to dispatch
	sms      bool
}

// knows reports whether a step may ask by the word.
func (h reach) knows(role string) bool {
	return slices.Contains(alert.Roles(), role) || h.has(role)
}

func (h reach) has(role string) bool {
	return slices.ContainsFunc(h.contacts, func(c Recipient) bool { return c.Role == role })
}

// words returns every word that a step may ask by.
func (h reach) words() []string {
	words := alert.Roles()
	for _, c := range h.contacts {
		if c.Role != "" && !slices.Contains(words, c.Role) {
			words = append(words, c.Role)
		}
	}
	return words
}

// anyone reports whether asking by the word reaches anyone: the duty adult by
// the console, dispatch by a link, everybody else by a message.
func (h reach) anyone(role string) bool {
	switch role {
	case alert.RoleDuty:
		return true
	case alert.RoleDispatch:
		return h.link || h.sms && h.has(role)
	default:
		return h.sms && h.has(role)
	}
}

// usual returns the steps of a plan that names none: alert.UsualSteps without
// those that would reach nobody.
func (h reach) usual(level alert.Level) []alert.Step {
	return slices.DeleteFunc(alert.UsualSteps(level), func(s alert.Step) bool { return !h.anyone(s.To) })
}
