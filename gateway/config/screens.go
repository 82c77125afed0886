package config

import "nabat/gateway/alert"

// screens reads the short list at the top of the file and every [[screen]],
// which says more. A screen stands in one of the two.
func (r *reader) screens(top *section, site *alert.Site) []alert.Screen {
	var list []alert.Screen
	lines := map[string]int{}
	short, _ := top.texts("screens")
	for _, n := range short {
		id := top.checkID("screens", n.data, n.line)
		switch _, twice := lines[id]; {
		case id == "":
		case twice:
			top.report(n.line, "name each screen once", "screen %s is listed twice", quote(id))
		default:
			lines[id] = n.line
			list = append(list, alert.Screen{ID: id, Orientation: alert.Landscape, Watched: true})
		}
	}
	for _, s := range top.tables("screen") {
		screen := alert.Screen{ID: s.id("id", `write id = "lobby"`)}
		fresh := s.unique("screen", screen.ID, lines)
		screen.Zones = s.pick("zones", zoneChoices(site, false))
		screen.Languages = s.languages("languages")
		screen.Orientation = alert.Orientation(s.choice("orientation", string(alert.Landscape), string(alert.Landscape), string(alert.Portrait)))
		screen.Width, screen.Height = s.size(16384)
		screen.Watched = s.yes("watched", true)
		if w, h := screen.Width, screen.Height; w > 0 && (w > h) != (screen.Orientation == alert.Landscape) {
			s.report(s.lineOf("orientation"), `write the width and height as they are when the screen hangs, and orientation = "portrait" where it is higher than wide`,
				"width = %d and height = %d are not %s", w, h, screen.Orientation)
		}
		s.end()
		if fresh {
			list = append(list, screen)
		}
	}
	return list
}

// size reads width and height, both or neither.
func (s *section) size(most int64) (width, height int) {
	width, height = int(s.number("width", 0, 1, most)), int(s.number("height", 0, 1, most))
	if s.has("width") != s.has("height") {
		one, other := "width", "height"
		if s.has("height") {
			one, other = other, one
		}
		s.report(s.lineOf(one), "write "+other+" as well, or leave both out", "%s stands without %s", one, other)
		return 0, 0
	}
	return width, height
}

func screenChoices(site *alert.Site) choices {
	c := choices{what: "screen", star: true, none: func(id string) string {
		return `name the screens once at the top of the file: screens = [` + quote(id) + `]`
	}}
	for _, s := range site.Screens {
		c.known = append(c.known, s.ID)
	}
	return c
}
