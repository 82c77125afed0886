package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/web/screens"
	"nabat/gateway/web/staff"
)

const (
	// beatEvery is how often a stream proves that it lives; a page that hears
	// nothing for two of them says that it is stale.
	beatEvery = 2 * time.Second
	// writeWithin is how long a client may take to accept one message.
	writeWithin = 5 * time.Second
	// calm is the least time between two looks at the state, so that a
	// chattering contact does not become a storm on every screen.
	calm = 20 * time.Millisecond
)

// audience is who a stream is for; it decides what the stream may say.
type audience string

const (
	toLobby   audience = "lobby"
	toConsole audience = "console"
	toWall    audience = "wall"
)

// limits returns how many streams an audience may have at once, and how many
// of them one host. The lobby needs no PIN: a host gets a quarter there, so that
// none keeps the others out, yet enough for all monitors of a school that sit
// behind one address (NAT, or a machine that plays them all).
func (a audience) limits() (all, host int) {
	switch a {
	case toLobby:
		return 256, 64
	case toConsole:
		return 32, 16
	case toWall:
		return 16, 16
	}
	return 0, 0
}

// streams counts the open streams, so that pages left open, or an attacker,
// cannot use up the gateway. An audience never takes another's places. Hosts
// are forgotten with their last stream.
type streams struct {
	mu     sync.Mutex // guards both maps
	open   map[audience]int
	byHost map[listener]int
}

// listener is a host in an audience.
type listener struct {
	audience audience
	host     netip.Addr
}

func (st *streams) take(a audience, addr netip.Addr) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.open == nil {
		st.open, st.byHost = make(map[audience]int), make(map[listener]int)
	}
	key := listener{a, staff.Peer(addr)}
	if all, host := a.limits(); st.open[a] >= all || st.byHost[key] >= host {
		return false
	}
	st.open[a]++
	st.byHost[key]++
	return true
}

func (st *streams) release(a audience, addr netip.Addr) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.open[a]--
	key := listener{a, staff.Peer(addr)}
	if st.byHost[key]--; st.byHost[key] == 0 {
		delete(st.byHost, key)
	}
}

func (st *streams) count(a audience) int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.open[a]
}

// feed is what one stream tells.
type feed struct {
	audience audience
	// screen is the lobby screen that asks, empty where none does.
	screen string
	// state returns what the audience may know. It is sent when it differs
	// from what was sent before.
	// Alone says that it is made for this request only.
	state func(now alert.Stamp, alone bool) (encoded, error)
	// figures returns what goes with every heartbeat, nil for nothing;
	// ok is false when the audience may not listen any longer.
	figures func(now alert.Stamp) (f *figures, ok bool)
	// changed returns channels that close when state may have changed.
	changed func() changes
}

// changes are channels that close when something may have changed; those that
// are nil never do.
type changes [4]<-chan struct{}

// feedFor returns the feed that a request asks for, or the status and the
// code of why it may not have it.
func (s *Server) feedFor(r *http.Request) (f feed, status int, code string) {
	q := r.URL.Query()
	lang := s.language(q)
	f.figures = func(alert.Stamp) (*figures, bool) { return nil, true }
	f.changed = func() changes { return changes{s.opt.Source.Changed()} }
	switch f.audience = audience(q.Get("audience")); f.audience {
	case toLobby, "":
		f.audience = toLobby
		screen := q.Get("screen")
		if screen != "" && !screenID.MatchString(screen) {
			return feed{}, http.StatusBadRequest, "bad-request"
		}
		f.screen = screen
		lang = s.screenLanguage(q, s.screen(screen))
		f.state = func(now alert.Stamp, alone bool) (encoded, error) {
			if alone {
				return s.encode(s.lobbyNow(s.opt.Source.View(), now, s.screen(screen), lang))
			}
			return s.lobbyShared(screen, lang, now)
		}
		f.changed = func() changes {
			_, everyday := s.everyday.snapshot()
			return changes{s.opt.Source.Changed(), everyday}
		}
	case toConsole:
		if _, ok := s.staffSession(r); !ok {
			return feed{}, http.StatusUnauthorized, "no-session"
		}
		f.state = func(now alert.Stamp, _ bool) (encoded, error) { return s.encode(s.consoleNow(lang, now)) }
		f.figures = func(now alert.Stamp) (*figures, bool) {
			session, ok := s.staffSession(r) // an open console counts as use
			if !ok {
				return nil, false
			}
			figures := s.figuresNow(now, session.Left)
			return &figures, true
		}
		f.changed = func() changes {
			return changes{s.opt.Source.Changed(), s.opt.Health.Changed(), s.paChanged(), s.screens.Changed()}
		}
	case toWall:
		if s.opt.Wall == nil {
			return feed{}, http.StatusNotFound, "bad-request"
		}
		f.state = func(alert.Stamp, bool) (encoded, error) { return s.encode(s.wallNow(lang)) }
		f.changed = func() changes { return changes{s.opt.Wall.Changed(), s.paChanged()} }
	default:
		return feed{}, http.StatusBadRequest, "bad-request"
	}
	return f, http.StatusOK, ""
}

