package timetable

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/emersion/go-ical"

	"nabat/gateway/alert"
)

// maxSummary bounds what is said for one event, in letters.
const maxSummary = 300

// event is one VEVENT that was understood.
type event struct {
	block     block
	uid       string
	sequence  int
	cancelled bool
	start     moment
	last      date // of the days that it lasts, the last one
	recurs    *moment
	rule      string // RRULE as it stands
	also      []moment
	except    []moment
	entry     Entry // without ID and At
	holiday   bool
}

// moment is when an event is: by the wall clock of a zone, or a whole day.
type moment struct {
	wall time.Time // the clock's reading as if it were UTC
	loc  *time.Location
	day  bool
}

func (m moment) time() time.Time { return onClock(m.wall, m.loc) }

// onClock returns the one moment at which loc's clock shows wall.
func onClock(wall time.Time, loc *time.Location) time.Time {
	d := dateOf(wall)
	return d.at(wall.Sub(d.t), loc)
}

// protect turns a panic of the calendar libraries into a mistake of the event
// that they were given: both index what a file says without looking.
func protect(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the event cannot be read (%v)", p)
		}
	}()
	return work()
}

// event reads one block.
func (c *reader) event(b block) (event, error) {
	if b.wrong != "" {
		return event{}, Problem{What: b.wrong, Remedy: "correct the event in the program that it comes from, and export it again in UTF-8"}
	}
	var props ical.Props
	err := protect(func() error {
		text := "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + strings.Join(b.lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
		calendar, err := ical.NewDecoder(strings.NewReader(text)).Decode()
		if err != nil {
			return err
		}
		if len(calendar.Children) != 1 {
			return fmt.Errorf("the event has %d parts", len(calendar.Children))
		}
		props = calendar.Children[0].Props
		return nil
	})
	if err != nil {
		return event{}, err
	}
	e := event{block: b, uid: text(props, "UID"), cancelled: strings.EqualFold(text(props, "STATUS"), "CANCELLED")}
	e.sequence, _ = strconv.Atoi(text(props, "SEQUENCE"))
	start := props.Get("DTSTART")
	if start == nil {
		return event{}, Problem{What: "the event has no DTSTART", Remedy: "give it a date and a time"}
	}
	if e.start, err = c.moment(start); err != nil {
		return event{}, err
	}
	if strings.EqualFold(text(props, "X-MICROSOFT-CDO-ALLDAYEVENT"), "TRUE") {
		e.start.day = true
	}
	if err := c.times(&e, props); err != nil {
		return event{}, err
	}
	return e, c.meaning(&e, props)
}

// times reads when the event ends, and how it comes again.
func (c *reader) times(e *event, props ical.Props) error {
	e.last = dateOf(e.start.wall)
	if end := props.Get("DTEND"); end != nil {
		m, err := c.moment(end)
		if err != nil {
			return err
		}
		e.last = dateOf(m.wall.Add(-time.Second))
	} else if d := props.Get("DURATION"); d != nil {
		if length, err := d.Duration(); err == nil && length > 0 {
			e.last = dateOf(e.start.wall.Add(length - time.Second))
		}
	}
	if e.last.t.Before(e.start.wall) {
		e.last = dateOf(e.start.wall)
	}
	if recurs := props.Get("RECURRENCE-ID"); recurs != nil {
		m, err := c.moment(recurs)
		if err != nil {
			return err
		}
		if strings.EqualFold(recurs.Params.Get("RANGE"), "THISANDFUTURE") {
			return Problem{What: "RECURRENCE-ID changes all events from one on", Remedy: "end the old series, and make a new one for the rest"}
		}
		e.recurs = &m
	}
	if rules := props.Values("RRULE"); len(rules) > 1 || len(props.Values("EXRULE")) > 0 {
		return Problem{What: "the event has several rules", Remedy: "make a series of its own for each"}
	} else if len(rules) == 1 {
		e.rule = rules[0].Value
	}
	var err error
	if e.also, err = c.moments(props.Values("RDATE")); err != nil {
		return err
	}
	e.except, err = c.moments(props.Values("EXDATE"))
	return err
}

// moment reads a date, or a date and time in UTC, in a zone or in none.
func (c *reader) moment(p *ical.Prop) (moment, error) {
	m := moment{loc: c.zones.site, day: len(p.Value) == len("20060102")}
	name := p.Params.Get("TZID")
	p.Params.Del("TZID")
	// Plain programs write a day without saying that it is one.
	p.SetValueType(ical.ValueDateTime)
	if m.day {
		p.SetValueType(ical.ValueDate)
	}
	switch {
	case m.day: // a day is a day everywhere
	case strings.HasSuffix(p.Value, "Z"):
		m.loc = time.UTC
	case name != "":
		loc, err := c.zones.find(name)
		if err != nil {
			return moment{}, err
		}
		m.loc = loc
	}
	const lowest, highest = 1970, 2200
	t, err := p.DateTime(time.UTC) // as if it were UTC, see moment.wall
	if err != nil || t.Year() < lowest || t.Year() > highest {
		return moment{}, Problem{What: p.Name + " = " + quote(p.Value) + " is no date or time of this century", Remedy: `want "20260901T083000", "20260901T033000Z" or "20260901"`}
	}
	m.wall = t
	return m, nil
}

