package web

import (
	"time"

	"nabat/gateway/alert"
)

// team is how far help has come for all alerts of a lobby card together: as
// far as for the one that it is farthest from.
type team struct {
	coming, here bool
	// eta is the latest time at which help is expected, zero where nobody knows.
	eta time.Time
}

func teamOf(a alert.Alert) team {
	t := team{here: a.Covers(a.Arrived)}
	t.coming = t.here || a.Covers(a.Responding)
	if t.coming && !t.here {
		t.eta = a.Responding.ETA
	}
	return t
}

// and joins the teams of two alerts. What is there already is expected no more.
func (t team) and(o team) team {
	both := team{coming: t.coming && o.coming, here: t.here && o.here, eta: t.eta}
	switch {
	case t.here:
		both.eta = o.eta
	case !o.here && (t.eta.IsZero() || o.eta.IsZero()):
		both.eta = time.Time{}
	case !o.here && o.eta.After(t.eta):
		both.eta = o.eta
	}
	return both
}

// teamLine says on a public screen that help comes or is there. It names nobody.
func (s *Server) teamLine(l alert.Language, now alert.Stamp, t team) string {
	w := s.words[l]
	switch {
	case t.here:
		return w.Get("lobby.team.here")
	case t.coming && !t.eta.IsZero():
		return w.Fill("lobby.team.at", "time", etaClock(now, t.eta))
	case t.coming:
		return w.Get("lobby.team.coming")
	default:
		return ""
	}
}
