package web

import (
	"slices"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

// consoleState is all that a console is told, apart from the figures that
// change with every heartbeat. Moments are milliseconds on the gateway's own
// monotonic line: the page compares them with the "now" that comes along, and
// never with the browser's clock.
type consoleState struct {
	Alerts     []consoleAlert     `json:"alerts"`
	Points     []consolePoint     `json:"points"`
	Conditions []consoleCondition `json:"conditions"`
	Notices    []consoleNotice    `json:"notices"`
	Zones      []zoneState        `json:"zones"`
	Screens    []consoleScreen    `json:"screens"`
}

type consoleAlert struct {
	ID     string       `json:"id"`
	Number uint64       `json:"number"`
	Icon   string       `json:"icon"`
	Title  string       `json:"title"`
	Level  alert.Level  `json:"level"`
	Status alert.Status `json:"status"`
	Place  []string     `json:"place"`
	Point  string       `json:"point"`
	Held   bool         `json:"held"`
	// First and Last are the moments of the first and the latest press.
	First int64 `json:"first"`
	Last  int64 `json:"last"`
	// Clock is the wall time of the first press; Sure says that the gateway's
	// clock was synchronised then, or has been since.
	Clock    string      `json:"clock"`
	Sure     bool        `json:"sure"`
	Truth    alert.Truth `json:"truth"`
	Chain    []chainStep `json:"chain"`
	Means    string      `json:"means"`
	Accepted *markJSON   `json:"accepted,omitempty"`
	// Kind and PlaceID name the drill, where the alert is one.
	Kind    alert.Kind `json:"kind"`
	PlaceID string     `json:"place_id"`
	// Responding and Arrived are what dispatch said of its team.
	Responding *markJSON `json:"responding,omitempty"`
	Arrived    *markJSON `json:"arrived,omitempty"`
	// Asked are those whom the plan has asked, and Next is its next step; nil
	// when a person has taken the alert or nobody is left.
	Asked []string  `json:"asked,omitempty"`
	Next  *nextJSON `json:"next,omitempty"`
}

// chainStep is one truth about an alert: done, or open (not proven yet).
type chainStep struct {
	Step  string `json:"step"`
	State string `json:"state"`
}

type markJSON struct {
	Who string `json:"who"`
	At  int64  `json:"at"`
	// ETA is the time of day at which a team is expected, empty where nobody
	// has said one.
	ETA string `json:"eta,omitempty"`
}

type consolePoint struct {
	ID     string   `json:"id"`
	Type   string   `json:"type"`
	Place  []string `json:"place"`
	Read   bool     `json:"read"`
	Armed  bool     `json:"armed"`
	Active bool     `json:"active"`
	Fault  string   `json:"fault,omitempty"`
	Detail string   `json:"detail,omitempty"`
}

type consoleCondition struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Remedy string `json:"remedy"`
	Detail string `json:"detail"`
	Since  int64  `json:"since"`
}

func (s *Server) consoleNow(lang alert.Language, now alert.Stamp) consoleState {
	view := s.opt.Source.View()
	state := consoleState{Alerts: []consoleAlert{}, Conditions: []consoleCondition{}, Notices: s.consoleNotices(lang, now, view)}
	state.Zones, state.Screens = s.zonesNow(lang), s.consoleScreens()
	for _, a := range view.Open {
		state.Alerts = append(state.Alerts, s.consoleAlert(lang, now, view, a))
	}
	state.Points = s.consolePoints(lang, view)
	for _, c := range s.opt.Health.List() {
		state.Conditions = append(state.Conditions, s.consoleCondition(lang, now, c))
	}
	return state
}

func (s *Server) consoleAlert(lang alert.Language, now alert.Stamp, view *alert.View, a alert.Alert) consoleAlert {
	truth, proof := view.Truth(a), view.Proofs[a.Key]
	c := consoleAlert{
		ID: a.ID, Number: a.Last.Number,
		Icon: s.assets.icon(a.Kind), Title: s.kindName(lang, a.Kind),
		Level: a.Level(), Status: a.Status(),
		Place: s.placePath(lang, a.Place), Point: a.Last.Point, Held: a.Last.Gesture == alert.Hold,
		First: moment(now, a.First.At), Last: moment(now, a.Last.At),
		Truth: truth, Chain: chain(truth, proof),
		Means: s.words[lang].Get("chain." + truth.String() + ".means"),
		Kind:  a.Kind, PlaceID: a.Key.Place,
	}
	wall, sure := s.daytime.of(now, a.First.At)
	c.Clock, c.Sure = wall.Local().Format("15:04:05"), sure
	if truth == alert.TruthAccepted && proof < alert.TruthReceived {
		c.Means = s.words[lang].Get("chain.accepted.unknown")
	}
	mark := func(m alert.Mark) *markJSON {
		if m.Number == 0 || m.Number <= a.Cleared.Number || !a.Covers(m) {
			return nil
		}
		return &markJSON{Who: s.whoName(lang, m), At: moment(now, m.At), ETA: etaClock(now, m.ETA)}
	}
	team := func(m alert.Mark) alert.Mark {
		m.Who = m.Team()
		return m
	}
	c.Accepted, c.Responding, c.Arrived = mark(a.Acknowledged), mark(team(a.Responding)), mark(team(a.Arrived))
	c.Asked, c.Next = s.asked(lang, now, a)
	return c
}

