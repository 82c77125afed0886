package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/web/staff"
)

const cookieName = "nabat_staff"

// roles returns what a person can say they are. The PIN is shared, so a role
// is all that a decision can honestly carry.
func roles() []string {
	return []string{"duty", "head", "guard", "nurse", "counsellor", "technician"}
}

// staffSession returns the session of whoever sent a request.
func (s *Server) staffSession(r *http.Request) (staff.Session, bool) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return staff.Session{}, false
	}
	return s.sessions.Touch(c.Value)
}

// loginData is what the login page needs.
type loginData struct {
	Problem  string
	Disabled bool
	Roles    []string
	Role     string
}

// consoleData is what the console page needs.
type consoleData struct {
	Role     string
	Outcomes []alert.Outcome
	ReadOnly bool
	// Kinds and Places are those that a drill may have, Levels its levels.
	Kinds, Places []choice
	Levels        []alert.Level
	// Zones and Messages are those that an announcement may have.
	Zones, Messages []choice
}

func (s *Server) consolePage(w http.ResponseWriter, r *http.Request) {
	p := s.newPage(r)
	session, ok := s.staffSession(r)
	if !ok || r.URL.Query().Has("login") {
		problem := ""
		if _, err := r.Cookie(cookieName); err == nil && !ok {
			problem = p.T("login.ended")
		}
		s.loginPage(w, http.StatusOK, p, problem, "")
		return
	}
	p.Data = consoleData{
		Role: session.Role, Outcomes: alert.Outcomes(), ReadOnly: s.opt.Desk == nil,
		Kinds: s.drillKinds(p.Lang), Places: s.drillPlaces(p.Lang), Levels: []alert.Level{alert.LevelEmergency, alert.LevelHelp},
		Zones: s.zoneChoices(p.Lang), Messages: s.messageChoices(p.Lang),
	}
	s.render(w, http.StatusOK, "console.html", p)
}

func (s *Server) loginPage(w http.ResponseWriter, status int, p page, problem, role string) {
	p.Path = "/console" // a language link after a wrong PIN must be a page
	d := loginData{Problem: problem, Roles: roles(), Role: role}
	if s.gate == nil {
		d.Disabled, status = true, http.StatusServiceUnavailable
	}
	p.Data = d
	s.render(w, status, "login.html", p)
}

// login checks the PIN and begins a session.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form is too long or malformed", http.StatusBadRequest)
		return
	}
	p := s.newPage(r)
	p.Lang = s.language(r.PostForm)
	p.Langs = languagesFrom(p.Lang)
	role := r.PostForm.Get("role")
	if s.gate == nil {
		s.loginPage(w, http.StatusServiceUnavailable, p, "", "")
		return
	}
	if !slices.Contains(roles(), role) {
		s.loginPage(w, http.StatusBadRequest, p, p.T("login.role.none"), "")
		return
	}
	var locked *staff.LockedError
	switch err := s.gate.Try(r.Context(), address(r), r.PostForm.Get("pin")); {
	case errors.Is(err, staff.ErrWrongPIN):
		s.counters.wrong.Add(1)
		s.loginPage(w, http.StatusForbidden, p, p.T("login.wrong"), role)
		return
	case errors.As(err, &locked):
		s.counters.locked.Add(1)
		key := "login.locked"
		if locked.Everyone {
			key = "login.everyone"
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(locked.Wait/time.Second)))
		s.loginPage(w, http.StatusTooManyRequests, p, p.Fill(key, "in", s.in(p.Lang, locked.Wait)), role)
		return
	case err != nil:
		w.Header().Set("Retry-After", "5")
		s.loginPage(w, http.StatusServiceUnavailable, p, p.T("login.busy"), role)
		return
	}
	token, err := s.sessions.Start(role)
	if err != nil {
		s.log.Error("session could not be started", "error", err)
		http.Error(w, "the session could not be started", http.StatusInternalServerError)
		return
	}
	s.counters.right.Add(1)
	if old, err := r.Cookie(cookieName); err == nil {
		s.sessions.End(old.Value)
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: token, Path: "/", MaxAge: int(staff.Lifetime / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil, // a browser drops a Secure cookie that came over plain HTTP
	})
	http.Redirect(w, r, consoleURL(p.Lang), http.StatusSeeOther)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		s.sessions.End(c.Value)
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	http.Redirect(w, r, consoleURL(s.language(r.URL.Query())), http.StatusSeeOther)
}

func consoleURL(l alert.Language) string {
	return "/console?" + url.Values{"lang": {string(l)}}.Encode()
}

// in says when: "in 40 seconds", "in 2 minutes".
func (s *Server) in(l alert.Language, d time.Duration) string {
	if d <= 90*time.Second {
		return s.words[l].Count(l, "n.seconds.in", int(d/time.Second))
	}
	return s.words[l].Count(l, "n.minutes.in", int((d+time.Minute-1)/time.Minute))
}
