package web

import (
	"slices"

	"nabat/gateway/alert"
)

// rehearsal returns what a page draws unseen while all is calm: an alarm of each
// response that is usual for what is said aloud, and a drill. Neither what the
// site plans nor the name of a quiet kind is in it, because the page is open to
// everyone who is in the network.
func (s *Server) rehearsal(langs []alert.Language) []lobbyCard {
	var usual alert.Site
	now, cards := s.opt.Now(), []lobbyCard{}
	add := func(k alert.Kind, st alert.Status) {
		card := s.lobbyCard(group{kind: k, status: st, plan: usual.Plan(k, alert.LevelEmergency)}, langs, now)
		if !slices.ContainsFunc(cards, func(c lobbyCard) bool { return c.Status == st && c.Response == card.Response }) {
			cards = append(cards, card)
		}
	}
	for _, k := range alert.Kinds() {
		if alert.Loud(k) {
			add(k, alert.Actual)
		}
	}
	add(alert.Fire, alert.Exercise)
	return cards
}
