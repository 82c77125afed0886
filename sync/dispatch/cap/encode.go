package cap

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"nabat/gateway/alert"
	"nabat/gateway/words"
)

// namespace is CAP 1.2's own.
const namespace = "urn:oasis:names:tc:emergency:cap:1.2"

// Bounds of texts, in characters. CAP asks for headlines of at most 160.
const (
	maxHeadline = 160
	maxText     = 1000
)

// document has the elements in the order that CAP prescribes.
type document struct {
	XMLName     xml.Name `xml:"alert"`
	Namespace   string   `xml:"xmlns,attr"`
	Identifier  string   `xml:"identifier"`
	Sender      string   `xml:"sender"`
	Sent        string   `xml:"sent"`
	Status      string   `xml:"status"`
	MsgType     Type     `xml:"msgType"`
	Source      string   `xml:"source,omitempty"`
	Scope       string   `xml:"scope"`
	Restriction string   `xml:"restriction"`
	Note        string   `xml:"note,omitempty"`
	References  string   `xml:"references,omitempty"`
	Incidents   string   `xml:"incidents"`
	Info        []info   `xml:"info"`
}

type info struct {
	Language     string      `xml:"language"`
	Category     string      `xml:"category"`
	Event        string      `xml:"event"`
	ResponseType string      `xml:"responseType"`
	Urgency      string      `xml:"urgency"`
	Severity     string      `xml:"severity"`
	Certainty    string      `xml:"certainty"`
	Onset        string      `xml:"onset,omitempty"`
	SenderName   string      `xml:"senderName,omitempty"`
	Headline     string      `xml:"headline"`
	Description  string      `xml:"description"`
	Instruction  string      `xml:"instruction,omitempty"`
	Parameters   []parameter `xml:"parameter"`
	Area         area        `xml:"area"`
}

type parameter struct {
	Name  string `xml:"valueName"`
	Value string `xml:"value"`
}

type area struct {
	Description string `xml:"areaDesc"`
}

// Encode returns the message as an XML document in UTF-8. An error wraps
// ErrMessage; it is about the message's frame, never about the alert's texts.
func (m Message) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	a := m.Alert
	d := document{
		Namespace:  namespace,
		Identifier: Identifier(a.Site, a.Gateway, a.ID, m.Serial),
		Sender:     senderToken(m.Sender), Sent: stamp(m.Sent),
		Status: status(a.Status), MsgType: m.Type,
		Source: plain("nabat "+a.Site+"/"+a.Gateway, maxText),
		Scope:  "Restricted", Restriction: restriction(),
		Note: m.note(), References: m.references(), Incidents: token(a.ID),
	}
	for _, l := range alert.Languages() {
		d.Info = append(d.Info, m.info(l))
	}
	b, err := xml.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode CAP message %s: %w: %w", d.Identifier, err, ErrMessage)
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}

// status returns CAP's status. One that was lost on the way counts as real.
func status(s alert.Status) string {
	if s.Valid() {
		return string(s)
	}
	return string(alert.Actual)
}

func restriction() string {
	var list []string
	for _, l := range alert.Languages() {
		list = append(list, texts(l).restriction)
	}
	return strings.Join(list, " / ")
}

// note names the exercise, as CAP asks, and how a closed alert ended. It is one
// of the few elements without a language.
func (m Message) note() string {
	var list []string
	if m.Alert.Status == alert.Exercise {
		list = append(list, "Exercise "+token(m.Alert.ID))
	}
	if m.Type == TypeCancel && m.Alert.Outcome.Valid() {
		list = append(list, "Outcome: "+string(m.Alert.Outcome))
	}
	return strings.Join(list, ". ")
}

func (m Message) info(l alert.Language) info {
	a, t, w, g := m.Alert, texts(l), words.In(l), classify(m.Alert)
	kind := a.KindName.In(l)
	if kind == "" {
		kind = w.Or("kind."+string(a.Kind), string(a.Kind))
	}
	kind = plain(kind, maxHeadline/2)
	if kind == "" {
		kind = w.Get("kind.help")
	}
	where := a.where(l)
	headline := kind + " · " + where
	if s := status(a.Status); s != string(alert.Actual) {
		headline = strings.ToUpper(w.Get("status."+s)) + ": " + headline
	}
	level := a.Level
	if level != alert.LevelEmergency {
		level = alert.LevelHelp
	}
	description := w.Get("level."+level.String()) + ". " + t.stages[a.Stage]
	if a.Late {
		description += " " + t.late
	}
	i := info{
		Language: string(l), Category: g.category, Event: kind,
		ResponseType: g.response, Urgency: g.urgency, Severity: g.severity, Certainty: g.certainty,
		SenderName: plain(m.SenderName, maxText), Headline: plain(headline, maxHeadline), Description: plain(description, maxText),
		Area: area{Description: where},
		Parameters: []parameter{
			{"nabat:alert", token(a.ID)},
			{"nabat:level", level.String()},
			{"nabat:presses", strconv.FormatUint(a.Presses, 10)},
			{"nabat:clock", string(a.clock())},
			{"nabat:late", strconv.FormatBool(a.Late)},
		},
	}
	if status(a.Status) == string(alert.Exercise) {
		i.Instruction = t.exercise
	}
	if a.clock() != ClockUnknown {
		i.Onset = stamp(a.Pressed)
	}
	if point := plain(a.Point, 64); point != "" {
		i.Parameters = append(i.Parameters, parameter{"nabat:point", point})
	}
	return i
}

func (a Alert) clock() Clock {
	if (a.Clock == ClockSynchronised || a.Clock == ClockCorrected) && representable(a.Pressed) && !a.Pressed.IsZero() {
		return a.Clock
	}
	return ClockUnknown
}

// where names the site and the place; it is never empty.
func (a Alert) where(l alert.Language) string {
	var parts []string
	for _, s := range append([]string{a.SiteName.In(l)}, a.Place.Path...) {
		if s = plain(s, 80); s != "" {
			parts = append(parts, s)
		}
	}
	if len(a.Place.Path) == 0 && a.Place.ID != "" {
		parts = append(parts, token(a.Place.ID))
	}
	if a.SiteName.In(l) == "" && a.Site != "" {
		parts = append([]string{token(a.Site)}, parts...)
	}
	if len(parts) == 0 {
		return "-"
	}
	return plain(strings.Join(parts, ", "), maxText)
}

// plain makes one line of s that XML can carry, at most n characters long.
func plain(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case r == utf8.RuneError, r == 0xFFFE, r == 0xFFFF, unicode.Is(unicode.Cf, r) && r != '\u200d':
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		s = strings.TrimSpace(string(r[:n-1])) + "…"
	}
	return s
}
