package control

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"nabat/gateway/alert"
)

// Announcer announces what a person on this machine wants to say. Both methods
// answer when the announcement, or its end, is recorded; an error that wraps
// alert.ErrNotDurable says that it holds but is in memory only. They are called
// from several goroutines.
type Announcer interface {
	// Announce refuses with an alert.ErrNotice.
	Announce(ctx context.Context, n alert.Notice) error
	// EndAnnouncement ends the one with the id d.Alert; an alert.ErrNoNotice
	// says that none with it stands.
	EndAnnouncement(ctx context.Context, d alert.Decision) error
}

// errNoAnnouncer says that the gateway was built without loudspeakers and screens.
var errNoAnnouncer = errors.New("this gateway announces nothing")

// LongestAnnouncement bounds how long an announcement stands.
const LongestAnnouncement = time.Hour

const (
	maxAnnounce     = 32 << 10 // bytes of a request: 300 characters in three languages and 64 zones
	announceWithin  = 4 * time.Second
	announceOrigin  = "command line"
	maxAnnounceWord = 64
)

// AnnounceRequest asks for one announcement.
type AnnounceRequest struct {
	// Say is the id of one of the site's messages, or what is to be said in
	// Language, the site's own where that is empty.
	Say      string         `json:"say,omitempty"`
	Language alert.Language `json:"language,omitempty"`
	// Text is what is to be said where Say is empty.
	Text alert.Text `json:"text,omitzero"`
	// Zones say it; none means everywhere.
	Zones []string `json:"zones,omitempty"`
	// Seconds is how long it stands, from 1 to LongestAnnouncement.
	Seconds int64 `json:"seconds"`
	// Priority is the message's own, or PriorityNotice, when zero.
	Priority alert.Priority `json:"priority,omitempty"`
	// Test says that it is a test, in words.
	Test bool `json:"test,omitempty"`
}

// Announced is what became of an AnnounceRequest.
type Announced struct {
	ID string `json:"id"`
	// Sounds are the zones whose loudspeakers say it, ShownOnly those that have none.
	Sounds    []string `json:"sounds"`
	ShownOnly []string `json:"shown_only"`
	// Waits are those of Sounds where something more urgent is said first.
	Waits []string `json:"waits"`
	// Memory says that it holds, but is not on disk.
	Memory bool `json:"memory"`
}

// decodeAnnounce reads one request and nothing after it.
func decodeAnnounce(r io.Reader) (AnnounceRequest, error) {
	var a AnnounceRequest
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, fmt.Errorf("%w: want {\"say\":\"TEXT OR ID\",\"seconds\":60}: %w", errRequest, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return a, fmt.Errorf("%w: something follows the request", errRequest)
	}
	return a, a.check()
}

func (a AnnounceRequest) check() error {
	said := a.Text != alert.Text{}
	switch {
	case a.Say == "" && !said:
		return fmt.Errorf("%w: nothing to say: give a text, or the id of a message", errRequest)
	case a.Say != "" && said:
		return fmt.Errorf("%w: give one text or id, or texts by language, not both", errRequest)
	case a.Language != "" && !slices.Contains(alert.Languages(), a.Language):
		return fmt.Errorf("%w: language %q: want one of %v", errRequest, a.Language, alert.Languages())
	case a.Seconds < 1 || a.Seconds > int64(LongestAnnouncement/time.Second):
		return fmt.Errorf("%w: an announcement stands from 1s to %v", errRequest, LongestAnnouncement)
	}
	return nil
}

// word matches what was meant as an id rather than as a text.
var word = regexp.MustCompile(`^[a-z0-9]+([-_.][a-z0-9]+)*$`)

// notice makes an announcement of a request, by the site's messages and zones.
func (s *Server) notice(a AnnounceRequest) (alert.Notice, error) {
	n := alert.Notice{
		Zones: a.Zones, Priority: a.Priority, For: time.Duration(a.Seconds) * time.Second,
		Status: alert.Actual, Text: a.Text, Origin: announceOrigin,
	}
	site := s.opt.Site
	if len(n.Zones) == 0 && len(site.Zones) > 0 {
		n.Zones = []string{alert.Everywhere}
	}
	for _, z := range n.Zones {
		if z != alert.Everywhere && !slices.ContainsFunc(site.Zones, func(known alert.Zone) bool { return known.ID == z }) {
			return n, fmt.Errorf("%w: there is no zone %q; %s", errRequest, z, zonesOf(site))
		}
	}
	if a.Test {
		n.Status = alert.Test
	}
	if a.Say == "" {
		return n, nil
	}
	if _, known := site.Message(a.Say); known {
		n.Message = a.Say
		return n, nil
	}
	if word.MatchString(a.Say) {
		return n, fmt.Errorf("%w: there is no message %q; %s (to say this very word, name its language: --ru, --kk or --en)", errRequest, a.Say, messagesOf(site))
	}
	l := a.Language
	if l == "" {
		l = site.Language
	}
	switch l {
	case alert.Russian:
		n.Text.RU = a.Say
	case alert.Kazakh:
		n.Text.KK = a.Say
	case alert.English:
		n.Text.EN = a.Say
	}
	return n, nil
}

