package web

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"nabat/gateway/alert"
)

// page is what every template knows.
type page struct {
	server *Server
	// Lang is the page's language; Langs are all, the page's own first.
	Lang  alert.Language
	Langs []alert.Language
	// Path is the page's own address without its query, for the language switch.
	Path string
	// Screen is the lobby screen's id, empty elsewhere.
	Screen string
	// Data is what only one page needs.
	Data any
}

// T returns a text in the page's language.
func (p page) T(key string) string { return p.server.words[p.Lang].Get(key) }

// In returns a text in a given language.
func (p page) In(l alert.Language, key string) string { return p.server.words[l].Get(key) }

// AllLangs returns all languages in the order in which pages offer them.
func (p page) AllLangs() []alert.Language { return alert.Languages() }

// LangName returns what a language calls itself.
func (p page) LangName(l alert.Language) string {
	switch l {
	case alert.Russian:
		return "Русский"
	case alert.Kazakh:
		return "Қазақша"
	case alert.English:
		return "English"
	}
	return string(l)
}

// SiteName returns the site's name in a language.
func (p page) SiteName(l alert.Language) string {
	if name := p.server.opt.Site.Name.In(l); name != "" {
		return name
	}
	return p.server.opt.Site.ID
}

// SiteNames returns the site's names, each once, the page's language first.
func (p page) SiteNames() []named {
	var list []named
	for _, l := range p.Langs {
		name := p.SiteName(l)
		if !slices.ContainsFunc(list, func(n named) bool { return n.Text == name }) {
			list = append(list, named{l, name})
		}
	}
	return list
}

type named struct {
	Lang alert.Language
	Text string
}

// Asset returns the address of an embedded file.
func (p page) Asset(name string) string { return "/static/" + p.server.assets.version + "/" + name }

// Version returns the hash of all embedded files.
func (p page) Version() string { return p.server.assets.version }

// Icons returns every pictogram as a symbol.
func (p page) Icons() template.HTML { return p.server.assets.icons }

// Words returns the texts whose keys begin with a prefix, as JSON.
func (p page) Words(prefixes ...string) (string, error) {
	b, err := json.Marshal(p.server.words[p.Lang].With(prefixes...))
	return string(b), err
}

// HasWall reports whether there is a simulated wall to link to.
func (p page) HasWall() bool { return p.server.opt.Wall != nil }

func (s *Server) newPage(r *http.Request) page {
	lang := s.language(r.URL.Query())
	return page{server: s, Lang: lang, Langs: languagesFrom(lang), Path: r.URL.Path}
}

// language returns the language that a request asks for, else the site's own.
func (s *Server) language(q url.Values) alert.Language {
	for _, l := range []alert.Language{alert.Language(q.Get("lang")), s.opt.Site.Language} {
		if slices.Contains(alert.Languages(), l) {
			return l
		}
	}
	return alert.Russian
}

// languagesFrom returns all languages, the given one first.
func languagesFrom(first alert.Language) []alert.Language {
	list := []alert.Language{first}
	for _, l := range alert.Languages() {
		if l != first {
			list = append(list, l)
		}
	}
	return list
}

var screenID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// render writes a page, completely or not at all.
func (s *Server) render(w http.ResponseWriter, status int, name string, p page) {
	var b bytes.Buffer
	if err := s.assets.pages.ExecuteTemplate(&b, name, p); err != nil {
		s.log.Error("page could not be made", "page", name, "error", err)
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A failed write means that the browser has gone; nobody is left to tell.
	_, _ = w.Write(b.Bytes())
}

// index links the pages, and each lobby screen that a plan names.
func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	p := s.newPage(r)
	var screens []string
	for _, c := range s.opt.Site.Screens {
		screens = append(screens, c.ID)
	}
	for _, plan := range s.opt.Site.Plans {
		for _, id := range plan.Screens {
			if id != "*" && screenID.MatchString(id) && !slices.Contains(screens, id) {
				screens = append(screens, id)
			}
		}
	}
	slices.Sort(screens)
	p.Data = screens
	s.render(w, http.StatusOK, "index.html", p)
}

// Fill returns a text of the page's language with one name replaced.
func (p page) Fill(key, name, value string) string {
	return p.server.words[p.Lang].Fill(key, name, value)
}

// FillIn returns a text of any language with one name replaced.
func (p page) FillIn(l alert.Language, key, name, value string) string {
	return p.server.words[l].Fill(key, name, value)
}

// kindName returns what a kind is called in a language: the site's own name
// for it first, then the common one, then the kind's id.
func (s *Server) kindName(l alert.Language, k alert.Kind) string {
	if own, ok := s.opt.Site.Kinds[k]; ok {
		if name := own.In(l); name != "" {
			return name
		}
	}
	return s.words[l].Or("kind."+string(k), string(k))
}

// placePath returns a place's path in a language, from the outside in: by the
// site's present names, or as the alert remembers it.
func (s *Server) placePath(l alert.Language, loc alert.Location) []string {
	if place, ok := s.opt.Site.Places[loc.ID]; ok && len(place.Path) > 0 {
		return place.In(l).Path
	}
	if len(loc.Path) > 0 {
		return loc.Path
	}
	return []string{loc.ID}
}
