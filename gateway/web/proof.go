package web

import (
	"context"
	"errors"
	"mime"
	"net/http"

	"nabat/gateway/web/screens"
	"nabat/gateway/web/staff"
)

// WatchScreens looks after the lobby screens until ctx ends, and returns nil
// then: it sets the conditions of those that do not prove themselves.
func (s *Server) WatchScreens(ctx context.Context) error { return s.screens.Run(ctx) }

// Screens returns what every configured screen has proven.
func (s *Server) Screens() []screens.Screen { return s.screens.List() }

// heartbeat takes a screen's proof. It has no PIN, because the lobby has none:
// what speaks for a page is the secret of its stream. It tells nothing, and
// answers alike for screens that exist and screens that do not.
func (s *Server) heartbeat(w http.ResponseWriter, r *http.Request) {
	// A form cannot send this type, and a script of another site may not.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		s.counters.proofsRefused.Add(1)
		s.fail(w, http.StatusUnsupportedMediaType, "bad-request")
		return
	}
	proof, err := screens.Decode(r.Body)
	if err == nil {
		err = s.screens.Beat(r.PathValue("id"), staff.Peer(address(r)), proof)
	}
	switch {
	case err == nil:
		s.counters.proofs.Add(1)
		w.WriteHeader(http.StatusNoContent)
		return
	case errors.Is(err, screens.ErrTooOften):
		w.Header().Set("Retry-After", "1")
		s.fail(w, http.StatusTooManyRequests, "too-often")
	case errors.Is(err, screens.ErrUnknown):
		s.fail(w, http.StatusNotFound, "unknown-page")
	default:
		s.fail(w, http.StatusBadRequest, "bad-request")
	}
	s.counters.proofsRefused.Add(1)
}
