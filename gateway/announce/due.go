package announce

import (
	"cmp"
	"slices"

	"nabat/gateway/alert"
)

// Due returns what a zone's loudspeakers should say at the moment of view, the
// most urgent first; those of one rank in the order of their age. It is pure. A
// nil view has nothing to say. routine is what the timetable has due.
func Due(site *alert.Site, view *alert.View, routine []Routine, zone string) []Announcement {
	return newComposer(site).due(view, routine, zone)
}

func (c *composer) due(view *alert.View, routine []Routine, zone string) []Announcement {
	if view == nil {
		return nil
	}
	var list []Announcement
	real, any := false, false // an emergency is said already
	add := func(a Announcement) {
		list = append(list, a)
		any = any || a.Repeat
		real = real || a.Repeat && a.rank() > int(alert.PriorityEvacuate)
	}
	for _, a := range view.Open {
		if plan, ok := c.public(a, zone); ok {
			add(c.emergency(a, plan))
		}
	}
	for _, n := range view.Notices {
		if alert.Covers(n.Zones, zone) {
			add(c.notice(n))
		}
	}
	list = append(list, c.overs(view, zone, real, any)...)
	if !any {
		for _, r := range routine {
			if alert.Covers(r.Zones, zone) {
				list = append(list, c.routine(r))
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Announcement) int {
		return cmp.Or(
			cmp.Compare(b.rank(), a.rank()),
			cmp.Compare(view.At.Since(b.Since), view.At.Since(a.Since)),
			cmp.Compare(a.key, b.key),
		)
	})
	return list
}

// overs are the all-clears. The newest of each kind speaks for those before it.
// No danger is said to be over while another one is there, and no drill while
// anything is.
func (c *composer) overs(view *alert.View, zone string, real, any bool) []Announcement {
	var list []Announcement
	said := false
	for _, e := range view.Ended {
		if _, ok := c.public(e.Alert, zone); !ok {
			continue
		}
		if e.Alert.Status() == alert.Actual {
			if !real {
				list = append(list, c.over(e))
			}
			break
		}
		if !any && !said {
			list, said = append(list, c.over(e)), true
		}
	}
	return list
}

// public reports whether a zone's loudspeakers say an alert, and by which plan.
// This is the only way for an alert to a loudspeaker, and no quiet one passes.
func (c *composer) public(a alert.Alert, zone string) (alert.Plan, bool) {
	level := a.Level()
	if level != alert.LevelEmergency {
		return alert.Plan{}, false
	}
	plan := c.site.Plan(a.Kind, level)
	return plan, alert.Covers(plan.Zones, zone)
}
