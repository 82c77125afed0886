package web

import (
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
}

// lobbyCard is one kind of alert with all its places.
type lobbyCard struct {
	// Key tells cards apart on the page.
	Key    string       `json:"key"`
	Icon   string       `json:"icon"`
	Status alert.Status `json:"status"`
	// Texts holds the card in each language, the screen's own first.
	Texts []lobbyText `json:"texts"`
}

type lobbyText struct {
	Lang   alert.Language `json:"lang"`
	Status string         `json:"status"`
	Title  string         `json:"title"`
	Places []lobbyPlace   `json:"places,omitempty"`
	More   string         `json:"more,omitempty"`
	// Team says that help is on its way or there, never who.
	Team string `json:"team,omitempty"`
}

// lobbyPlace is a place as a sign says it: the room, and where that is.
type lobbyPlace struct {
	Room string `json:"room"`
	// Where goes from the inside out: floor, building.
	Where []string `json:"where,omitempty"`
}

// lobbyNow returns what a screen shows. This is the only place where alerts
// become public, and it lets through what the site's plan puts on the screen,
// never a quiet one.
func (s *Server) lobbyNow(screen string, lang alert.Language) lobbyState {
	type group struct {
		kind   alert.Kind
		status alert.Status
		places []alert.Location
		team   team
	}
	var groups []group
	view, now := s.opt.Source.View(), s.opt.Now()
	for _, a := range view.State.Open() {
		if !s.public(a, screen) {
			continue
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.kind == a.Kind && g.status == a.Status() })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{kind: a.Kind, status: a.Status(), team: teamOf(a)})
		}
		groups[i].team = groups[i].team.and(teamOf(a))
		if s.opt.Site.Plan(a.Kind, a.Level()).ShowPlace {
			// The newest first: that is where it is happening now.
			groups[i].places = slices.Insert(groups[i].places, 0, a.Place)
		}
	}
	// Real before drill before test; within each the oldest first, as they came.
	slices.SortStableFunc(groups, func(a, b group) int { return seriousness(a.status) - seriousness(b.status) })

	state := lobbyState{Cards: []lobbyCard{}, Notices: s.lobbyNotices(view, screen, lang)}
	for _, g := range groups[:min(len(groups), maxCards)] {
		card := lobbyCard{Key: string(g.status) + " " + string(g.kind), Icon: s.assets.icon(g.kind), Status: g.status}
		for _, l := range languagesFrom(lang) {
			text := lobbyText{Lang: l, Status: s.words[l].Get("status." + string(g.status)), Title: s.kindName(l, g.kind), Team: s.teamLine(l, now, g.team)}
			for _, loc := range g.places[:min(len(g.places), maxPlaces)] {
				text.Places = append(text.Places, signOf(s.placePath(l, loc)))
			}
			if more := len(g.places) - maxPlaces; more > 0 {
				text.More = s.words[l].Count(l, "n.places.more", more)
			}
			card.Texts = append(card.Texts, text)
		}
		state.Cards = append(state.Cards, card)
	}
	if more := len(groups) - maxCards; more > 0 {
		for _, l := range languagesFrom(lang) {
			state.More = append(state.More, s.words[l].Count(l, "n.alerts.more", more))
		}
	}
	return state
}

// public reports whether a screen shows an alert.
func (s *Server) public(a alert.Alert, screen string) bool {
	if a.Level() != alert.LevelEmergency {
		return false
	}
	screens := s.opt.Site.Plan(a.Kind, a.Level()).Screens
	return slices.Contains(screens, "*") || (screen != "" && slices.Contains(screens, screen))
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

func (s *Server) lobbyPage(w http.ResponseWriter, r *http.Request) {
	screen := r.URL.Query().Get("screen")
	if screen != "" && !screenID.MatchString(screen) {
		http.Error(w, "screen: want 1 to 64 letters, digits, dots and dashes", http.StatusBadRequest)
		return
	}
	p := s.newPage(r)
	p.Screen = screen
	s.render(w, http.StatusOK, "lobby.html", p)
}
