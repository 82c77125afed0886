package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"

	"nabat/gateway/alert"
)

// What fits on a screen and can still be read at 10 m.
const (
	maxCards  = 6
	maxPlaces = 3
)

// lobbyState is all that a lobby screen is told. It holds no id, number or
// time of an alert: those count quiet presses too and would betray them. The
// time at which help is expected counts nothing.
type lobbyState struct {
	Cards []lobbyCard `json:"cards"`
	// More says, per language, how many cards did not fit.
	More []string `json:"more,omitempty"`
	// Notices are what is announced, the newest first.
	Notices []lobbyNotice `json:"notices,omitempty"`
	// Over says what has ended here, the newest first; only without cards.
	Over []lobbyEnded `json:"over,omitempty"`
	// Everyday is left out while there are cards: an alarm is a small message.
	Everyday *lobbyEveryday `json:"everyday,omitempty"`
}

// lobbyCard is one kind of alert with all its places.
type lobbyCard struct {
	// Key tells cards apart on the page.
	Key    string       `json:"key"`
	Icon   string       `json:"icon"`
	Status alert.Status `json:"status"`
	// Response chooses the sign of what to do; NoResponse has none.
	Response alert.Response `json:"response"`
	// Texts holds the card in each language, the screen's own first.
	Texts []lobbyText `json:"texts"`
}

type lobbyText struct {
	Lang   alert.Language `json:"lang"`
	Status string         `json:"status"`
	// Key are the words in the largest letters: what to do, or the kind where
	// nothing is to be done.
	Key   string `json:"key"`
	Title string `json:"title"`
	// Do says more about what to do.
	Do     string       `json:"do,omitempty"`
	Places []lobbyPlace `json:"places,omitempty"`
	More   string       `json:"more,omitempty"`
	// Team says that help is on its way or there, never who.
	Team string `json:"team,omitempty"`
}

// lobbyPlace is a place as a sign says it: the room, and where that is.
type lobbyPlace struct {
	Room string `json:"room"`
	// Where goes from the inside out: floor, building.
	Where []string `json:"where,omitempty"`
}

// group is all alerts of one kind and status.
type group struct {
	kind   alert.Kind
	status alert.Status
	plan   alert.Plan
	places []alert.Location
	team   team
}

// lobbyNow returns what a screen shows. This is the only place where alerts
// become public, and it lets through what the site's plan puts on the screen,
// never a quiet one. Nothing in it may depend on the present moment: it is made
// anew when something quiet happens too. Of the screen it may ask only what is
// part of its sight.
func (s *Server) lobbyNow(view *alert.View, now alert.Stamp, screen alert.Screen, lang alert.Language) lobbyState {
	groups := s.lobbyGroups(view, screen.ID)
	state := lobbyState{Cards: []lobbyCard{}, Notices: s.lobbyNotices(view, screen, lang)}
	if len(groups) == 0 {
		state.Over = s.lobbyOver(view, screen, lang)
		state.Everyday = s.everydayNow(screen, lang)
		return state
	}
	langs := alarmLanguages(screen, lang)
	for _, g := range groups[:min(len(groups), maxCards)] {
		state.Cards = append(state.Cards, s.lobbyCard(g, langs, now))
	}
	if more := len(groups) - maxCards; more > 0 {
		for _, l := range langs {
			state.More = append(state.More, s.words[l].Count(l, "n.alerts.more", more))
		}
	}
	return state
}

// lobbyGroups returns what a screen shows of the open alerts: drill before test,
// what is most urgent to do first, else as they came. Beside something real
// neither is shown: nobody shall follow the drill, or take the danger for one.
func (s *Server) lobbyGroups(view *alert.View, screen string) []group {
	var groups []group
	for _, a := range view.Open {
		if !s.public(a, screen) {
			continue
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.kind == a.Kind && g.status == a.Status() })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{kind: a.Kind, status: a.Status(), plan: s.opt.Site.Plan(a.Kind, a.Level()), team: teamOf(a)})
		}
		groups[i].team = groups[i].team.and(teamOf(a))
		if groups[i].plan.ShowPlace {
			// The newest first: that is where it is happening now.
			groups[i].places = slices.Insert(groups[i].places, 0, a.Place)
		}
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Or(seriousness(a.status)-seriousness(b.status), urgency(a.plan)-urgency(b.plan))
	})
	if i := slices.IndexFunc(groups, func(g group) bool { return g.status != groups[0].status && groups[0].status == alert.Actual }); i >= 0 {
		return groups[:i]
	}
	return groups
}

