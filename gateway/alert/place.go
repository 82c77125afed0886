package alert

// Language is one of the three languages that every text exists in.
type Language string

// Languages of every text that people see.
const (
	Russian Language = "ru"
	Kazakh  Language = "kk"
	English Language = "en"
)

// Languages returns the three languages in the order in which pages offer them.
func Languages() []Language { return []Language{Russian, Kazakh, English} }

// Text is one text in the three languages.
type Text struct {
	RU string `json:"ru"`
	KK string `json:"kk"`
	EN string `json:"en"`
}

// In returns the text in language l, falling back to any language that is
// not empty, because a wrong language is better than a blank place.
func (t Text) In(l Language) string {
	var s string
	switch l {
	case Russian:
		s = t.RU
	case Kazakh:
		s = t.KK
	case English:
		s = t.EN
	}
	for _, f := range []string{s, t.RU, t.KK, t.EN} {
		if f != "" {
			return f
		}
	}
	return ""
}

// Place is somewhere that help can be sent to.
type Place struct {
	// ID names the place for ever, in lower case letters, digits and dashes.
	ID string `json:"id"`
	// Path goes from the outside in: building, floor, room.
	Path []Text `json:"path"`
}

// Location is the place as an event carries it: the path in the site's own
// language, fixed at the moment of the press.
type Location struct {
	ID   string   `json:"id"`
	Path []string `json:"path,omitempty"`
}

// In returns the place as an event carries it, in language l.
func (p Place) In(l Language) Location {
	loc := Location{ID: p.ID, Path: make([]string, len(p.Path))}
	for i, t := range p.Path {
		loc.Path[i] = t.In(l)
	}
	return loc
}
