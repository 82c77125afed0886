package web

import (
	"cmp"
	"slices"
	"time"
	"unicode/utf8"

	"nabat/gateway/alert"
)

// zoneState is a zone and what it says at this moment.
type zoneState struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Says is nil while the zone is silent.
	Says *zoneSays `json:"says,omitempty"`
}

type zoneSays struct {
	Text     string         `json:"text"`
	Priority alert.Priority `json:"priority"`
	Status   alert.Status   `json:"status"`
	// Times is how often it has been said in full; Speakers say it now, Broken
	// cannot. Without any that sound it is what the zone would say.
	Times    int `json:"times"`
	Speakers int `json:"speakers"`
	Broken   int `json:"broken"`
}

// zonesNow returns what each zone says, in the order of the configuration.
func (s *Server) zonesNow(lang alert.Language) []zoneState {
	said := make(map[string]alert.Sounding)
	if s.opt.PA != nil {
		for _, z := range s.opt.PA.Sounding() {
			said[z.Zone] = z
		}
	}
	list := make([]zoneState, 0, len(s.opt.Site.Zones))
	for _, z := range s.opt.Site.Zones {
		state := zoneState{ID: z.ID, Name: zoneName(lang, z)}
		if now, ok := said[z.ID]; ok {
			state.Says = &zoneSays{
				Text: now.Text.In(lang), Priority: now.Priority, Status: now.Status,
				Times: now.Times, Speakers: now.Speakers, Broken: now.Silent,
			}
		}
		list = append(list, state)
	}
	return list
}

// paChanged closes at the next change of what the loudspeakers say; nil, which
// never closes, where nothing speaks.
func (s *Server) paChanged() <-chan struct{} {
	if s.opt.PA == nil {
		return nil
	}
	return s.opt.PA.Changed()
}

func zoneName(l alert.Language, z alert.Zone) string { return cmp.Or(z.Name.In(l), z.ID) }

// zoneNames returns the names of the zones with the given ids.
func (s *Server) zoneNames(l alert.Language, ids []string) []string {
	var names []string
	for _, z := range s.opt.Site.Zones {
		if slices.Contains(ids, z.ID) {
			names = append(names, zoneName(l, z))
		}
	}
	return names
}

// zoneChoices returns the site's zones by name.
func (s *Server) zoneChoices(l alert.Language) []choice {
	list := make([]choice, 0, len(s.opt.Site.Zones))
	for _, z := range s.opt.Site.Zones {
		list = append(list, choice{z.ID, zoneName(l, z)})
	}
	return list
}

// messageChoices returns the site's messages by their first words; bells have
// none.
func (s *Server) messageChoices(l alert.Language) []choice {
	const long = 60 // characters
	list := make([]choice, 0, len(s.opt.Site.Messages))
	for _, m := range s.opt.Site.Messages {
		name := m.Text.In(l)
		if utf8.RuneCountInString(name) > long {
			name = string([]rune(name)[:long]) + "…"
		}
		if name != "" {
			list = append(list, choice{m.ID, name + " (" + m.ID + ")"})
		}
	}
	slices.SortFunc(list, func(a, b choice) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

// consoleScreen is a lobby screen as staff see it.
type consoleScreen struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Watched bool   `json:"watched"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
}

func (s *Server) consoleScreens() []consoleScreen {
	list := []consoleScreen{}
	for _, c := range s.screens.List() {
		list = append(list, consoleScreen{ID: c.ID, State: string(c.State), Watched: c.Watched, Width: c.Width, Height: c.Height})
	}
	return list
}

// screensSeen returns how many milliseconds ago each screen proved itself.
func (s *Server) screensSeen() map[string]int64 {
	seen := make(map[string]int64)
	for _, c := range s.screens.List() {
		if !c.Seen.IsZero() {
			seen[c.ID] = time.Since(c.Seen).Milliseconds()
		}
	}
	return seen
}