// chain says of each truth whether it is so. A person on site may accept an
// alert that never left the building, or the disk: "accepted" stands for none
// of those before it, each of which needs a proof of its own.
func chain(truth, proof alert.Truth) []chainStep {
	steps := make([]chainStep, 0, alert.TruthAccepted+1)
	for t := alert.TruthRaised; t <= alert.TruthAccepted; t++ {
		state := "open"
		if t <= proof || t == truth {
			state = "done"
		}
		steps = append(steps, chainStep{Step: t.String(), State: state})
	}
	return steps
}

// whoName returns who made a mark: a role in words, or what dispatch said.
func (s *Server) whoName(lang alert.Language, m alert.Mark) string {
	w := s.words[lang]
	switch {
	case m.Who != "":
		return w.Or("role."+m.Who, m.Who)
	case m.Origin != "":
		return w.Or("origin."+m.Origin, m.Origin)
	default:
		return w.Get("alert.who.none")
	}
}

// etaClock returns the time of day at which a team is expected, with its date
// where that is far from now.
func etaClock(now alert.Stamp, eta time.Time) string {
	switch {
	case eta.IsZero():
		return ""
	case eta.Sub(now.Wall).Abs() > 12*time.Hour:
		return eta.Local().Format("02.01. 15:04")
	default:
		return eta.Local().Format("15:04")
	}
}

func (s *Server) consolePoints(lang alert.Language, view *alert.View) []consolePoint {
	points := make([]consolePoint, 0, len(s.opt.Site.Buttons)+len(s.opt.Site.Lamps))
	faults := make(map[string]string)
	for _, c := range s.opt.Health.List() {
		if id, ok := strings.CutPrefix(c.Name, "lamp-fault:"); ok {
			faults[id] = c.Detail
		}
	}
	add := func(id, kind, place string) {
		p := consolePoint{ID: id, Type: kind, Place: s.placePath(lang, alert.Location{ID: place})}
		if kind == "lamp" { // nobody reads a lamp; its driver reports when it does not follow
			p.Read, p.Armed = true, true
			if detail, ok := faults[id]; ok {
				p.Armed, p.Fault, p.Detail = false, "lamp", detail
			}
		}
		if st, ok := view.Points[id]; ok {
			p.Read, p.Armed, p.Active, p.Fault, p.Detail = true, st.Armed, st.Active, st.Fault, st.Detail
		}
		points = append(points, p)
	}
	for _, b := range s.opt.Site.Buttons {
		add(b.ID, "button", b.Place)
	}
	for _, l := range s.opt.Site.Lamps {
		add(l.ID, "lamp", l.Place)
	}
	// Broken ones first; an installer's order otherwise.
	slices.SortStableFunc(points, func(a, b consolePoint) int { return rank(a) - rank(b) })
	return points
}

func rank(p consolePoint) int {
	switch {
	case p.Fault != "":
		return 0
	case !p.Read || !p.Armed:
		return 1
	default:
		return 2
	}
}

func (s *Server) consoleCondition(lang alert.Language, now alert.Stamp, c health.Condition) consoleCondition {
	w := s.words[lang]
	base, object, _ := strings.Cut(c.Name, ":")
	object = s.objectName(lang, object)
	key := "condition." + base
	if _, known := w[key]; !known {
		key = "condition.other"
	}
	return consoleCondition{
		Name: c.Name, Detail: c.Detail,
		Title:  w.Fill(key, "object", object, "name", c.Name),
		Remedy: w.Fill(key+".do", "object", object),
		// time.Since is monotonic here: the registry keeps the reading.
		Since: (now.Mono - time.Since(c.Since)).Round(time.Second).Milliseconds(),
	}
}

// objectName turns the id of a point or place into words that say where it is.
func (s *Server) objectName(lang alert.Language, id string) string {
	place := id
	for _, b := range s.opt.Site.Buttons {
		if b.ID == id {
			place = b.Place
		}
	}
	for _, l := range s.opt.Site.Lamps {
		if l.ID == id {
			place = l.Place
		}
	}
	if p, ok := s.opt.Site.Places[place]; ok && len(p.Path) > 0 {
		return p.Path[len(p.Path)-1].In(lang) + " (" + id + ")"
	}
	return id
}

// moment puts a stamp on the line of now's monotonic clock, in whole seconds
// for stamps of another boot, which are only known through the wall clock.
func moment(now, at alert.Stamp) int64 {
	if at.Boot == now.Boot {
		return at.Mono.Milliseconds()
	}
	return (now.Mono - now.Since(at)).Round(time.Second).Milliseconds()
}
