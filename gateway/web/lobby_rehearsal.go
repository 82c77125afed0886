package web

import (
	"slices"

	"nabat/gateway/alert"
)

// rehearsal returns what a screen may have to show, for its page to draw unseen
// while all is calm: the first alarm of each response that the site's plans put
// on the screen, and a drill. No place is in it, and no quiet plan.
func (s *Server) rehearsal(screen alert.Screen, lang alert.Language) []lobbyCard {
	langs, now := alarmLanguages(screen, lang), s.opt.Now()
	cards := []lobbyCard{}
	add := func(k alert.Kind, st alert.Status) {
		plan := s.opt.Site.Plan(k, alert.LevelEmergency)
		known := func(c lobbyCard) bool { return c.Status == st && c.Response == response(plan) }
		if names(plan.Screens, screen.ID) && !slices.ContainsFunc(cards, known) {
			cards = append(cards, s.lobbyCard(group{kind: k, status: st, plan: plan}, langs, now))
		}
	}
	for _, k := range alert.Kinds() {
		add(k, alert.Actual)
	}
	add(alert.Fire, alert.Exercise)
	return cards
}
