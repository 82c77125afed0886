package announce

import (
	"maps"
	"slices"
	"strings"

	"nabat/gateway/alert"
)

// Segments returns every piece of speech that a site can need and that is known
// beforehand: of emergencies and drills, of all-clears, and of the site's
// messages. What matters most comes first, so that it is rendered first. Only
// what a person writes freely is not among them.
func Segments(site *alert.Site) []Segment {
	c := newComposer(site)
	var list []Segment
	places := slices.Sorted(maps.Keys(site.Places))
	spoken := site.SpokenLanguages()
	for _, each := range []func(alert.Language) []Segment{
		c.urgents,
		func(l alert.Language) []Segment {
			return c.named(l, "pa.drill", "pa.over", "pa.over.drill", "pa.test", "pa.over.test")
		},
		func(l alert.Language) []Segment {
			var all []Segment
			for _, id := range places {
				all = append(all, c.place(l, alert.Location{ID: id})...)
			}
			return all
		},
		func(l alert.Language) []Segment {
			var all []Segment
			for _, m := range site.Messages {
				all = append(all, message(l, m)...)
			}
			return all
		},
	} {
		for _, l := range spoken {
			list = append(list, each(l)...)
		}
	}
	return unique(list)
}

// urgents is what is said of each kind of emergency that loudspeakers say.
func (c *composer) urgents(l alert.Language) []Segment {
	var list []Segment
	kinds := slices.Concat(alert.Kinds(), slices.Sorted(maps.Keys(c.site.Kinds)))
	for _, k := range kinds {
		if plan := c.site.Plan(k, alert.LevelEmergency); len(plan.Zones) > 0 {
			list = append(list, c.urgent(l, k, plan)...)
		}
	}
	return list
}

func (c *composer) named(l alert.Language, keys ...string) []Segment {
	var list []Segment
	for _, k := range keys {
		list = append(list, Segment{Language: l, Text: c.words[l].Get(k)})
	}
	return list
}

// unique drops what comes twice, and puts behind each recording the synthesised
// voice that stands in for it.
func unique(list []Segment) []Segment {
	seen := make(map[Segment]bool)
	var out []Segment
	add := func(s Segment) {
		if !seen[s] && (s.File != "" || strings.TrimSpace(s.Text) != "") {
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
