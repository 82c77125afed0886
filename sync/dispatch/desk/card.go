package desk

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/command"
	"nabat/sync/dispatch/store"
)

// card is one open alert as a page shows it, in words of one language.
// Moments are milliseconds since 1970 by this service's clock; the page
// compares them with the "now" that comes along, never with its own clock.
type card struct {
	URL     string       `json:"url"`
	Number  uint64       `json:"number"`
	Icon    string       `json:"icon"`
	Kind    string       `json:"kind"`
	Level   alert.Level  `json:"level"`
	Status  alert.Status `json:"status"`
	Site    string       `json:"site"`
	Gateway string       `json:"gateway"`
	Place   []string     `json:"place"`
	Point   string       `json:"point"`
	Times   []cardTime   `json:"times"`
	Clock   string       `json:"clock,omitempty"` // what is wrong with the times
	Presses string       `json:"presses"`
	// Since is when the age counts from; Sure that it is the press.
	Since   int64      `json:"since"`
	Sure    bool       `json:"sure"`
	Late    string     `json:"late,omitempty"`
	Reach   cardLine   `json:"reach"`
	Taken   *cardLine  `json:"taken,omitempty"`
	Mine    bool       `json:"mine"`
	People  []cardLine `json:"people,omitempty"`
	Orders  []cardLine `json:"orders,omitempty"`
	CanTake bool       `json:"can_take"`
	// Team is the team that is on its way, zero for none.
	Team int64 `json:"team,omitempty"`
}

type cardTime struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// cardLine is a sentence with how it is: good, wait or bad. The page gives each
// a sign and a colour.
type cardLine struct {
	How  string `json:"how"`
	Text string `json:"text"`
}

// alertURL returns the address of an alert's page.
func alertURL(g store.Gateway, id string) string {
	return "/dispatch/alerts/" + url.PathEscape(g.Site) + "/" + url.PathEscape(g.ID) + "/" + url.PathEscape(id)
}

// gatewayURL returns the address of a gateway's page.
func gatewayURL(g store.Gateway) string {
	return "/dispatch/gateways/" + url.PathEscape(g.Site) + "/" + url.PathEscape(g.ID)
}

func siteName(name string, g store.Gateway) string {
	if name != "" {
		return name
	}
	return g.String()
}

func placePath(l alert.Location) []string {
	if len(l.Path) > 0 {
		return l.Path
	}
	return []string{l.ID}
}

// card shows one alert of the picture to the operator me.
func (s *Server) card(p *picture, d dictionary, a store.Alert, me string) card {
	name := store.AlertName{Gateway: a.Gateway, ID: a.ID}
	info, known := p.gateway(a.Gateway)
	c := card{
		URL: alertURL(a.Gateway, a.ID), Number: a.Last.Number,
		Icon: s.assets.icon(a.Kind), Kind: d.or("kind."+string(a.Kind), string(a.Kind)), Level: a.Level(), Status: a.Status(),
		Site: siteName(a.Name, a.Gateway), Gateway: a.Gateway.String(), Place: placePath(a.Place), Point: a.Last.Point,
		Presses: d.count("n.presses", int(presses(a.Alert))),
		Since:   a.Stored.UnixMilli(),
		Reach:   s.reach(d, info, known),
		CanTake: true,
	}
	s.times(&c, d, a)
	if a.Late {
		c.Late = d.get("late")
		// Late is about the newest press; the first one may have come in time.
		behind := a.Stored.Sub(a.Pressed.At)
		if q := quality(a.Pressed); (q == "exact" || q == "corrected") && behind > store.LateAfter {
			c.Late = d.fill("late.by", "t", d.span(behind))
		}
	}
	if t, ok := p.Takes[name]; ok {
		line := cardLine{"good", d.fill("taken.by", "who", p.name(t.By), "time", s.clock(t.At))}
		c.Mine = t.By == me
		if c.CanTake = t.Number < a.Last.Number; c.CanTake {
			line = cardLine{"wait", d.fill("taken.before", "who", p.name(t.By), "time", s.clock(t.At))}
		}
		c.Taken = &line
		// Taken, but the school was never told: it can be tried again.
		if c.Mine && !slices.ContainsFunc(p.Commands[name], func(o store.Command) bool { return o.Claims.Verb == command.Acknowledge }) {
			c.CanTake = true
		}
	}
	c.People = s.people(p, d, a)
	for _, t := range a.Teams {
		if t.Arrived.IsZero() && c.Team == 0 {
			c.Team = t.Team.ID
		}
	}
	c.Orders = s.orders(d, p.Commands[name], info)
	return c
}

// presses counts the presses of the alert that nobody has cleared.
func presses(a alert.Alert) uint64 {
	from := max(a.First.Number, a.Cleared.Number+1)
	if a.Last.Number < from {
		return 1
	}
	return a.Last.Number - from + 1
}

