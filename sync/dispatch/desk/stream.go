package desk

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
	"nabat/sync/dispatch/store"
)

const (
	// beatEvery is how often a stream proves that it lives; a page that hears
	// nothing for two of them says that it is stale.
	beatEvery = 2 * time.Second
	// writeWithin is how long a browser may take to accept one message.
	writeWithin = 5 * time.Second
	// calm is the least time between two looks, so that a storm of events does
	// not become a storm on every screen.
	calm = 100 * time.Millisecond
	// most streams in all, and of one host.
	mostStreams, mostOfHost = 256, 32
)

// streams counts the open streams. Hosts are forgotten with their last one.
type streams struct {
	mu   sync.Mutex // guards both
	open int
	host map[string]int
}

func (st *streams) take(addr netip.Addr) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.host == nil {
		st.host = make(map[string]int)
	}
	key := peer(addr)
	if st.open >= mostStreams || st.host[key] >= mostOfHost {
		return false
	}
	st.open++
	st.host[key]++
	return true
}

func (st *streams) release(addr netip.Addr) {
	st.mu.Lock()
	defer st.mu.Unlock()
	key := peer(addr)
	st.open--
	if st.host[key]--; st.host[key] <= 0 {
		delete(st.host, key)
	}
}

// state is what a page is told.
type state struct {
	Alerts   []card        `json:"alerts"`
	More     string        `json:"more,omitempty"`
	Gateways []gatewayLine `json:"gateways"`
	Summary  string        `json:"summary"`
	Teams    []teamLine    `json:"teams"`
}

type teamLine struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

func (s *Server) state(p *picture, l alert.Language, me string) state {
	d := s.assets.words[l]
	st := state{Alerts: []card{}, Gateways: []gatewayLine{}, Teams: []teamLine{}}
	for _, a := range p.Alerts {
		st.Alerts = append(st.Alerts, s.card(p, d, a, me))
	}
	if p.More > 0 {
		st.More = d.count("n.more", p.More)
	}
	online := 0
	for _, g := range sortedGateways(p.Gateways) {
		st.Gateways = append(st.Gateways, s.gatewayLine(d, g))
		if g.Online {
			online++
		}
	}
	st.Summary = d.fill("gateways.summary", "online", fmt.Sprint(online), "all", fmt.Sprint(len(st.Gateways)))
	for _, t := range p.Teams {
		if !t.Retired {
			st.Teams = append(st.Teams, teamLine{t.ID, t.Name})
		}
	}
	return st
}

// message is the data of every event of a stream.
type message struct {
	// Now is this service's clock in milliseconds since 1970.
	Now int64 `json:"now"`
	// Assets lets a page notice that it is outdated.
	Assets string `json:"assets"`
	// Left is how long the session lives without an action, in seconds.
	Left  int64           `json:"left,omitempty"`
	State json.RawMessage `json:"state,omitempty"`
}

// events is the stream that pages live on: "state" when it changed, "beat"
// every 2 s, "end" when the listener may not listen any longer. It does not
// count as use of the session. When the database does not answer, the stream
// ends, and the page says that it is stale.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	token := ""
	if c, err := r.Cookie(s.sessions.Cookie.Name); err == nil {
		token = c.Value
	}
	base := r.Context() // without the session, which is read anew at each beat
	ctx, err := s.sessions.Load(base, token)
	if err != nil {
		s.sessions.ErrorFunc(w, r, err)
		return
	}
	r = r.WithContext(ctx)
	v, err := s.visitor(ctx, r)
	if err != nil {
		if errors.Is(err, errNobody) {
			s.answer(w, http.StatusUnauthorized, map[string]string{"error": "session"})
			return
		}
		s.sessions.ErrorFunc(w, r, err)
		return
	}
	lang, addr := s.language(r), address(r)
	if !s.streams.take(addr) {
		w.Header().Set("Retry-After", "5")
		s.answer(w, http.StatusServiceUnavailable, map[string]string{"error": "streams"})
		return
	}
	defer s.streams.release(addr)
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("last_event_id")
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	if err := s.stream(base, w, token, v.Operator, lang, last); err != nil && base.Err() == nil {
		s.log.Warn("an operator's stream ended", "operator", v.Operator.ID, "error", err)
	}
}

func (s *Server) stream(ctx context.Context, w http.ResponseWriter, token string, o store.Operator, lang alert.Language, last string) error {
	rc := http.NewResponseController(w)
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	pause := time.NewTimer(calm)
	defer pause.Stop()
	for beat := true; ; {
		changed := s.changes()
		pause.Reset(calm)
		p, err := s.look(ctx)
		if err != nil {
			return err
		}
		body, err := json.Marshal(s.state(p, lang, o.ID))
		if err != nil {
			return fmt.Errorf("encode the state: %w", err)
		}
		m := message{Now: s.now().UnixMilli(), Assets: s.assets.version}
		sum := sha256.Sum256(body)
		if id := s.process + "-" + hex.EncodeToString(sum[:8]); id != last {
			last, m.State = id, body
			if err := send(w, rc, "state", id, m); err != nil {
				return err
			}
			m.State = nil
		}
		if beat {
			left, err := s.sessionLeft(ctx, token)
			if err != nil {
				return err
			}
			if left <= 0 {
				return send(w, rc, "end", "", m)
			}
			m.Left = int64(left / time.Second)
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
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

// sessionLeft returns how long the session will still live if nobody does
// anything; zero when it has ended, or its operator may not see anything any
// more.
func (s *Server) sessionLeft(ctx context.Context, token string) (time.Duration, error) {
	now, err := s.sessions.Load(ctx, token)
	if err != nil {
		return 0, fmt.Errorf("read the session: %w", err)
	}
	id := s.sessions.GetString(now, keyOperator)
	if id == "" {
		return 0, nil
	}
	o, err := s.opt.Store.Operator(now, id)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !s.holds(now, o)) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("operator %s: %w", id, err)
	}
	left := time.Until(s.sessions.Deadline(now))
	if seen := s.sessions.GetInt64(now, keySeen); seen > 0 {
		left = min(left, s.opt.Idle-s.now().Sub(time.Unix(seen, 0)))
	}
	return left, nil
}

// send writes one event; a browser that does not accept it in time is dropped,
// because a page that is seconds behind is better off starting anew.
func send(w http.ResponseWriter, rc *http.ResponseController, event, id string, m message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode %s: %w", event, err)
	}
	if err := rc.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("set a deadline for %s: %w", event, err)
	}
	text := "event: " + event + "\n"
	if id != "" {
		text += "id: " + id + "\n"
	}
	if _, err := fmt.Fprintf(w, "%sretry: 1000\ndata: %s\n\n", text, data); err != nil {
		return fmt.Errorf("send %s: %w", event, err)
	}
	if err := rc.Flush(); err != nil {
		return fmt.Errorf("send %s: %w", event, err)
	}
	return nil
}
