package gate

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// poll asks for commands from a goroutine of its own.
func (r *rig) poll(query string) <-chan Waiting {
	out := make(chan Waiting, 1)
	go func() {
		defer close(out)
		status, _, body, err := r.try(ask{method: http.MethodGet, path: path(r.main, "commands") + query, token: r.token})
		var w Waiting
		if err != nil || status != http.StatusOK || json.Unmarshal([]byte(body), &w) != nil || w.Commands == nil {
			return
		}
		out <- w
	}()
	return out
}

func TestAPollWakesAtACommand(t *testing.T) {
	// A look of its own would hide that nobody wakes it.
	r := newRig(t, func(o *Options) { o.Limits = Limits{Poll: time.Hour} })
	answer := r.poll("?wait=60s")
	r.polls(1)
	c := r.issue()
	w, ok := <-answer
	if !ok || len(w.Commands) != 1 || w.Commands[0].Counter != c.Claims.Counter || w.Commands[0].JWS != c.JWS {
		t.Fatalf("%v %+v", ok, w)
	}
	if w, ok := <-r.poll("?after=" + strconv.FormatUint(c.Claims.Counter, 10)); !ok || len(w.Commands) != 0 {
		t.Errorf("a command that is known comes again: %v %+v", ok, w)
	}
	r.issue()
	if w, ok := <-r.poll("?after=0"); !ok || len(w.Commands) != 2 || w.Commands[0].Counter >= w.Commands[1].Counter {
		t.Errorf("%v %+v", ok, w)
	}
}

func TestANewerPollEndsTheOlder(t *testing.T) {
	r := newRig(t, nil)
	first := r.poll("?wait=60s")
	r.polls(1)
	second := r.poll("?wait=60s")
	if w, ok := <-first; !ok || len(w.Commands) != 0 {
		t.Errorf("the first: %v %+v", ok, w)
	}
	r.issue()
	if w, ok := <-second; !ok || len(w.Commands) != 1 {
		t.Errorf("the second: %v %+v", ok, w)
	}
}

func TestAPollWithAChallengeGetsItsCommandsSignedForIt(t *testing.T) {
	r := newRig(t, nil)
	c := r.issue()
	if w, ok := <-r.poll("?challenge=fresh"); !ok || len(w.Commands) != 1 || w.Commands[0].Counter <= c.Claims.Counter {
		t.Errorf("%v %+v", ok, w)
	}
}

func TestPollQueries(t *testing.T) {
	for query, want := range map[string]pollRequest{
		"":                                  {},
		"after=7&wait=30s":                  {after: 7, wait: 30 * time.Second},
		"wait=87600h":                       {wait: maxWait},
		"after=18446744073709551615&wait=0": {after: 1<<64 - 1},
		"challenge=abc":                     {challenge: "abc"},
	} {
		if got, err := parsePoll(query); err != nil || got != want {
			t.Errorf("%s: %+v, %v", query, got, err)
		}
	}
	for _, query := range []string{"after=-1", "after=x", "wait=-1s", "wait=soon", "challenge=a/b", "%zz"} {
		if got, err := parsePoll(query); err == nil {
			t.Errorf("%s: %+v", query, got)
		}
	}
}

func FuzzPoll(f *testing.F) {
	f.Add("after=7&wait=30s&challenge=x")
	f.Add("after=%00;wait")
	f.Fuzz(func(t *testing.T, query string) {
		if p, err := parsePoll(query); err == nil && (p.wait < 0 || p.wait > maxWait || len(p.challenge) > 64) {
			t.Errorf("%+v", p)
		}
	})
}

// polls waits until so many polls wait at the gate.
func (r *rig) polls(n int) {
	r.t.Helper()
	g := r.server.Config.Handler.(*Gate)
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for {
		g.crowd.mu.Lock()
		have := len(g.crowd.polls)
		g.crowd.mu.Unlock()
		if have == n {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			r.t.Fatalf("%d polls, want %d", have, n)
		}
	}
}
