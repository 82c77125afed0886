package timetable

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// zones finds the time zones that events name.
type zones struct {
	site *time.Location
	file []vtimezone
	seen map[string]*time.Location
}

func newZones(site *time.Location, file []vtimezone) *zones {
	return &zones{site: site, file: file, seen: map[string]*time.Location{}}
}

// find returns the zone of a TZID. The public name comes first, then what the
// file itself says where it is one offset all the year, then the name that
// Windows has for it.
func (z *zones) find(id string) (*time.Location, error) {
	if loc, ok := z.seen[id]; ok {
		if loc == nil {
			return nil, unknownZone(id)
		}
		return loc, nil
	}
	loc, ok := z.look(id)
	if !ok {
		z.seen[id] = nil
		return nil, unknownZone(id)
	}
	z.seen[id] = loc
	return loc, nil
}

func unknownZone(id string) error {
	return Problem{What: "the time zone " + quote(id) + " is not known", Remedy: `choose a zone such as "Asia/Almaty" for the event`}
}

func (z *zones) look(id string) (*time.Location, bool) {
	if loc, ok := public(id); ok {
		return loc, true
	}
	i := slices.IndexFunc(z.file, func(t vtimezone) bool { return t.id == id })
	if i >= 0 {
		t := z.file[i]
		if loc, ok := public(t.location); ok {
			return loc, true
		}
		if offset, ok := t.fixed(); ok {
			return time.FixedZone(fmt.Sprintf("UTC%+d", offset/3600), offset), true
		}
	}
	return public(windowsZone(id))
}

// public looks a name of the IANA database up. Some programs put a path of
// their own before it.
func public(id string) (*time.Location, bool) {
	if strings.HasPrefix(id, "/") {
		if parts := strings.Split(id, "/"); len(parts) > 2 {
			id = strings.Join(parts[len(parts)-2:], "/")
		}
	}
	if id == "" || id == "Local" || len(id) > 64 {
		return nil, false
	}
	loc, err := time.LoadLocation(id)
	return loc, err == nil
}

// fixed returns the offset in seconds of a zone that has only one.
func (t vtimezone) fixed() (seconds int, ok bool) {
	if len(t.offsets) == 0 || slices.ContainsFunc(t.offsets, func(o string) bool { return o != t.offsets[0] }) {
		return 0, false
	}
	at, err := time.Parse("-0700", t.offsets[0])
	if err != nil {
		return 0, false
	}
	_, seconds = at.Zone()
	return seconds, true
}

// windowsZone returns the public name of a zone as Outlook and Exchange name it,
// for the zones of Kazakhstan and its neighbours.
func windowsZone(id string) string {
	switch strings.ToLower(id) {
	case "qyzylorda standard time":
		return "Asia/Qyzylorda"
	case "central asia standard time":
		return "Asia/Almaty"
	case "west asia standard time":
		return "Asia/Tashkent"
	case "ekaterinburg standard time":
		return "Asia/Yekaterinburg"
	case "omsk standard time":
		return "Asia/Omsk"
	case "n. central asia standard time":
		return "Asia/Novosibirsk"
	case "astrakhan standard time":
		return "Europe/Astrakhan"
	case "saratov standard time":
		return "Europe/Saratov"
	case "russian standard time":
		return "Europe/Moscow"
	case "fle standard time":
		return "Europe/Kyiv"
	case "w. europe standard time":
		return "Europe/Berlin"
	case "gmt standard time":
		return "Europe/London"
	case "china standard time":
		return "Asia/Shanghai"
	case "greenwich standard time", "utc", "coordinated universal time":
		return "UTC"
	}
	return ""
}
