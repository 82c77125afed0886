package announce

import (
	"maps"
	"slices"

	"nabat/gateway/alert"
	"nabat/gateway/announce/speech"
	"nabat/gateway/timetable"
)

// Segments returns every piece of speech that a site can need and that is known
// beforehand: of emergencies and drills, of all-clears, and of the site's
// messages and its timetable. What matters most comes first. Only what a person
// writes freely, and what a calendar brings later, is not among them.
func Segments(site *alert.Site, table timetable.Table) []speech.Segment {
	c := newComposer(site)
	var list []speech.Segment
	for _, each := range []func(alert.Language) []speech.Segment{c.urgents, c.usual, c.places, c.messages, c.entries(table)} {
		for _, l := range site.SpokenLanguages() {
			list = append(list, each(l)...)
		}
	}
	return unique(list)
}

// urgents is what is said of each kind of emergency that loudspeakers say.
func (c *composer) urgents(l alert.Language) []speech.Segment {
	var list []speech.Segment
	for _, k := range slices.Concat(alert.Kinds(), slices.Sorted(maps.Keys(c.site.Kinds))) {
		if plan := c.site.Plan(k, alert.LevelEmergency); len(plan.Zones) > 0 {
			list = append(list, prior(c.urgent(l, k, plan), urgency(plan))...)
		}
	}
	return list
}

func (c *composer) usual(l alert.Language) []speech.Segment {
	var list []speech.Segment
	for _, key := range []string{"pa.drill", "pa.over", "pa.over.drill", "pa.test", "pa.over.test"} {
		list = append(list, prior(c.fixed(l, key), alert.PriorityEmergency)...)
	}
	return list
}

// places are the names of all places, if any emergency has its place said.
func (c *composer) places(l alert.Language) []speech.Segment {
	said := false
	for _, k := range slices.Concat(alert.Kinds(), slices.Sorted(maps.Keys(c.site.Kinds))) {
		plan := c.site.Plan(k, alert.LevelEmergency)
		said = said || len(plan.Zones) > 0 && plan.ShowPlace
	}
	if !said {
		return nil
	}
	var list []speech.Segment
	for _, id := range slices.Sorted(maps.Keys(c.site.Places)) {
		list = append(list, prior(c.place(l, alert.Location{ID: id}), alert.PriorityEmergency)...)
	}
	return list
}

func (c *composer) messages(l alert.Language) []speech.Segment {
	var list []speech.Segment
	for _, m := range c.site.Messages {
		list = append(list, prior(message(l, m), m.Priority)...)
	}
	return list
}

func (c *composer) entries(table timetable.Table) func(alert.Language) []speech.Segment {
	return func(l alert.Language) []speech.Segment {
		var list []speech.Segment
		for _, r := range table.Rules {
			list = append(list, text(l, r.Words, r.ID)...)
		}
		for _, e := range table.Dated {
			list = append(list, text(l, e.Words, e.ID)...)
		}
		return prior(list, alert.PriorityRoutine)
	}
}

func prior(list []speech.Segment, p alert.Priority) []speech.Segment {
	for i := range list {
		list[i].Priority = p
	}
	return list
}

// unique drops what comes twice. Of a text the first one holds, and a recording
// of it before none.
func unique(list []speech.Segment) []speech.Segment {
	type name struct {
		language alert.Language
		text     string
	}
	at := make(map[name]int)
	var out []speech.Segment
	for _, s := range list {
		n := name{s.Language, foundBy(s)}
		if i, seen := at[n]; seen {
			if out[i].Recorded == "" {
				out[i].Recorded = s.Recorded
			}
			continue
		}
		at[n], out = len(out), append(out, s)
	}
	return out
}