func zonesOf(site *alert.Site) string {
	ids := make([]string, 0, len(site.Zones))
	for _, z := range site.Zones {
		ids = append(ids, z.ID)
	}
	return listed("zones", ids)
}

func messagesOf(site *alert.Site) string {
	ids := make([]string, 0, len(site.Messages))
	for _, m := range site.Messages {
		ids = append(ids, m.ID)
	}
	return listed("messages", ids)
}

// listed says which ids there are, the first ones where there are many.
func listed(what string, ids []string) string {
	if len(ids) == 0 {
		return "this site has no " + what
	}
	slices.Sort(ids)
	if len(ids) > maxAnnounceWord {
		ids = append(ids[:maxAnnounceWord:maxAnnounceWord], "…")
	}
	return "this site has the " + what + " " + strings.Join(ids, ", ")
}

// announce answers when the announcement is recorded.
func (s *Server) announce(w http.ResponseWriter, r *http.Request) {
	if s.opt.Announcer == nil || s.opt.Site == nil {
		s.refuse(w, errNoAnnouncer)
		return
	}
	a, err := decodeAnnounce(s.body(w, r, maxAnnounce))
	if err != nil {
		s.refuse(w, err)
		return
	}
	n, err := s.notice(a)
	if err == nil {
		n.ID, err = newID()
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	// It must not depend on whether the command stays to hear of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), announceWithin)
	defer cancel()
	err = s.opt.Announcer.Announce(ctx, n)
	if err != nil && !errors.Is(err, alert.ErrNotDurable) {
		s.refuse(w, err)
		return
	}
	s.opt.Log.Info("announced by command", "id", n.ID, "zones", n.Zones, "status", n.Status)
	said := s.announced(n)
	said.Memory = err != nil
	s.answer(w, http.StatusOK, said)
}

// announced says in which zones a notice is heard.
func (s *Server) announced(n alert.Notice) Announced {
	said := Announced{ID: n.ID, Sounds: []string{}, ShownOnly: []string{}, Waits: []string{}}
	now := make(map[string]alert.Sounding)
	if s.opt.Sounding != nil {
		for _, z := range s.opt.Sounding() {
			now[z.Zone] = z
		}
	}
	priority := n.Priority
	if m, ok := s.opt.Site.Message(n.Message); ok && priority == 0 {
		priority = m.Priority
	}
	if priority == 0 {
		priority = alert.PriorityNotice
	}
	for _, z := range s.opt.Site.Zones {
		switch {
		case !alert.Covers(n.Zones, z.ID):
		case s.opt.Speakers == nil || s.opt.Speakers(z.ID) == 0:
			said.ShownOnly = append(said.ShownOnly, z.ID)
		default:
			said.Sounds = append(said.Sounds, z.ID)
			if now[z.ID].Priority > priority {
				said.Waits = append(said.Waits, z.ID)
			}
		}
	}
	return said
}

type endRequest struct {
	ID string `json:"id"`
}

func (s *Server) endAnnouncement(w http.ResponseWriter, r *http.Request) {
	if s.opt.Announcer == nil {
		s.refuse(w, errNoAnnouncer)
		return
	}
	var e endRequest
	d := json.NewDecoder(s.body(w, r, maxRequest))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || e.ID == "" || len(e.ID) > maxPoint {
		s.refuse(w, fmt.Errorf("%w: name the announcement by its id", errRequest))
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), announceWithin)
	defer cancel()
	err := s.opt.Announcer.EndAnnouncement(ctx, alert.Decision{Alert: e.ID, Origin: announceOrigin})
	if err != nil && !errors.Is(err, alert.ErrNotDurable) {
		s.refuse(w, err)
		return
	}
	s.opt.Log.Info("announcement ended by command", "id", e.ID)
	w.WriteHeader(http.StatusNoContent)
}

// body bounds a request in length and in time.
func (s *Server) body(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
	// Without a deadline of its own the read ends with the connection.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.readLimit))
	return http.MaxBytesReader(w, r.Body, limit)
}

// newID makes an id that a person can type, to end what was begun.
func newID() (string, error) {
	var b [5]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("read a random id: %w", err)
	}
	return "say-" + hex.EncodeToString(b[:]), nil
}

// Announce shows and says something for a while, and tells where.
func (c *Client) Announce(ctx context.Context, a AnnounceRequest) (Announced, error) {
	fail := func(err error) (Announced, error) { return Announced{}, fmt.Errorf("announce: %w", err) }
	if err := a.check(); err != nil {
		return fail(err)
	}
	b, err := json.Marshal(a)
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if b, err = c.do(ctx, http.MethodPost, "/v1/announce", b); err != nil {
		return fail(err)
	}
	var said Announced
	if err := json.Unmarshal(b, &said); err != nil {
		return fail(fmt.Errorf("the answer is not understood (are gateway and command of one version?): %w", err))
	}
	return said, nil
}

// EndAnnouncement ends an announcement that stands.
func (c *Client) EndAnnouncement(ctx context.Context, id string) error {
	b, err := json.Marshal(endRequest{ID: id})
	if err != nil {
		return fmt.Errorf("end announcement %q: %w", id, err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if _, err := c.do(ctx, http.MethodPost, "/v1/announce/end", b); err != nil {
		return fmt.Errorf("end announcement %q: %w", id, err)
	}
	return nil
}
