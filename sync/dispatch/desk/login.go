package desk

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"nabat/sync/dispatch/store"
)

// loginData is what the login page needs.
type loginData struct {
	Problem, Note, Name, Next string
	Demo                      bool
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	p := s.newPage(r, visitor{})
	d := loginData{Next: localPath(r.URL.Query().Get("next"))}
	if r.URL.Query().Has("out") {
		d.Note = p.T("login.out")
	}
	s.showLogin(w, http.StatusOK, p, d)
}

func (s *Server) showLogin(w http.ResponseWriter, status int, p page, d loginData) {
	p.Path, p.Data = "/dispatch/login", d
	s.render(w, status, "login.html", p)
}

// login checks a name and a password. Wrong names, wrong passwords and
// disabled accounts get the same answer after the same work.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	name, password := strings.TrimSpace(r.PostFormValue("name")), r.PostFormValue("password")
	p := s.newPage(r, visitor{})
	d := loginData{Name: name, Next: localPath(r.PostFormValue("next"))}
	if name == "" || len(name) > 64 || password == "" || len(password) > store.LongestPassword {
		d.Problem = p.T("login.wrong")
		s.showLogin(w, http.StatusForbidden, p, d)
		return
	}
	from := address(r)
	if wait := s.tries.wait(from, name); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		d.Problem = p.Count("n.login.locked", int(wait/time.Second))
		s.showLogin(w, http.StatusTooManyRequests, p, d)
		return
	}
	s.tries.begin(from, name)
	o, err := s.opt.Store.Login(ctx, name, password)
	switch {
	case errors.Is(err, store.ErrDenied), errors.Is(err, store.ErrInvalid), errors.Is(err, store.ErrNotFound):
		// A mistyped name may be the password itself: it stays out of the log.
		s.log.Warn("a login was refused", "address", from)
		if auditErr := s.opt.Store.Audit(ctx, "nobody", "login refused", "", "from "+from.String()); auditErr != nil {
			s.log.Error("the audit log could not be written", "error", auditErr)
		}
		d.Problem = p.T("login.wrong")
		s.showLogin(w, http.StatusForbidden, p, d)
		return
	case err != nil:
		s.log.Error("a password could not be checked", "error", err)
		d.Problem = p.T("login.broken")
		s.showLogin(w, http.StatusServiceUnavailable, p, d)
		return
	}
	s.tries.right(from, name)
	if err := s.begin(ctx, o.ID); err != nil {
		s.sessions.ErrorFunc(w, r, err)
		return
	}
	s.sessions.Put(ctx, keyLanguage, string(p.Lang))
	s.audited(ctx, visitor{Operator: o, Address: from}, "login", o.ID, "")
	http.Redirect(w, r, d.Next, http.StatusSeeOther)
}

// localPath returns a path of these pages to go to after the login; anything
// else could lead to another site.
func localPath(to string) string {
	if (to == "/dispatch" || strings.HasPrefix(to, "/dispatch/") || strings.HasPrefix(to, "/dispatch?")) &&
		!strings.ContainsAny(to, "\\\r\n") && !strings.HasPrefix(to, "/dispatch/login") && !strings.HasPrefix(to, "/dispatch/events") {
		return to
	}
	return "/dispatch"
}
