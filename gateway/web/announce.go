package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"nabat/gateway/alert"
)

// Bounds of what the console announces. The engine has the last word.
const (
	maxAnnounceMinutes = 60
	maxAnnounceText    = 300 // characters of one language
	maxAnnounceZones   = 64
)

// announceBody is the body of a request to announce: a message of the site, or
// a text in at least one language.
type announceBody struct {
	Message string     `json:"message"`
	Text    alert.Text `json:"text"`
	// Zones say it, "*" all; none means that it is shown only.
	Zones   []string `json:"zones"`
	Minutes int      `json:"minutes"`
	// Test says that it is a test, in words.
	Test bool `json:"test"`
}

func decodeAnnouncement(body io.Reader) (announceBody, error) {
	var a announceBody
	if err := decodeObject(body, &a); err != nil {
		return announceBody{}, err
	}
	said := false
	for _, text := range []*string{&a.Text.RU, &a.Text.KK, &a.Text.EN} {
		// Whoever pastes two lines means one sentence after the other.
		*text = strings.Join(strings.Fields(*text), " ")
		said = said || *text != ""
		if !utf8.ValidString(*text) || utf8.RuneCountInString(*text) > maxAnnounceText {
			return announceBody{}, fmt.Errorf("a text is longer than %d characters: %w", maxAnnounceText, errDecision)
		}
	}
	switch {
	case said == (a.Message != ""):
		return announceBody{}, fmt.Errorf("want a message or a text: %w", errDecision)
	case len(a.Message) > maxID || slices.ContainsFunc(a.Zones, func(z string) bool { return z == "" || len(z) > maxID }):
		return announceBody{}, fmt.Errorf("a name is empty or longer than %d bytes: %w", maxID, errDecision)
	case len(a.Zones) > maxAnnounceZones:
		return announceBody{}, fmt.Errorf("more than %d zones: %w", maxAnnounceZones, errDecision)
	case a.Minutes < 1 || a.Minutes > maxAnnounceMinutes:
		return announceBody{}, fmt.Errorf("it stands from 1 to %d minutes: %w", maxAnnounceMinutes, errDecision)
	}
	return a, nil
}

// announce answers 200 only after the announcement was committed.
func (s *Server) announce(w http.ResponseWriter, r *http.Request) {
	session, ok := s.mayDecide(w, r)
	if !ok {
		return
	}
	a, err := decodeAnnouncement(r.Body)
	if err != nil {
		s.fail(w, http.StatusBadRequest, "announcement")
		return
	}
	if s.opt.Desk == nil {
		s.fail(w, http.StatusNotImplemented, "read-only")
		return
	}
	n := alert.Notice{
		Message: a.Message, Text: a.Text, Zones: a.Zones, For: time.Duration(a.Minutes) * time.Minute,
		Status: alert.Actual, Origin: "console", Who: session.Role,
	}
	if a.Test {
		n.Status = alert.Test
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), decideWithin)
	defer cancel()
	if s.announced(w, s.opt.Desk.Announce(ctx, n)) {
		s.counters.announced.Add(1)
	}
}

// endAnnouncement ends one that stands before its time.
func (s *Server) endAnnouncement(w http.ResponseWriter, r *http.Request) {
	session, ok := s.mayDecide(w, r)
	if !ok {
		return
	}
	var nothing struct{}
	if err := decodeObject(r.Body, &nothing); err != nil {
		s.fail(w, http.StatusBadRequest, "bad-request")
		return
	}
	if s.opt.Desk == nil {
		s.fail(w, http.StatusNotImplemented, "read-only")
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), decideWithin)
	defer cancel()
	err := s.opt.Desk.EndAnnouncement(ctx, alert.Decision{Alert: r.PathValue("id"), Origin: "console", Who: session.Role})
	if s.announced(w, err) {
		s.counters.silenced.Add(1)
	}
}

// announced answers with what the desk said, and reports whether it was done.
func (s *Server) announced(w http.ResponseWriter, err error) bool {
	switch {
	case err == nil, errors.Is(err, alert.ErrNotDurable):
		s.answer(w, http.StatusOK, decided{Memory: err != nil})
		return true
	case errors.Is(err, alert.ErrNotice):
		s.fail(w, http.StatusBadRequest, "announcement")
	case errors.Is(err, alert.ErrNoNotice):
		s.fail(w, http.StatusConflict, "no-announcement")
	case errors.Is(err, context.DeadlineExceeded):
		s.counters.notSaved.Add(1)
		s.fail(w, http.StatusGatewayTimeout, "announcement-unsure")
	default:
		s.counters.notSaved.Add(1)
		s.log.Warn("announcement not saved", "error", err)
		s.fail(w, http.StatusServiceUnavailable, "announcement-not-saved")
	}
	return false
}