// message is the data of every event of a stream.
type message struct {
	// Now is the gateway's monotonic clock in milliseconds.
	Now int64 `json:"now"`
	// Assets lets a page notice that it is outdated.
	Assets string `json:"assets"`
	// Page is what the proofs of a screen's page have to bear.
	Page    string          `json:"page,omitempty"`
	State   json.RawMessage `json:"state,omitempty"`
	Figures *figures        `json:"figures,omitempty"`
}

// encoded is a state as JSON, with its id: this process's session and a digest
// of what the state says. A page that comes back with the same id misses
// nothing. The id holds no counter, because a counter would tell a lobby screen
// that something quiet has happened. Nobody may change the body.
type encoded struct {
	body json.RawMessage
	id   string
}

func (s *Server) encode(state any) (encoded, error) {
	body, err := json.Marshal(state)
	if err != nil {
		return encoded{}, fmt.Errorf("encode: %w", err)
	}
	sum := sha256.Sum256(body)
	return encoded{body, s.session + "-" + hex.EncodeToString(sum[:8])}, nil
}

// state answers with the state once.
func (s *Server) state(w http.ResponseWriter, r *http.Request) {
	f, status, code := s.feedFor(r)
	if status != http.StatusOK {
		s.fail(w, status, code)
		return
	}
	now := s.opt.Now()
	state, err := f.state(now, true)
	if err != nil {
		s.log.Error("state could not be encoded", "audience", f.audience, "error", err)
		s.fail(w, http.StatusInternalServerError, "bad-request")
		return
	}
	m := message{Now: now.Mono.Milliseconds(), Assets: s.assets.version, State: state.body}
	m.Figures, _ = f.figures(now)
	s.answer(w, http.StatusOK, m)
}

// events is the stream that pages live on: "state" when it changed, "beat"
// every 2 s, "end" when the listener may not listen any longer.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	f, status, code := s.feedFor(r)
	if status != http.StatusOK {
		s.fail(w, status, code)
		return
	}
	addr := address(r)
	if !s.streams.take(f.audience, addr) {
		s.counters.streamsRefused.Add(1)
		w.Header().Set("Retry-After", "5")
		s.fail(w, http.StatusServiceUnavailable, "too-many-streams")
		return
	}
	defer s.streams.release(f.audience, addr)

	page, err := s.screens.Open(f.screen, staff.Peer(addr))
	if err != nil { // it will look dark, which is better than to show nothing
		s.log.Error("page of a screen", "error", err)
	}
	defer page.Close()

	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("last_event_id")
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	rc := http.NewResponseController(w)
	if err := s.stream(r.Context(), w, rc, f, page, last); err != nil && r.Context().Err() == nil {
		s.counters.streamsGivenAway.Add(1)
		s.log.Debug("event stream ended", "audience", f.audience, "error", err)
	}
}

func (s *Server) stream(ctx context.Context, w http.ResponseWriter, rc *http.ResponseController, f feed, page *screens.Page, last string) error {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	pause := time.NewTimer(calm)
	defer pause.Stop()
	first := true
	for beat := true; ; {
		changed := f.changed()
		pause.Reset(calm)
		now := s.opt.Now()
		m := message{Now: now.Mono.Milliseconds(), Assets: s.assets.version, Page: page.Secret()}
		// Who opens streams one after the other learns nothing from how long
		// the first answer takes: it is always made anew.
		state, err := f.state(now, first)
		first = false
		if err != nil {
			return fmt.Errorf("state of the %s: %w", f.audience, err)
		}
		page.Sent(state.id)
		if state.id != last {
			last, m.State = state.id, state.body
			if err := send(w, rc, "state", state.id, m); err != nil {
				return err
			}
			m.State = nil
		}
		if beat {
			var ok bool
			if m.Figures, ok = f.figures(now); !ok {
				return send(w, rc, "end", "", m)
			}
			if err := send(w, rc, "beat", "", m); err != nil {
				return err
			}
		}
		beat = false
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			beat = true
			continue
		case <-changed[0]:
		case <-changed[1]:
		case <-changed[2]:
		case <-changed[3]:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		case <-ticker.C:
			// A beat is never late for a change that this audience must not
			// notice.
			beat = true
		}
	}
}

// send writes one event; a client that does not accept it in time is dropped,
// because a page that is seconds behind is better off starting anew.
func send(w http.ResponseWriter, rc *http.ResponseController, event, id string, m message) error {
	if err := rc.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("set a deadline for %s: %w", event, err)
	}
	text := make([]byte, 0, len(m.State)+512)
	text = append(append(append(text, "event: "...), event...), '\n')
	if id != "" {
		text = append(append(append(text, "id: "...), id...), '\n')
	}
	text, err := m.append(append(text, "retry: 1000\ndata: "...))
	if err != nil {
		return fmt.Errorf("encode %s: %w", event, err)
	}
	text = append(text, "\n\n"...)
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("send %s: %w", event, err)
	}
	if err := rc.Flush(); err != nil {
		return fmt.Errorf("send %s: %w", event, err)
	}
	return nil
}

// append appends m as JSON. The state was encoded for its digest already, and
// one emergency goes to every screen at once: it is not read a second time.
func (m message) append(text []byte) ([]byte, error) {
	state := m.State
	m.State = nil
	head, err := json.Marshal(m)
	if err != nil || state == nil {
		return append(text, head...), err
	}
	text = append(append(text, head[:len(head)-1]...), `,"state":`...)
	return append(append(text, state...), '}'), nil
}
