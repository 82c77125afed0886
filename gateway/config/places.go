package config

import (
	"slices"

	"nabat/gateway/alert"
)

// place is one [[place]] before its path is put together.
type place struct {
	s    *section
	in   string
	name alert.Text
}

// places reads every [[place]]. Buildings, floors and rooms are all places: a
// room says in which floor it is, a floor in which building, so that the name
// of a building is written once.
func (r *reader) places(top *section) map[string]alert.Place {
	raw := map[string]place{}
	var order []string
	for _, s := range top.tables("place") {
		id := s.id("id", `write id = "room-204"`)
		if id != "" {
			s.title = "place " + quote(id)
		}
		p := place{s: s, name: s.text("name")}
		p.in, _, _ = s.str("in")
		s.end()
		if id == "" {
			continue
		}
		if first, ok := raw[id]; ok {
			s.report(s.lineOf("id"), "give each place an id of its own", "the id is used already in line %d", first.s.lineOf("id"))
			continue
		}
		raw[id] = p
		order = append(order, id)
	}
	places := make(map[string]alert.Place, len(raw))
	for _, id := range order {
		places[id] = alert.Place{ID: id, Path: path(raw, order, id)}
	}
	return places
}

// path goes from the room outwards and returns the names from the outside in.
// A place that is wrong is reported by its own call only, not by those of all
// the rooms inside it.
func path(raw map[string]place, order []string, id string) []alert.Text {
	var names []alert.Text
	seen := map[string]bool{}
	for at := id; ; {
		p := raw[at]
		names = append(names, p.name)
		seen[at] = true
		if p.in == "" {
			break
		}
		_, known := raw[p.in]
		switch {
		case !known:
			if at == id {
				p.s.report(p.s.lineOf("in"), instead(p.in, order), "in = %s is not a place", quote(p.in))
			}
		case seen[p.in]:
			if p.in == id {
				own := raw[id].s
				own.report(own.lineOf("in"), "write the chain from the room outwards: room in floor, floor in building", "the place is inside itself: %s", chain(raw, id))
			}
		default:
			at = p.in
			continue
		}
		break
	}
	slices.Reverse(names)
	return names
}

func chain(raw map[string]place, id string) string {
	text := id
	for at := raw[id].in; at != id; at = raw[at].in {
		text += " in " + at
	}
	return text + " in " + id
}

// kinds reads the site's own kinds.
func (r *reader) kinds(top *section) map[alert.Kind]alert.Text {
	kinds := map[alert.Kind]alert.Text{}
	lines := map[alert.Kind]int{}
	for _, s := range top.tables("kind") {
		id := s.id("id", `write id = "earthquake"`)
		if id != "" {
			s.title = "kind " + quote(id)
		}
		name := s.text("name")
		s.end()
		k, line := alert.Kind(id), s.lineOf("id")
		switch first, twice := lines[k]; {
		case id == "":
		case k.Known():
			s.report(line, "leave this section out, or choose another id", "the kind exists already in every site")
		case twice:
			s.report(line, "give each kind an id of its own", "the id is used already in line %d", first)
		default:
			kinds[k], lines[k] = name, line
		}
	}
	return kinds
}

// knownKinds lists the kinds that the site may use.
func knownKinds(s *alert.Site) []string {
	var words []string
	for _, k := range alert.Kinds() {
		words = append(words, string(k))
	}
	own := len(words)
	for k := range s.Kinds {
		words = append(words, string(k))
	}
	slices.Sort(words[own:])
	return words
}
