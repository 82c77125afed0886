package alert

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
	// ShowPlace puts the place on the lobby screens.
	ShowPlace bool
	// Lamps says whether lamps at the place light.
	Lamps bool
	// Escalation is ordered by After.
	Escalation []Step
}

// Plan returns the plan for a kind at a level. Without one, a quiet alert
// lights lamps only, and an emergency is shown everywhere with its place; both
// escalate as is Usual.
func (s *Site) Plan(k Kind, l Level) Plan {
	for _, p := range s.Plans {
		if p.Kind == k && p.Level == l {
			return p
		}
	}
	p := Plan{Kind: k, Level: l, Lamps: true, Escalation: s.Usual[l]}
	if l == LevelEmergency {
		p.Screens, p.ShowPlace = []string{"*"}, true
	}
	return p
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
