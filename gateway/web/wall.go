package web

import (
	"net/http"
	"slices"
	"strings"

	"nabat/gateway/alert"
)

// wallState is all simulated points, by place.
type wallState struct {
	Places []wallPlace `json:"places"`
	// Zones say what the loudspeakers say, or would say.
	Zones []zoneState `json:"zones"`
}

type wallPlace struct {
	ID      string       `json:"id"`
	Path    []string     `json:"path"`
	Buttons []wallButton `json:"buttons"`
	Lamps   []WallPoint  `json:"lamps"`
}

type wallButton struct {
	WallPoint
	Icon string `json:"icon"`
	// Tap and Hold say what the gestures mean.
	Tap  string `json:"tap"`
	Hold string `json:"hold"`
	// Quiet says that a tap stays off the public screens.
	Quiet bool `json:"quiet"`
}

func (s *Server) wallNow(lang alert.Language) wallState {
	points := make(map[string]WallPoint)
	for _, p := range s.opt.Wall.Points() {
		points[p.ID] = p
	}
	state := wallState{Places: []wallPlace{}, Zones: s.zonesNow(lang)}
	at := func(id string) *wallPlace {
		i := slices.IndexFunc(state.Places, func(p wallPlace) bool { return p.ID == id })
		if i < 0 {
			i = len(state.Places)
			state.Places = append(state.Places, wallPlace{
				ID: id, Path: s.placePath(lang, alert.Location{ID: id}), Buttons: []wallButton{}, Lamps: []WallPoint{},
			})
		}
		return &state.Places[i]
	}
	for _, b := range s.opt.Site.Buttons {
		if p, ok := points[b.ID]; ok {
			place := at(b.Place)
			place.Buttons = append(place.Buttons, wallButton{
				WallPoint: p, Icon: s.assets.icon(b.Tap.Kind),
				Tap: s.actionText(lang, b.Tap), Hold: s.actionText(lang, b.Hold),
				Quiet: b.Tap.Level == alert.LevelHelp,
			})
		}
	}
	for _, l := range s.opt.Site.Lamps {
		if p, ok := points[l.ID]; ok {
			place := at(l.Place)
			place.Lamps = append(place.Lamps, p)
		}
	}
	return state
}

func (s *Server) actionText(lang alert.Language, a alert.Action) string {
	if a.Kind == "" {
		return s.words[lang].Get("wall.nothing")
	}
	level := s.words[lang].Or("level."+a.Level.String(), a.Level.String())
	return s.kindName(lang, a.Kind) + " (" + strings.ToLower(level) + ")"
}

func (s *Server) wallPage(w http.ResponseWriter, r *http.Request) {
	s.render(w, http.StatusOK, "wall.html", s.newPage(r))
}

// wallAct does to a simulated point what a hand would do to a real one.
func (s *Server) wallAct(w http.ResponseWriter, r *http.Request) {
	point := r.PathValue("point")
	if !slices.ContainsFunc(s.opt.Wall.Points(), func(p WallPoint) bool { return p.ID == point }) {
		s.fail(w, http.StatusNotFound, "unknown-point")
		return
	}
	var err error
	switch r.PathValue("action") {
	case "press":
		err = s.opt.Wall.Press(point)
	case "release":
		err = s.opt.Wall.Release(point)
	case "tamper":
		err = s.opt.Wall.Tamper(point, true)
	case "untamper":
		err = s.opt.Wall.Tamper(point, false)
	case "unplug":
		err = s.opt.Wall.Unplug(point, true)
	case "plug":
		err = s.opt.Wall.Unplug(point, false)
	default:
		s.fail(w, http.StatusNotFound, "unknown-action")
		return
	}
	if err != nil {
		s.log.Warn("simulated point refused", "point", point, "error", err)
		s.fail(w, http.StatusConflict, "refused")
		return
	}
	s.answer(w, http.StatusOK, struct{}{})
}
