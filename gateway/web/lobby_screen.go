package web

import (
	"net/url"
	"slices"

	"nabat/gateway/alert"
)

// screen returns what the site says about a lobby screen. One that it does not
// know, and the general one, show everything that is shown everywhere.
func (s *Server) screen(id string) alert.Screen {
	if known, ok := s.opt.Site.Screen(id); ok && id != "" {
		return known
	}
	return alert.Screen{ID: id}
}

// screenUnknown says that somebody mistyped the id of a screen: the site has a
// list, and this one is not on it.
func (s *Server) screenUnknown(id string) bool {
	if id == "" || len(s.opt.Site.Screens) == 0 {
		return false
	}
	_, ok := s.opt.Site.Screen(id)
	return !ok
}

// screenLanguage returns the language that a request for a screen asks for,
// else the screen's first, else the site's own.
func (s *Server) screenLanguage(q url.Values, screen alert.Screen) alert.Language {
	if len(screen.Languages) > 0 && !slices.Contains(alert.Languages(), alert.Language(q.Get("lang"))) {
		return screen.Languages[0]
	}
	return s.language(q)
}

// screenLanguages returns the languages that a screen shows, the given one first.
func screenLanguages(screen alert.Screen, first alert.Language) []alert.Language {
	if len(screen.Languages) == 0 {
		return languagesFrom(first)
	}
	list := []alert.Language{first}
	for _, l := range screen.Languages {
		if !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	return list
}

// alarmLanguages returns the languages of an emergency: those of the screen,
// and always Russian and Kazakh, because nobody chooses who stands before a
// screen when it happens.
func alarmLanguages(screen alert.Screen, first alert.Language) []alert.Language {
	list := screenLanguages(screen, first)
	for _, l := range []alert.Language{alert.Kazakh, alert.Russian} {
		if !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	return list
}

// hears reports whether a screen belongs to one of the zones; a screen without
// zones belongs to all.
func hears(screen alert.Screen, zones []string) bool {
	if len(screen.Zones) == 0 || slices.Contains(zones, alert.Everywhere) || slices.Contains(screen.Zones, alert.Everywhere) {
		return true
	}
	return slices.ContainsFunc(screen.Zones, func(z string) bool { return slices.Contains(zones, z) })
}

// showsNotice reports whether a screen shows an announcement: one that names
// it, one for its zones, and one that is for nobody in particular.
func showsNotice(screen alert.Screen, n alert.Notice) bool {
	if slices.Contains(n.Screens, alert.Everywhere) || (screen.ID != "" && slices.Contains(n.Screens, screen.ID)) {
		return true
	}
	if len(n.Screens) > 0 {
		// For other screens, unless its zone is meant by name.
		return len(screen.Zones) > 0 && hears(screen, n.Zones)
	}
	return len(n.Zones) == 0 || hears(screen, n.Zones)
}

// screenShape returns how a screen hangs, empty where the installer did not say.
func screenShape(screen alert.Screen) alert.Orientation {
	switch {
	case screen.Orientation != "":
		return screen.Orientation
	case screen.Width > 0 && screen.Height > screen.Width:
		return alert.Portrait
	case screen.Height > 0 && screen.Width >= screen.Height:
		return alert.Landscape
	}
	return ""
}