func (c *reader) moments(props []ical.Prop) ([]moment, error) {
	var list []moment
	for _, p := range props {
		for _, value := range strings.Split(p.Value, ",") {
			from, _, _ := strings.Cut(value, "/") // a period: what matters is its begin
			one := ical.Prop{Name: p.Name, Params: ical.Params{}, Value: from}
			if zone := p.Params.Get("TZID"); zone != "" {
				one.Params.Set("TZID", zone)
			}
			m, err := c.moment(&one)
			if err != nil {
				return nil, err
			}
			list = append(list, m)
		}
	}
	return list, nil
}

// meaning reads what the event says, and where.
func (c *reader) meaning(e *event, props ical.Props) error {
	summary := plain(text(props, "SUMMARY"))
	var name alert.Text
	switch c.o.Language {
	case alert.Russian:
		name.RU = summary
	case alert.Kazakh:
		name.KK = summary
	case alert.English:
		name.EN = summary
	}
	e.entry = Entry{Name: name, Zones: []string{alert.Everywhere}}
	e.holiday = strings.EqualFold(text(props, "X-NABAT-HOLIDAY"), "TRUE")
	e.entry.Message = text(props, "X-NABAT-MESSAGE")
	if id := e.entry.Message; id != "" && !slices.Contains(c.o.Messages, id) {
		return Problem{What: "X-NABAT-MESSAGE = " + quote(id) + " is no message of the configuration", Remedy: "write a [[message]] with this id, or name another one"}
	}
	for _, category := range texts(props, "CATEGORIES") {
		switch word := strings.ToLower(strings.TrimSpace(category)); {
		case isHoliday(word):
			e.holiday = true
		case isBell(word):
			e.entry.Bell = true
		case e.entry.Message == "" && slices.Contains(c.o.Messages, word):
			e.entry.Message = word
		}
	}
	if zones := texts(props, "X-NABAT-ZONES"); len(zones) > 0 {
		e.entry.Zones = nil
		for _, zone := range zones {
			zone = strings.TrimSpace(zone)
			if zone != alert.Everywhere && !slices.Contains(c.o.Zones, zone) {
				return Problem{What: "X-NABAT-ZONES names " + quote(zone) + ", which is no zone of the configuration", Remedy: "write a [[zone]] with this id, or name another one"}
			}
			e.entry.Zones = append(e.entry.Zones, zone)
		}
	}
	switch {
	case e.entry.Message != "":
	case e.entry.Bell:
		e.entry.Chime = alert.ChimeBell
	case summary == "" && !e.holiday && !e.start.day && !e.cancelled:
		return Problem{What: "the event says nothing", Remedy: "give it a SUMMARY, or a message by X-NABAT-MESSAGE"}
	default:
		e.entry.Words = name
	}
	return nil
}

// isHoliday knows the word as calendar programs write it in the site's languages.
func isHoliday(word string) bool {
	switch word {
	case "holiday", "holidays", "праздник", "праздники", "каникулы", "мереке", "мерекелер", "демалыс", "каникул":
		return true
	}
	return false
}

func isBell(word string) bool {
	return word == "bell" || word == "звонок" || word == "қоңырау"
}

// id names an occurrence for ever, whatever the event's own name looks like.
func (e event) id(at time.Time) string {
	sum := sha256.Sum256([]byte(e.uid + "\x00" + e.entry.Name.In(alert.Russian) + "\x00" + e.entry.Message + "\x00" + strings.Join(e.entry.Zones, ",")))
	return "calendar-" + hex.EncodeToString(sum[:6]) + "/" + at.UTC().Format("20060102T150405Z")
}

// texts returns the texts of a property, in all its lines.
func texts(props ical.Props, name string) []string {
	var list []string
	for _, p := range props.Values(name) {
		words, err := p.TextList()
		if err != nil { // an escape that is none: what stands there will do
			words = []string{p.Value}
		}
		list = append(list, words...)
	}
	return list
}

// text returns the first text of a property whole: programs forget to escape
// commas.
func text(props ical.Props, name string) string { return strings.Join(texts(props, name), ",") }

// plain makes one line of a text, without anything that is not said.
func plain(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }), " ")
	if r := []rune(s); len(r) > maxSummary {
		s = string(r[:maxSummary])
	}
	return s
}
