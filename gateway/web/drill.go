package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"nabat/gateway/alert"
)

// drillBody is the body of a request that starts or ends a drill. Where it
// ends drills, an empty kind or place means any.
type drillBody struct {
	Kind  alert.Kind  `json:"kind"`
	Place string      `json:"place"`
	Level alert.Level `json:"level"`
	Why   string      `json:"why"`
}

// maxID bounds the names in a request, in bytes.
const maxID = 64

func decodeDrill(body io.Reader, start bool) (drillBody, error) {
	var d drillBody
	if err := decodeObject(body, &d); err != nil {
		return drillBody{}, err
	}
	var err error
	d.Why, err = plainWhy(d.Why)
	switch {
	case err != nil:
		return drillBody{}, err
	case len(d.Kind) > maxID || len(d.Place) > maxID:
		return drillBody{}, fmt.Errorf("a name is longer than %d bytes: %w", maxID, errDecision)
	case start && (d.Kind == "" || d.Place == "" || d.Level == 0):
		return drillBody{}, fmt.Errorf("a drill has a kind, a place and a level: %w", errDecision)
	case !start && d.Level != 0:
		return drillBody{}, fmt.Errorf("drills of all levels end alike: %w", errDecision)
	}
	return d, nil
}

func (s *Server) startDrill(w http.ResponseWriter, r *http.Request) {
	if s.opt.Desk == nil {
		s.fail(w, http.StatusNotImplemented, "read-only")
		return
	}
	s.drill(w, r, true, s.opt.Desk.StartDrill, &s.counters.drillsStarted)
}

func (s *Server) endDrill(w http.ResponseWriter, r *http.Request) {
	if s.opt.Desk == nil {
		s.fail(w, http.StatusNotImplemented, "read-only")
		return
	}
	s.drill(w, r, false, s.opt.Desk.EndDrill, &s.counters.drillsEnded)
}

// drill answers 200 only after the drill, or its end, was committed.
func (s *Server) drill(w http.ResponseWriter, r *http.Request, start bool, do func(context.Context, alert.Drill) error, count *atomic.Uint64) {
	session, ok := s.mayDecide(w, r)
	if !ok {
		return
	}
	d, err := decodeDrill(r.Body, start)
	if err != nil {
		s.fail(w, http.StatusBadRequest, "bad-request")
		return
	}
	// The drill must not depend on whether the browser stays to hear of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), decideWithin)
	defer cancel()
	err = do(ctx, alert.Drill{Kind: d.Kind, Level: d.Level, Place: d.Place, Origin: "console", Who: session.Role, Why: d.Why})
	inMemory := errors.Is(err, alert.ErrNotDurable)
	if err != nil && !inMemory {
		status, code := drillProblem(err)
		if status >= http.StatusInternalServerError {
			s.counters.notSaved.Add(1)
			s.log.Warn("drill not confirmed", "start", start, "error", err)
		}
		s.fail(w, status, code)
		return
	}
	count.Add(1)
	s.answer(w, http.StatusOK, decided{Open: start, Memory: inMemory})
}

// drillProblem returns how an error of the desk is answered.
func drillProblem(err error) (status int, code string) {
	switch {
	case errors.Is(err, alert.ErrRealAlert):
		return http.StatusConflict, "real-alert"
	case errors.Is(err, alert.ErrDrillRuns):
		return http.StatusConflict, "drill-runs"
	case errors.Is(err, alert.ErrNoDrill):
		return http.StatusConflict, "no-drill"
	case errors.Is(err, alert.ErrDrill):
		return http.StatusBadRequest, "bad-request"
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "drill-unsure"
	default:
		return http.StatusServiceUnavailable, "drill-not-saved"
	}
}

// choice is one entry of a list on a page.
type choice struct{ ID, Name string }

// drillKinds returns the kinds that a drill may have, the usual ones first.
func (s *Server) drillKinds(l alert.Language) []choice {
	kinds := append(alert.Kinds(), slices.Sorted(maps.Keys(s.opt.Site.Kinds))...)
	list := make([]choice, 0, len(kinds))
	for _, k := range kinds {
		if !slices.ContainsFunc(list, func(c choice) bool { return c.ID == string(k) }) {
			list = append(list, choice{string(k), s.kindName(l, k)})
		}
	}
	return list
}

// drillPlaces returns the places of the site by name.
func (s *Server) drillPlaces(l alert.Language) []choice {
	list := make([]choice, 0, len(s.opt.Site.Places))
	for id := range s.opt.Site.Places {
		list = append(list, choice{id, strings.Join(s.placePath(l, alert.Location{ID: id}), ", ")})
	}
	slices.SortFunc(list, func(a, b choice) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}
