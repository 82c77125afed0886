package screens

import "time"

// judge says what a screen is at this moment, up being how long the watch is.
func (s *watched) judge(now time.Time, up time.Duration) Screen {
	shown := Screen{ID: s.screen.ID, Watched: s.screen.Watched, State: OK, Seen: s.seen, Width: s.width, Height: s.height, Pages: len(s.pages)}
	here, elsewhere := s.connected()
	switch {
	case s.seen.IsZero() && up < FirstWithin:
		shown.State = Waiting
	case s.seen.IsZero():
		shown.State, shown.Why = Dark, "it was not seen since the gateway started; "+remedy(elsewhere)
	case now.Sub(s.seen) > DarkAfter:
		shown.State, shown.Why = Dark, "it does not prove itself any more; "+remedy(here)
		if elsewhere {
			shown.Why += "; its page is open at another address, which counts when this one was silent for 10 minutes"
		}
	default:
		shown.State, shown.Why = s.drawn(now)
	}
	return shown
}

func remedy(connected bool) string {
	if connected {
		return "its page is connected but says nothing of itself: restart the browser or the computer behind the screen"
	}
	return "look whether the screen, its computer and its network are on, and whether it has the page /lobby?screen=ID open"
}

// drawn says what the pages of the screen's own host draw. Two of them, which
// are two monitors with one name, are as good as the worse; none, that one has
// just gone and may be loading again.
func (s *watched) drawn(now time.Time) (State, string) {
	for p := range s.pages {
		if p.host != s.home || p.seen.IsZero() || now.Sub(p.seen) > DarkAfter {
			continue
		}
		if state, why := p.judge(); state != OK {
			return state, why
		}
	}
	return OK, ""
}

// connected says whether the screen's page is open at its own host, and at others.
func (s *watched) connected() (here, elsewhere bool) {
	for p := range s.pages {
		if p.host == s.home {
			here = true
		} else {
			elsewhere = true
		}
	}
	return here, elsewhere
}

// judge says whether a page draws, and draws what it should. It goes by the
// moment of the page's last proof: one that got lost is not held against it.
func (p *Page) judge() (State, string) {
	switch {
	case !p.hiddenSince.IsZero() && p.seen.Sub(p.hiddenSince) > FrozenAfter:
		return Frozen, "its page is hidden: close what lies over it, or restart its browser in full screen"
	case p.seen.Sub(p.moved) > FrozenAfter:
		return Frozen, "its page is heard but draws nothing: restart the browser or the computer behind the screen, and check the screen's cable"
	case len(p.sent) > 0 && p.seen.Sub(p.sent[0].at) > FrozenAfter:
		return Frozen, "it goes on showing what is no longer so: restart the browser or the computer behind the screen"
	}
	return OK, ""
}
