package announce

import (
	"maps"
	"slices"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
)

// Segments returns every piece of speech that a site can need and that is known
// beforehand: of emergencies and drills, of all-clears, and of the site's
// messages and its timetable. What matters most comes first. Only what a person
// writes freely, and what a calendar brings later, is not among them.
func Segments(site *alert.Site, table timetable.Table) []Segment {
	c := newComposer(site)
	var list []Segment
	for _, each := range []func(alert.Language) []Segment{c.urgents, c.usual, c.places, c.messages, c.entries(table)} {
		for _, l := range site.SpokenLanguages() {
			list = append(list, each(l)...)
		}
	}
	return unique(list)
}

// urgents is what is said of each kind of emergency that loudspeakers say.
func (c *composer) urgents(l alert.Language) []Segment {
	var list []Segment
	for _, k := range slices.Concat(alert.Kinds(), slices.Sorted(maps.Keys(c.site.Kinds))) {
		if plan := c.site.Plan(k, alert.LevelEmergency); len(plan.Zones) > 0 {
			list = append(list, c.urgent(l, k, plan)...)
		}
	}
	return list
}

func (c *composer) usual(l alert.Language) []Segment {
	var list []Segment
	for _, key := range []string{"pa.drill", "pa.over", "pa.over.drill", "pa.test", "pa.over.test"} {
		list = append(list, c.fixed(l, key)...)
	}
	return list
}

// places are the names of all places, if any emergency has its place said.
func (c *composer) places(l alert.Language) []Segment {
	said := false
	for _, k := range slices.Concat(alert.Kinds(), slices.Sorted(maps.Keys(c.site.Kinds))) {
		plan := c.site.Plan(k, alert.LevelEmergency)
		said = said || len(plan.Zones) > 0 && plan.ShowPlace
	}
	if !said {
		return nil
	}
	var list []Segment
	for _, id := range slices.Sorted(maps.Keys(c.site.Places)) {
		list = append(list, c.place(l, alert.Location{ID: id})...)
	}
	return list
}

func (c *composer) messages(l alert.Language) []Segment {
	var list []Segment
	for _, m := range c.site.Messages {
		list = append(list, message(l, m)...)
	}
	return list
}

func (c *composer) entries(table timetable.Table) func(alert.Language) []Segment {
	return func(l alert.Language) []Segment {
		var list []Segment
		for _, r := range table.Rules {
			list = append(list, text(l, r.Words, r.ID)...)
		}
		for _, e := range table.Dated {
			list = append(list, text(l, e.Words, e.ID)...)
		}
		return list
	}
}

// unique drops what comes twice, and puts behind each recording the synthesised
// voice that stands in for it.
func unique(list []Segment) []Segment {
	seen := make(map[Segment]bool)
	var out []Segment
	add := func(s Segment) {
		if !seen[s] && (s.File != "" || s.Text != "") {
			seen[s] = true
			out = append(out, s)
		}
	}
	for _, s := range list {
		add(s)
		s.File = ""
		add(s)
	}
	return out
}