func (s *Server) lobbyCard(g group, langs []alert.Language, now alert.Stamp) lobbyCard {
	card := lobbyCard{Key: string(g.status) + " " + string(g.kind), Icon: s.assets.icon(g.kind), Status: g.status, Response: response(g.plan)}
	for _, l := range langs {
		w := s.words[l]
		text := lobbyText{Lang: l, Status: w.Get("lobby.band." + string(g.status)), Title: s.kindName(l, g.kind), Team: s.teamLine(l, now, g.team)}
		text.Key = w.Or("lobby.do."+string(card.Response), text.Title)
		text.Do = cmp.Or(textOf(g.plan.Instruction, l), w.Or("lobby.do."+string(card.Response)+".how", ""))
		for _, loc := range g.places[:min(len(g.places), maxPlaces)] {
			text.Places = append(text.Places, signOf(s.placePath(l, loc)))
		}
		if more := len(g.places) - maxPlaces; more > 0 {
			text.More = w.Count(l, "n.places.more", more)
		}
		card.Texts = append(card.Texts, text)
	}
	return card
}

// textOf returns a text in one language and no other.
func textOf(t alert.Text, l alert.Language) string {
	switch l {
	case alert.Russian:
		return t.RU
	case alert.Kazakh:
		return t.KK
	case alert.English:
		return t.EN
	}
	return ""
}

// response returns what a plan asks of everyone; one that was written without
// it asks for what is usual.
func response(p alert.Plan) alert.Response {
	if p.Response == "" {
		return alert.UsualResponse(p.Kind)
	}
	return p.Response
}

// urgency orders plans by what they ask for.
func urgency(p alert.Plan) int { return slices.Index(alert.Responses(), response(p)) }

// public reports whether a screen shows an alert.
func (s *Server) public(a alert.Alert, screen string) bool {
	if a.Level() != alert.LevelEmergency {
		return false
	}
	screens := s.opt.Site.Plan(a.Kind, a.Level()).Screens
	return slices.Contains(screens, alert.Everywhere) || (screen != "" && slices.Contains(screens, screen))
}

func seriousness(st alert.Status) int {
	switch st {
	case alert.Actual:
		return 0
	case alert.Exercise:
		return 1
	case alert.Test:
		return 2
	default:
		return 0
	}
}

func signOf(path []string) lobbyPlace {
	p := lobbyPlace{Room: path[len(path)-1], Where: slices.Clone(path[:len(path)-1])}
	slices.Reverse(p.Where)
	return p
}

// lobbyData is what only the lobby's page needs.
type lobbyData struct {
	// Shape is how the screen hangs, empty where nobody said.
	Shape alert.Orientation
	// Unknown says that the site does not list the screen.
	Unknown bool
	// Rehearsal holds the alarms that a calm page draws unseen, as JSON.
	Rehearsal string
}

func (s *Server) lobbyPage(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("screen")
	if id != "" && !screenID.MatchString(id) {
		http.Error(w, "screen: want 1 to 64 letters, digits, dots and dashes", http.StatusBadRequest)
		return
	}
	screen := s.screen(id)
	p := s.newPage(r)
	p.Lang = s.screenLanguage(r.URL.Query(), screen)
	p.Langs, p.Screen = screenLanguages(screen, p.Lang), id
	rehearsal, err := json.Marshal(s.rehearsal(alarmLanguages(screen, p.Lang)))
	if err != nil { // the page shows alarms without it, the first more slowly
		s.log.Error("a screen's rehearsal could not be encoded", "screen", id, "error", err)
	}
	p.Data = lobbyData{Shape: screenShape(screen), Unknown: s.screenUnknown(id), Rehearsal: string(rehearsal)}
	s.render(w, http.StatusOK, "lobby.html", p)
}
