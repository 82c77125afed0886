package config

import "nabat/gateway/alert"

// everyZone is the id of the one zone of a site that names none.
const everyZone = "all"

// maxZones bounds the work of comparing zones with each other.
const maxZones = 100

// zones reads every [[zone]]. Without any the whole site is one.
func (r *reader) zones(top *section) (zones []alert.Zone, lines map[string]int) {
	lines = map[string]int{}
	sections := top.tables("zone")
	if len(sections) > maxZones {
		top.report(sections[maxZones].line, "a zone is a part of the building, not a room", "there are more than %d zones", maxZones)
		sections = sections[:maxZones]
	}
	for _, s := range sections {
		z := alert.Zone{ID: s.id("id", `write id = "ground-floor"`)}
		fresh := s.unique("zone", z.ID, lines)
		z.Name = s.text("name")
		s.end()
		if fresh {
			zones = append(zones, z)
		}
	}
	if len(zones) == 0 {
		zones = []alert.Zone{{ID: everyZone, Name: alert.Text{RU: "Всё здание", KK: "Бүкіл ғимарат", EN: "Whole building"}}}
	}
	return zones, lines
}

// zoneChoices are the zones that a list may name.
func zoneChoices(site *alert.Site, star bool) choices {
	c := choices{what: "zone", star: star}
	for _, z := range site.Zones {
		c.known = append(c.known, z.ID)
	}
	if len(c.known) == 1 && c.known[0] == everyZone {
		c.more = ". Zones of your own need a [[zone]] section each"
	}
	return c
}

// emptyZones warns of zones in which nothing is heard or seen.
func (r *reader) emptyZones(c *Config, lines map[string]int) {
	for _, z := range c.Site.Zones {
		line, written := lines[z.ID]
		if !written || r.reached(c, z.ID) {
			continue
		}
		r.warn(line, "name it in the zones of a [[speaker]], [[screen]] or [[display]]", "zone %s has no loudspeaker, screen or display", quote(z.ID))
	}
}

func (r *reader) reached(c *Config, zone string) bool {
	for _, s := range c.Speakers {
		if alert.Covers(s.Zones, zone) {
			return true
		}
	}
	for _, s := range c.Site.Screens {
		if len(s.Zones) == 0 || alert.Covers(s.Zones, zone) {
			return true
		}
	}
	for _, d := range c.Displays {
		if len(d.Zones) == 0 || alert.Covers(d.Zones, zone) {
			return true
		}
	}
	return false
}
