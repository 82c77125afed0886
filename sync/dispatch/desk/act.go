package desk

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/command"
	"nabat/sync/dispatch/store"
)

const (
	maxWhy = 300 // characters
	maxETA = 240 // minutes
)

// act is what a person does about one alert. The form carries the highest
// press that the person saw: nobody decides about a press that they have not
// seen.
func (s *Server) act(w http.ResponseWriter, r *http.Request, v visitor) {
	g := gatewayOf(r)
	a, err := s.opt.Store.Alert(r.Context(), g, r.PathValue("id"))
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.refuse(w, r, http.StatusNotFound, "unknown")
		return
	case err != nil:
		s.broken(w, r, "an alert could not be read", err)
		return
	}
	n, err := number(r.PostFormValue("number"))
	switch {
	case err != nil || n == 0 || n > a.Last.Number:
		s.refuse(w, r, http.StatusBadRequest, "form")
		return
	case a.Cleared.Number >= n:
		s.refuse(w, r, http.StatusConflict, "closed", "who", a.Cleared.Who)
		return
	}
	switch r.PathValue("action") {
	case "take":
		s.take(w, r, v, a, n)
	case "team":
		s.sendTeam(w, r, v, a, n)
	case "arrived":
		s.teamArrived(w, r, v, a, n)
	case "clear":
		s.clear(w, r, v, a, n)
	default:
		s.refuse(w, r, http.StatusNotFound, "unknown")
	}
}

// take gives the alert to the visitor, or says who was first.
func (s *Server) take(w http.ResponseWriter, r *http.Request, v visitor, a store.Alert, n uint64) {
	t, err := s.opt.Store.Take(r.Context(), store.AlertName{Gateway: a.Gateway, ID: a.ID}, n, v.Operator.ID)
	if err != nil {
		s.broken(w, r, "an alert could not be taken", err)
		return
	}
	if t.By != v.Operator.ID {
		s.audited(r.Context(), v, "take refused", a.Gateway.String(), "alert "+a.ID+" is taken by "+t.By)
		s.refuse(w, r, http.StatusConflict, "taken", "who", s.operatorName(r, t.By), "time", s.clock(t.At))
		return
	}
	if s.issue(w, r, v, a.Gateway, command.Claims{Verb: command.Acknowledge, Alert: a.ID, Number: n}) {
		s.done(w, r, alertURL(a.Gateway, a.ID), "done.taken")
	}
}

func (s *Server) operatorName(r *http.Request, id string) string {
	if o, err := s.opt.Store.Operator(r.Context(), id); err == nil && o.Name != "" {
		return o.Name
	}
	return id
}

// sendTeam assigns a mobile team.
func (s *Server) sendTeam(w http.ResponseWriter, r *http.Request, v visitor, a store.Alert, n uint64) {
	id, err := strconv.ParseInt(r.PostFormValue("team"), 10, 64)
	minutes, errETA := strconv.Atoi(r.PostFormValue("eta"))
	if err != nil || errETA != nil || minutes < 0 || minutes > maxETA {
		s.refuse(w, r, http.StatusBadRequest, "team")
		return
	}
	team, ok, err := s.team(r, id)
	switch {
	case err != nil:
		s.broken(w, r, "teams could not be read", err)
		return
	case !ok:
		s.refuse(w, r, http.StatusBadRequest, "team")
		return
	}
	var eta time.Time
	if minutes > 0 {
		eta = s.now().Add(time.Duration(minutes) * time.Minute).UTC().Truncate(time.Second)
	}
	if err := s.opt.Store.Assign(r.Context(), a.Gateway, a.ID, id, eta, v.Operator.ID); err != nil {
		s.broken(w, r, "a team could not be assigned", err)
		return
	}
	if s.issue(w, r, v, a.Gateway, command.Claims{Verb: command.Responding, Alert: a.ID, Number: n, ETA: eta, Why: team.Name}) {
		s.done(w, r, alertURL(a.Gateway, a.ID), "done.sent")
	}
}

// team finds a team that can be assigned.
func (s *Server) team(r *http.Request, id int64) (store.Team, bool, error) {
	list, err := s.opt.Store.Teams(r.Context())
	if err != nil {
		return store.Team{}, false, err
	}
	for _, t := range list {
		if t.ID == id && !t.Retired {
			return t, true, nil
		}
	}
	return store.Team{}, false, nil
}

func (s *Server) teamArrived(w http.ResponseWriter, r *http.Request, v visitor, a store.Alert, n uint64) {
	id, err := strconv.ParseInt(r.PostFormValue("team"), 10, 64)
	if err != nil {
		s.refuse(w, r, http.StatusBadRequest, "team")
		return
	}
	name := ""
	for _, t := range a.Teams {
		if t.Team.ID == id {
			name = t.Team.Name
		}
	}
	if name == "" {
		s.refuse(w, r, http.StatusBadRequest, "team")
		return
	}
	if err := s.opt.Store.TeamArrived(r.Context(), a.Gateway, a.ID, id, v.Operator.ID); err != nil {
		s.broken(w, r, "an arrival could not be noted", err)
		return
	}
	if s.issue(w, r, v, a.Gateway, command.Claims{Verb: command.Arrived, Alert: a.ID, Number: n, Why: name}) {
		s.done(w, r, alertURL(a.Gateway, a.ID), "done.sent")
	}
}

// clear asks the school to close the alert. It is closed here too only when the
// school's answer has come.
func (s *Server) clear(w http.ResponseWriter, r *http.Request, v visitor, a store.Alert, n uint64) {
	outcome, why := alert.Outcome(r.PostFormValue("outcome")), line(r.PostFormValue("why"))
	switch {
	case !outcome.Valid():
		s.refuse(w, r, http.StatusBadRequest, "outcome")
		return
	case why == "" && outcome != alert.TestComplete:
		s.refuse(w, r, http.StatusBadRequest, "why")
		return
	case tooLong(why, maxWhy):
		s.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	if s.issue(w, r, v, a.Gateway, command.Claims{Verb: command.Clear, Alert: a.ID, Number: n, Outcome: outcome, Why: why}) {
		s.done(w, r, alertURL(a.Gateway, a.ID), "done.sent")
	}
}