// times fills in when the alert was pressed, saved and delivered.
func (s *Server) times(c *card, d dictionary, a store.Alert) {
	pressed := d.get("clock.unknown")
	switch q := quality(a.Pressed); q {
	case "exact", "corrected":
		pressed = s.clock(a.Pressed.At)
		c.Since, c.Sure = a.Pressed.At.UnixMilli(), true
		if q == "corrected" {
			c.Clock = d.get("clock.corrected")
		}
	case "estimated":
		pressed = "≤ " + s.clock(a.Pressed.At)
		c.Clock = d.get("clock.estimated")
	default:
		c.Clock = d.get("clock.unknown")
	}
	saved := "–"
	if a.First.At.Synced {
		saved = s.clock(a.First.At.Wall)
	}
	c.Times = []cardTime{
		{d.get("time.pressed"), pressed}, {d.get("time.saved"), saved}, {d.get("time.delivered"), s.clock(a.Stored)},
	}
}

// clock writes the time of day, and the date where it is not today's.
func (s *Server) clock(t time.Time) string {
	t, now := t.In(s.opt.Zone), s.now().In(s.opt.Zone)
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05")
	}
	return t.Format("02.01 15:04:05")
}

// reach says whether the gateway can be reached now.
func (s *Server) reach(d dictionary, g store.GatewayInfo, known bool) cardLine {
	switch {
	case !known || g.Heard.IsZero():
		return cardLine{"bad", d.get("reach.never")}
	case g.Online:
		return cardLine{"good", d.get("reach.online")}
	default:
		return cardLine{"bad", d.fill("reach.silent", "time", s.clock(g.Heard), "ago", d.span(s.now().Sub(g.Heard)))}
	}
}

// people says who looks after the alert, in the school and on the way.
func (s *Server) people(p *picture, d dictionary, a store.Alert) (list []cardLine) {
	if m := a.Acknowledged; m.Origin != "dispatch" && m.Number > a.Cleared.Number && m.Number >= a.First.Number {
		who := d.or("role."+m.Who, m.Who)
		if who == "" {
			who = d.get("who.none")
		}
		list = append(list, cardLine{"good", d.fill("taken.school", "who", who)})
	}
	for _, t := range a.Teams {
		switch {
		case !t.Arrived.IsZero():
			list = append(list, cardLine{"good", d.fill("team.arrived", "team", t.Team.Name, "time", s.clock(t.Arrived))})
		case !t.ETA.IsZero() && s.now().After(t.ETA):
			list = append(list, cardLine{"bad", d.fill("team.overdue", "team", t.Team.Name, "time", s.clock(t.ETA), "phone", phone(t.Team))})
		case !t.ETA.IsZero():
			list = append(list, cardLine{"wait", d.fill("team.eta", "team", t.Team.Name, "time", s.clock(t.ETA), "phone", phone(t.Team))})
		default:
			list = append(list, cardLine{"wait", d.fill("team.way", "team", t.Team.Name, "phone", phone(t.Team))})
		}
	}
	return list
}

func phone(t store.Team) string {
	if t.Phone == "" {
		return ""
	}
	return " ☎ " + t.Phone
}

// orders says of the latest command of each verb what became of it.
func (s *Server) orders(d dictionary, commands []store.Command, g store.GatewayInfo) (list []cardLine) {
	seen := make(map[command.Verb]bool)
	for _, c := range commands {
		if seen[c.Claims.Verb] {
			continue
		}
		seen[c.Claims.Verb] = true
		list = append(list, s.order(d, c, g))
	}
	return list
}

// order says what became of one command. What the school has not answered is
// never told as done.
func (s *Server) order(d dictionary, c store.Command, g store.GatewayInfo) cardLine {
	verb := d.or("verb."+string(c.Claims.Verb), string(c.Claims.Verb))
	switch c.State {
	case store.CommandAccepted:
		return cardLine{"good", d.fill("order.accepted", "verb", verb, "time", s.clock(c.Answered))}
	case store.CommandRefused:
		return cardLine{"bad", d.fill("order.refused", "verb", verb, "reason", d.or("reason."+c.Reason, c.Reason))}
	case store.CommandExpired:
		return cardLine{"bad", d.fill("order.expired", "verb", verb, "time", s.clock(c.At))}
	case store.CommandPending:
	}
	switch {
	case !g.Online && g.Heard.IsZero():
		return cardLine{"bad", d.fill("order.never", "verb", verb)}
	case !g.Online:
		return cardLine{"bad", d.fill("order.offline", "verb", verb, "time", s.clock(g.Heard))}
	case c.Published.IsZero():
		return cardLine{"wait", d.fill("order.waiting", "verb", verb)}
	default:
		return cardLine{"wait", d.fill("order.sent", "verb", verb, "time", s.clock(c.Published))}
	}
}

func number(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }
