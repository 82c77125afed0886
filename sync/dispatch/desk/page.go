package desk

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/dispatch/store"
)

// page is what every template knows.
type page struct {
	server *Server
	visitor
	// Lang is the page's language.
	Lang alert.Language
	// Path is the page's own address, Query what stands behind it without the
	// language, for the language switch.
	Path, Query string
	// Here names the page in the menu.
	Here string
	// Flash is a message about the last action.
	Flash string
	// Data is what only one page needs.
	Data any
}

func (s *Server) newPage(r *http.Request, v visitor) page {
	p := page{server: s, visitor: v, Lang: s.language(r), Path: r.URL.Path}
	if r.Method == http.MethodGet {
		q := r.URL.Query()
		q.Del("lang")
		p.Query = q.Encode()
	}
	if v.Operator.ID != "" {
		p.Flash = s.sessions.PopString(r.Context(), keyFlash)
	}
	return p
}

// language returns the language that a request asks for, else the session's,
// else the service's own.
func (s *Server) language(r *http.Request) alert.Language {
	for _, l := range []string{r.URL.Query().Get("lang"), s.sessions.GetString(r.Context(), keyLanguage)} {
		if slices.Contains(alert.Languages(), alert.Language(l)) {
			return alert.Language(l)
		}
	}
	return s.opt.Language
}

func (p page) words() dictionary { return p.server.assets.words[p.Lang] }

// T returns a text in the page's language.
func (p page) T(key string) string { return p.words().get(key) }

// Fill returns a text with one name replaced.
func (p page) Fill(key, name, value string) string { return p.words().fill(key, name, value) }

// Count returns a plural text.
func (p page) Count(key string, n int) string { return p.words().count(key, n) }

// Or returns the text of a key, or other when there is none.
func (p page) Or(key, other string) string { return p.words().or(key, other) }

// Kind returns what a kind is called.
func (p page) Kind(k alert.Kind) string { return p.words().or("kind."+string(k), string(k)) }

// Icon returns the name of a kind's pictogram.
func (p page) Icon(k alert.Kind) string { return p.server.assets.icon(k) }

// Icons returns every pictogram as a symbol.
func (p page) Icons() template.HTML { return p.server.assets.icons }

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

// LangURL returns the page's own address in another language.
func (p page) LangURL(l alert.Language) string {
	q := "lang=" + string(l)
	if p.Query != "" {
		q = p.Query + "&" + q
	}
	return p.Path + "?" + q
}

// Asset returns the address of an embedded file.
func (p page) Asset(name string) string {
	return "/dispatch/static/" + p.server.assets.version + "/" + name
}

// Version returns the hash of all embedded files.
func (p page) Version() string { return p.server.assets.version }

// Service returns the service's name.
func (p page) Service() string { return p.server.opt.Name }

// Words returns the texts that scripts need, as JSON.
func (p page) Words() (string, error) {
	b, err := json.Marshal(p.words().scripts())
	return string(b), err
}

// Outcomes returns how an alert can end.
func (p page) Outcomes() []alert.Outcome { return alert.Outcomes() }

// Time returns a date and a time of the operators' zone.
func (p page) Time(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(p.server.opt.Zone).Format("02.01.2006 15:04:05")
}

// Moment returns a time of a gateway with what has to be known about it.
func (p page) Moment(m store.Moment) string {
	if m.At.IsZero() {
		return p.T("clock.unknown")
	}
	text := p.Time(m.At)
	if q := quality(m); q != "exact" {
		text += " (" + p.T("clock."+q) + ")"
	}
	return text
}

// quality says how well a moment is known.
func quality(m store.Moment) string {
	switch {
	case m.At.IsZero():
		return "unknown"
	case m.Estimated:
		return "estimated"
	case m.Corrected:
		return "corrected"
	default:
		return "exact"
	}
}

// render writes a page, completely or not at all.
func (s *Server) render(w http.ResponseWriter, status int, name string, p page) {
	var b bytes.Buffer
	if err := s.assets.pages.ExecuteTemplate(&b, name, p); err != nil {
		s.log.Error("page could not be made", "page", name, "error", err)
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// A failed write means that the browser has gone; nobody is left to tell.
	_, _ = w.Write(b.Bytes())
}

// wantsJSON reports whether a script asks rather than a person's form.
func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

func (s *Server) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A failed write means that the browser has gone; nobody is left to tell.
	_ = json.NewEncoder(w).Encode(v)
}

// refuse says why something was not done, in the page's language: as JSON to a
// script, as a page to a person. pairs fill the names in the text.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, code string, pairs ...string) {
	p := s.newPage(r, visitor{})
	text := p.words().fill("error."+code, pairs...)
	if wantsJSON(r) {
		s.answer(w, status, map[string]string{"error": code, "text": text})
		return
	}
	p.Path, p.Query, p.Data = "/dispatch", "", text
	s.render(w, status, "problem.html", p)
}

// broken answers after an error of our own: the database, most likely.
func (s *Server) broken(w http.ResponseWriter, r *http.Request, what string, err error) {
	s.log.Error(what, "error", err)
	s.refuse(w, r, http.StatusServiceUnavailable, "broken")
}

// done sends a person back to where they came from with a message, or tells a
// script.
func (s *Server) done(w http.ResponseWriter, r *http.Request, to, key string, pairs ...string) {
	text := s.assets.words[s.language(r)].fill(key, pairs...)
	if wantsJSON(r) {
		s.answer(w, http.StatusOK, map[string]string{"text": text})
		return
	}
	s.sessions.Put(r.Context(), keyFlash, text)
	http.Redirect(w, r, to, http.StatusSeeOther)
}
