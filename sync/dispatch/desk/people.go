package desk

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"nabat/sync/dispatch/store"
)

// auditData is what the page of the audit log needs.
type auditData struct {
	Rows []auditRow
	Next string
	// Chain is what a check of the whole chain said.
	Chain cardLine
}

type auditRow struct {
	Number, At, Who, What, Object, Detail string
}

const auditPageSize = 100

func (s *Server) auditPage(w http.ResponseWriter, r *http.Request, v visitor) {
	before, err := strconv.ParseInt("0"+r.URL.Query().Get("before"), 10, 64)
	if err != nil {
		s.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	list, err := s.opt.Store.AuditLog(r.Context(), before, auditPageSize)
	if err != nil {
		s.broken(w, r, "the audit log could not be read", err)
		return
	}
	p := s.newPage(r, v)
	p.Here = "audit"
	var d auditData
	for _, e := range list {
		d.Rows = append(d.Rows, auditRow{strconv.FormatInt(e.Number, 10), p.Time(e.At), e.Who, e.What, e.Object, e.Detail})
	}
	if len(list) == auditPageSize {
		d.Next = "/dispatch/audit?before=" + strconv.FormatInt(list[len(list)-1].Number, 10)
	}
	if r.URL.Query().Has("verify") {
		if n, err := s.opt.Store.VerifyAudit(r.Context()); err != nil {
			d.Chain = cardLine{"bad", p.Fill("audit.broken", "error", err.Error())}
		} else {
			d.Chain = cardLine{"good", p.Fill("audit.whole", "n", strconv.FormatInt(n, 10))}
		}
	}
	p.Data = d
	s.render(w, http.StatusOK, "audit.html", p)
}

func (s *Server) auditCSV(w http.ResponseWriter, r *http.Request, v visitor) {
	s.audited(r.Context(), v, "export", "audit", "")
	out := s.newTable(w, s.language(r), "nabat-audit")
	out.row("number", "at", "who", "what", "object", "detail")
	for e, err := range s.opt.Store.ExportAudit(r.Context()) {
		if err != nil {
			out.fail(err)
			return
		}
		out.row(strconv.FormatInt(e.Number, 10), iso(e.At), e.Who, e.What, e.Object, e.Detail)
	}
	out.end()
}

// peopleData is what the page of operators and teams needs.
type peopleData struct {
	Operators []store.Operator
	Teams     []store.Team
	Shortest  int
	Longest   int
}

func (s *Server) peoplePage(w http.ResponseWriter, r *http.Request, v visitor) {
	operators, err := s.opt.Store.Operators(r.Context())
	if err != nil {
		s.broken(w, r, "operators could not be read", err)
		return
	}
	teams, err := s.opt.Store.Teams(r.Context())
	if err != nil {
		s.broken(w, r, "teams could not be read", err)
		return
	}
	p := s.newPage(r, v)
	p.Here = "people"
	p.Data = peopleData{operators, teams, store.ShortestPassword, store.LongestPassword}
	s.render(w, http.StatusOK, "people.html", p)
}

// operators adds an account, changes one or sets a password.
func (s *Server) operators(w http.ResponseWriter, r *http.Request, v visitor) {
	ctx := r.Context()
	o := store.Operator{ID: line(r.PostFormValue("id")), Name: line(r.PostFormValue("name")), Role: store.OperatorRole}
	if r.PostFormValue("role") == string(store.AdminRole) {
		o.Role = store.AdminRole
	}
	if o.ID == "" || tooLong(o.ID, 64) || tooLong(o.Name, 100) {
		s.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	var err error
	switch r.PostFormValue("do") {
	case "add":
		err = s.opt.Store.AddOperator(ctx, o, r.PostFormValue("password"), v.Operator.ID)
	case "password":
		err = s.opt.Store.SetPassword(ctx, o.ID, r.PostFormValue("password"), v.Operator.ID)
	case "change":
		if r.PostFormValue("disabled") == "yes" {
			o.Disabled = s.now().UTC().Truncate(time.Second)
		}
		err = s.opt.Store.SetOperator(ctx, o, v.Operator.ID)
	default:
		s.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	s.changed(w, r, v, "operator", o.ID, err)
}

// teams adds or changes a mobile team.
func (s *Server) teams(w http.ResponseWriter, r *http.Request, v visitor) {
	t := store.Team{Name: line(r.PostFormValue("name")), Phone: line(r.PostFormValue("phone")), Retired: r.PostFormValue("retired") == "yes"}
	id, err := strconv.ParseInt("0"+r.PostFormValue("id"), 10, 64)
	if err != nil || t.Name == "" || tooLong(t.Name, 100) || tooLong(t.Phone, 40) {
		s.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	t.ID = id
	_, err = s.opt.Store.PutTeam(r.Context(), t, v.Operator.ID)
	s.changed(w, r, v, "team", t.Name, err)
}

// changed answers after a change of people.
func (s *Server) changed(w http.ResponseWriter, r *http.Request, v visitor, what, object string, err error) {
	switch {
	case err == nil:
		s.audited(r.Context(), v, what, object, r.PostFormValue("do"))
		s.done(w, r, "/dispatch/people", "done.saved")
	case errors.Is(err, store.ErrExists):
		s.refuse(w, r, http.StatusConflict, "exists")
	case errors.Is(err, store.ErrNotFound):
		s.refuse(w, r, http.StatusNotFound, "unknown")
	case errors.Is(err, store.ErrInvalid):
		s.refuse(w, r, http.StatusBadRequest, "invalid")
	default:
		s.broken(w, r, "a change could not be saved", err)
	}
}
