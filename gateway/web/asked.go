package web

import (
	"cmp"

	"nabat/gateway/alert"
)

// nextJSON is the next escalation step of an alert that nobody has taken.
type nextJSON struct {
	// Who is asked then, in words; the level for a step that only raises it.
	Who string `json:"who"`
	At  int64  `json:"at"`
}

// asked says whom the alert's plan has asked so far, and whom it asks next.
func (s *Server) asked(lang alert.Language, now alert.Stamp, a alert.Alert) (asked []string, next *nextJSON) {
	help := s.opt.Site.Plan(a.Kind, alert.LevelHelp).Escalation
	emergency := s.opt.Site.Plan(a.Kind, alert.LevelEmergency).Escalation
	for _, to := range a.Asked(help, emergency) {
		asked = append(asked, s.toName(lang, to))
	}
	steps := help
	if a.Level() == alert.LevelEmergency {
		steps = emergency
	}
	if i, in, ok := a.Due(steps, now); ok {
		who := s.toName(lang, steps[i].To)
		if steps[i].To == "" {
			who = s.words[lang].Get("level." + cmp.Or(steps[i].Level, a.Level()).String())
		}
		next = &nextJSON{Who: who, At: (now.Mono + in).Milliseconds()}
	}
	return asked, next
}

// toName is the word of a step in a person's language; a site's own stays as
// the installer wrote it.
func (s *Server) toName(lang alert.Language, to string) string {
	return s.words[lang].Or("to."+to, to)
}
