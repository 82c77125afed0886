package alert

import "slices"

// Site is what the installer said about a place: names, buttons, lamps and
// plans. It is pure data, checked by the configuration before anyone sees it,
// and never changed afterwards.
type Site struct {
	// ID and Gateway name this gateway to the outside: /sites/ID/gateways/Gateway.
	ID      string
	Gateway string
	// Name is what people call the site.
	Name Text
	// Language is the site's own: events carry place names in it, and pages
	// open in it.
	Language Language
	Places   map[string]Place
	Buttons  []Button
	Lamps    []Lamp
	// Zones are the parts of the building that hear and see the same.
	Zones []Zone
	// Screens are the lobby monitors that the site knows by id.
	Screens []Screen
	// Messages are what bells, plans and people say by id.
	Messages  []Message
	Helplines []Helpline
	// Spoken are the languages of announcements, in their order; none means
	// Languages(), the site's own first.
	Spoken []Language
	// Kinds holds the names of the site's own kinds, beyond Kinds().
	Kinds map[Kind]Text
	// Plans says what happens for a kind at a level. Plan looks one up.
	Plans []Plan
	// Usual is the escalation of kinds without a plan, by level; none when nil.
	Usual map[Level][]Step
}

// Button is one wall button: where it hangs and what its gestures mean.
type Button struct {
	ID    string
	Place string
	Tap   Action
	// Hold upgrades the press. With Tap's kind it escalates the same alert;
	// with another kind it raises a second one.
	Hold Action
}

// Action is what a gesture asks for. The zero Action asks for nothing.
type Action struct {
	Kind  Kind
	Level Level
}

// Lamp is one lamp. It shows the truth about the open alerts of its place.
type Lamp struct {
	ID    string
	Place string
}

// Plan is what the site does for a kind at a level.
type Plan struct {
	Kind  Kind
	Level Level
	// Screens are the lobby screens that show the alert; "*" means all. A
	// quiet alert (LevelHelp) is never shown, whatever stands here.
	Screens []string
	// ShowPlace puts the place on the lobby screens, and says it.
	ShowPlace bool
	// Zones are those whose loudspeakers say the alert; "*" means all. A quiet
	// alert is never said, whatever stands here.
	Zones []string
	// Response is what everyone is asked to do; Instruction says it in the
	// site's words, and is empty where the usual words will do.
	Response    Response
	Instruction Text
	// Message is the id of what is said in place of the usual words; empty for
	// those.
	Message string
	// Lamps says whether lamps at the place light.
	Lamps bool
	// Escalation is ordered by After.
	Escalation []Step
}

// Plan returns the plan for a kind at a level. Without one, a quiet alert
// lights lamps only, and an emergency is shown everywhere with its place and said
// everywhere if Loud says so; both escalate as is Usual.
func (s *Site) Plan(k Kind, l Level) Plan {
	for _, p := range s.Plans {
		if p.Kind == k && p.Level == l {
			return p
		}
	}
	p := Plan{Kind: k, Level: l, Lamps: true, Escalation: s.Usual[l]}
	if l == LevelEmergency {
		p.Screens, p.ShowPlace, p.Response = []string{Everywhere}, true, UsualResponse(k)
		if Loud(k) {
			p.Zones = []string{Everywhere}
		}
	}
	return p
}

// Loud reports whether an emergency of a kind is said by the loudspeakers where
// no plan says otherwise. What is about one child or one sick person is not: a
// plan may say so, nobody should by accident.
func Loud(k Kind) bool {
	switch k {
	case Medical, MissingChild, Stranger, Bullying, Help, Technical:
		return false
	case Fire, Intruder, Violence:
		return true
	}
	return true
}

// Covers reports whether a list of zones, where "*" means all, has zone.
func Covers(zones []string, zone string) bool {
	return slices.Contains(zones, Everywhere) || slices.Contains(zones, zone)
}

// Message returns the message with the given id.
func (s *Site) Message(id string) (Message, bool) {
	for _, m := range s.Messages {
		if m.ID == id {
			return m, true
		}
	}
	return Message{}, false
}

// Screen returns the screen with the given id.
func (s *Site) Screen(id string) (Screen, bool) {
	for _, c := range s.Screens {
		if c.ID == id {
			return c, true
		}
	}
	return Screen{}, false
}

// SpokenLanguages returns the languages of announcements in their order.
func (s *Site) SpokenLanguages() []Language {
	if len(s.Spoken) > 0 {
		return s.Spoken
	}
	list := []Language{s.Language}
	for _, l := range Languages() {
		if l != s.Language {
			list = append(list, l)
		}
	}
	return list
}

// Button returns the button with the given id.
func (s *Site) Button(id string) (Button, bool) {
	for _, b := range s.Buttons {
		if b.ID == id {
			return b, true
		}
	}
	return Button{}, false
}
