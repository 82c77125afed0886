package gate

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// Waiting is the answer to a poll for commands.
type Waiting struct {
	// Commands is in the order of the counters and never null on the wire.
	Commands []Command `json:"commands"`
}

// commands answers as soon as there is a command above the one that the
// gateway knows, or after the time that it wants to wait.
func (g *Gate) commands(w http.ResponseWriter, r *http.Request, c caller) {
	ask, err := parsePoll(r.URL.RawQuery)
	if err != nil {
		turnAway(w, err)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(ask.wait + answerTime)) // a recorder in a test has none
	superseded, done := g.crowd.poll(c.name())
	defer done()
	patience := time.NewTimer(ask.wait)
	defer patience.Stop()
	look := time.NewTicker(g.l.Poll)
	defer look.Stop()
	for waiting, asked := true, false; ; {
		changed := g.o.Store.Changed(store.CommandsChanged)
		list, err := g.waiting(r, c, ask, !asked)
		asked = true
		if err != nil {
			g.failed(w, r, c, err)
			return
		}
		if len(list) > 0 || !waiting {
			answer(w, http.StatusOK, Waiting{list})
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-patience.C:
			waiting = false
		case <-superseded:
			waiting = false
		case <-changed:
		case <-look.C:
		}
	}
}

// waiting returns the commands for a gateway. Those that were signed for
// another challenge than the gateway's are signed anew, once a poll.
func (g *Gate) waiting(r *http.Request, c caller, ask pollRequest, mend bool) ([]Command, error) {
	list, err := g.o.Store.Commands(r.Context(), c.Gateway, ask.after)
	if err != nil {
		return nil, err
	}
	foreign := func(one store.Command) bool { return one.Claims.Challenge != ask.challenge }
	if mend && ask.challenge != "" && slices.ContainsFunc(list, foreign) {
		if _, err := g.o.Store.Reissue(r.Context(), c.Gateway, g.o.Now(), g.o.Signer); err != nil {
			return nil, err
		}
		if list, err = g.o.Store.Commands(r.Context(), c.Gateway, ask.after); err != nil {
			return nil, err
		}
	}
	out := make([]Command, 0, len(list))
	for _, one := range list {
		out = append(out, Command{Counter: one.Claims.Counter, JWS: one.JWS})
	}
	return out, nil
}

// Command is one signed command.
type Command struct {
	Counter uint64 `json:"counter"`
	// JWS is the compact form.
	JWS string `json:"jws"`
}

type pollRequest struct {
	after     uint64
	wait      time.Duration
	challenge string
}

// parsePoll reads the query of a poll. A wait that is too long is cut, so that
// a newer gateway may ask for more.
func parsePoll(query string) (p pollRequest, err error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return p, mishap{http.StatusBadRequest, "the query cannot be read"}
	}
	if s := q.Get("after"); s != "" {
		if p.after, err = strconv.ParseUint(s, 10, 64); err != nil {
			return p, mishap{http.StatusBadRequest, "after must be the counter of a command"}
		}
	}
	if s := q.Get("wait"); s != "" {
		if p.wait, err = time.ParseDuration(s); err != nil || p.wait < 0 {
			return p, mishap{http.StatusBadRequest, `wait must be a time span such as "30s"`}
		}
		p.wait = min(p.wait, maxWait)
	}
	if p.challenge = q.Get("challenge"); p.challenge != "" && event.CheckID(p.challenge) != nil {
		return p, mishap{http.StatusBadRequest, "the challenge must be a word of at most 64 bytes"}
	}
	return p, nil
}
