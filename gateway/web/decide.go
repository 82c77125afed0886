package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"nabat/gateway/alert"
	"nabat/gateway/web/staff"
)

const (
	// decideWithin is how long a person waits for the disk to confirm.
	decideWithin = 5 * time.Second
	maxWhy       = 300 // characters
)

// decision is the body of an acknowledgement or a clear.
type decision struct {
	// Number is the highest press that the person saw.
	Number  uint64        `json:"number"`
	Outcome alert.Outcome `json:"outcome"`
	Why     string        `json:"why"`
}

var errDecision = errors.New("not a decision")

// decodeDecision reads one JSON object and nothing after it. An outcome is
// needed to clear, and only then.
func decodeDecision(body io.Reader, clear bool) (decision, error) {
	var d decision
	if err := decodeObject(body, &d); err != nil {
		return decision{}, err
	}
	var err error
	d.Why, err = plainWhy(d.Why)
	switch {
	case err != nil:
		return decision{}, err
	case d.Number == 0:
		return decision{}, fmt.Errorf("number is missing: %w", errDecision)
	case clear && !d.Outcome.Valid():
		return decision{}, fmt.Errorf("outcome %q: %w", d.Outcome, errDecision)
	case !clear && d.Outcome != "":
		return decision{}, fmt.Errorf("outcome with an acknowledgement: %w", errDecision)
	}
	return d, nil
}

// decodeObject reads one JSON object, strictly, and nothing after it.
func decodeObject(body io.Reader, into any) error {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errDecision, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the object: %w", errDecision)
	}
	return nil
}

// plainWhy returns a reason without the blanks around it.
func plainWhy(why string) (string, error) {
	why = strings.TrimSpace(why)
	switch {
	case !utf8.ValidString(why) || utf8.RuneCountInString(why) > maxWhy:
		return "", fmt.Errorf("why is longer than %d characters: %w", maxWhy, errDecision)
	case strings.ContainsFunc(why, unicode.IsControl):
		return "", fmt.Errorf("why holds control characters: %w", errDecision)
	}
	return why, nil
}

func (s *Server) acknowledge(w http.ResponseWriter, r *http.Request) { s.decide(w, r, false) }

func (s *Server) clear(w http.ResponseWriter, r *http.Request) { s.decide(w, r, true) }

// decided is the answer to a decision that was committed.
type decided struct {
	// Open says that the alert is still open: after an acknowledgement, or
	// because somebody pressed again after the press that was decided about.
	Open bool `json:"open"`
	// Newer says that there was such a press.
	Newer bool `json:"newer"`
	// Memory says that the decision holds but is not on disk: a power cut
	// would undo it.
	Memory bool `json:"memory"`
}

// mayDecide returns the session of a request that may change something, and
// answers one that may not.
func (s *Server) mayDecide(w http.ResponseWriter, r *http.Request) (session staff.Session, ok bool) {
	session, ok = s.staffSession(r)
	if !ok {
		s.fail(w, http.StatusUnauthorized, "no-session")
		return session, false
	}
	// A form cannot send this type, and a script of another site may not.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		s.fail(w, http.StatusUnsupportedMediaType, "bad-request")
		return session, false
	}
	return session, true
}

// decide answers 200 only after the decision was committed.
func (s *Server) decide(w http.ResponseWriter, r *http.Request, clear bool) {
	session, ok := s.mayDecide(w, r)
	if !ok {
		return
	}
	d, err := decodeDecision(r.Body, clear)
	if err != nil {
		s.fail(w, http.StatusBadRequest, "bad-request")
		return
	}
	if s.opt.Desk == nil {
		s.fail(w, http.StatusNotImplemented, "read-only")
		return
	}
	a, ok := s.opt.Source.View().State.Find(r.PathValue("id"))
	switch {
	case !ok:
		s.fail(w, http.StatusNotFound, "unknown-alert")
		return
	case a.Cleared.Number >= d.Number:
		s.alreadyCleared(w, r, a)
		return
	case d.Number > a.Last.Number: // nobody can have seen what did not happen
		s.fail(w, http.StatusBadRequest, "bad-request")
		return
	}
	// The decision must not depend on whether the browser stays to hear of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), decideWithin)
	defer cancel()
	do, count := s.opt.Desk.Acknowledge, &s.counters.acknowledged
	if clear {
		do, count = s.opt.Desk.Clear, &s.counters.cleared
	}
	err = do(ctx, alert.Decision{
		Alert: a.ID, Number: d.Number, Outcome: d.Outcome, Origin: "console", Who: session.Role, Why: d.Why,
	})
	after, _ := s.opt.Source.View().State.Alert(a.Key)
	inMemory := errors.Is(err, alert.ErrNotDurable)
	switch {
	case err == nil || inMemory:
	case clear && after.Cleared.Number >= d.Number:
		// Somebody else was faster by less than the disk takes.
		s.alreadyCleared(w, r, after)
		return
	case errors.Is(err, context.DeadlineExceeded):
		s.counters.notSaved.Add(1)
		s.log.Warn("decision not confirmed in time", "alert", a.ID, "clear", clear, "error", err)
		s.fail(w, http.StatusGatewayTimeout, "unsure")
		return
	default:
		s.counters.notSaved.Add(1)
		s.log.Warn("decision not saved", "alert", a.ID, "clear", clear, "error", err)
		s.fail(w, http.StatusServiceUnavailable, "not-saved")
		return
	}
	count.Add(1)
	newer := after.Last.Number > d.Number
	s.answer(w, http.StatusOK, decided{Open: !clear || newer, Newer: newer, Memory: inMemory})
}

// alreadyCleared tells the second of two people who was first.
func (s *Server) alreadyCleared(w http.ResponseWriter, r *http.Request, a alert.Alert) {
	lang := s.language(r.URL.Query())
	s.answer(w, http.StatusConflict, map[string]string{
		"error":   "already-cleared",
		"who":     s.whoName(lang, a.Cleared),
		"outcome": s.words[lang].Or("outcome."+string(a.Cleared.Outcome), string(a.Cleared.Outcome)),
	})
}

// fail answers with a code; the page has the words for it.
func (s *Server) fail(w http.ResponseWriter, status int, code string) {
	s.answer(w, status, map[string]string{"error": code})
}

func (s *Server) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `NabatPIN realm="console"`)
	}
	w.WriteHeader(status)
	// A failed write means that the browser has gone; nobody is left to tell.
	_ = json.NewEncoder(w).Encode(v)
}
