package main

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"nabat/gateway/alert"
	"nabat/gateway/config"
	"nabat/gateway/control"
	"nabat/sync/command"
	"nabat/sync/event"
)

// assigner is a central service that takes events, gives commands and assigns
// one configuration.
type assigner struct {
	t      *testing.T
	server *httptest.Server
	signer *command.Signer

	mu       sync.Mutex // guards the fields below
	events   []alert.Event
	seen     map[uint64]bool
	status   event.Status
	counter  uint64
	commands map[uint64]string
	text     []byte
	asked    chan struct{} // closed when there is another command
}

func newAssigner(t *testing.T) *assigner {
	t.Helper()
	a := &assigner{t: t, signer: newDispatchKey(t), seen: map[uint64]bool{}, commands: map[uint64]string{}, asked: make(chan struct{})}
	const base = "/v1/sites/school-12/gateways/main/"
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+base+"events", a.take)
	mux.HandleFunc("POST "+base+"status", a.hear)
	mux.HandleFunc("GET "+base+"commands", a.poll)
	mux.HandleFunc("GET "+base+"config", func(w http.ResponseWriter, _ *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.text == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/toml")
		_, _ = w.Write(a.text)
	})
	a.server = httptest.NewServer(mux)
	t.Cleanup(a.server.Close)
	return a
}

func (a *assigner) take(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return
	}
	list, err := event.DecodeBatch(b)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	reply := event.Reply{Rejected: []event.Rejection{}}
	for _, raw := range list {
		e, err := event.Decode(raw)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		reply.Epoch = e.Ref.Epoch
		reply.Above = append(reply.Above, e.Ref.Seq)
		if !a.seen[e.Ref.Seq] {
			a.seen[e.Ref.Seq] = true
			told, err := e.Alert()
			if err != nil {
				a.t.Error(err)
			}
			a.events = append(a.events, told)
		}
	}
	slices.Sort(reply.Above)
	answerWith(w, reply)
}

func answerWith(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", event.JSONType)
	_ = json.NewEncoder(w).Encode(v)
}

func (a *assigner) hear(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s, err := event.DecodeStatus(b)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = s
	answerWith(w, map[string]any{"receipts": []any{}})
}

func (a *assigner) poll(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	wait, _ := time.ParseDuration(r.URL.Query().Get("wait"))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	type one struct {
		Counter uint64 `json:"counter"`
		JWS     string `json:"jws"`
	}
	for {
		list := []one{}
		a.mu.Lock()
		for n := after + 1; n <= a.counter; n++ {
			list = append(list, one{n, a.commands[n]})
		}
		asked := a.asked
		a.mu.Unlock()
		if len(list) == 0 {
			select {
			case <-asked:
				continue
			case <-timer.C:
			case <-r.Context().Done():
				return
			}
		}
		answerWith(w, map[string]any{"commands": list})
		return
	}
}

// pull assigns text and asks the gateway to pull it; digest is what the command
// says. It returns the command's id.
func (a *assigner) pull(text []byte, digest string) string {
	a.t.Helper()
	waitUntil(a.t, "gateway that is online", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.status.Online })
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	c := command.Claims{
		Audience: "school-12/main", ID: uuid.Must(uuid.NewV7()).String(), Counter: a.counter + 1, Challenge: a.status.Challenge,
		Issued: now.Unix(), Expires: now.Add(time.Hour).Unix(), Verb: command.ConfigPull, Who: "operator-7", Digest: digest,
	}
	compact, err := a.signer.Sign(c)
	if err != nil {
		a.t.Error(err)
		return ""
	}
	a.counter++
	a.text = text
	a.commands[a.counter] = compact
	close(a.asked)
	a.asked = make(chan struct{})
	return c.ID
}

// heard waits for an event of a type about a command.
func (a *assigner) heard(typ alert.Type, id string) (found alert.Event) {
	a.t.Helper()
	waitUntil(a.t, string(typ)+" about "+id, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		i := slices.IndexFunc(a.events, func(e alert.Event) bool { return e.Type == typ && e.Command == id })
		if i >= 0 {
			found = a.events[i]
		}
		return i >= 0
	})
	return found
}

// configure writes a configuration with a central link to a.
func (a *assigner) configure(t *testing.T, dir string) (path string, text []byte) {
	t.Helper()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, _ = writeConfig(t, dir, []string{"a"}, "[central]\nurl = \""+a.server.URL+"\"\ntoken_file = \""+token+"\"\n"+a.signer.Public().TOML())
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, text
}

// TestAConfigurationIsPulled runs the real binary: the command comes over the
// central link, the process ends by itself, and the next start uses what was
// assigned and says so.
func TestAConfigurationIsPulled(t *testing.T) {
	a := newAssigner(t)
	dir := t.TempDir()
	path, own := a.configure(t, dir)
	p := start(t, path, dir)
	next := []byte(strings.Replace(string(own), `en = "School"`, `en = "Lyceum"`, 1))
	id := a.pull(next, digest(next))
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			t.Fatalf("the process ended with %v\n%s", err, p.log)
		}
	case <-time.After(patience):
		t.Fatalf("the process goes on\n%s", p.log)
	}
	a.mu.Lock()
	a.status = event.Status{}
	a.mu.Unlock()
	p = start(t, path, dir)
	a.heard(alert.CommandAccepted, id)
	if e := a.heard(alert.ConfigApplied, id); !strings.Contains(e.Detail, digest(next)) {
		t.Errorf("applied: %+v", e)
	}
	p.waitFor(t, "status that says so", func(s control.Status) bool { return s.Assigned == digest(next) })
	if !strings.Contains(p.log.String(), "the configuration that dispatch assigned is in use") {
		t.Errorf("the log does not say so\n%s", p.log)
	}
	p.stop(t)
}

func TestABadConfigurationIsRefused(t *testing.T) {
	a := newAssigner(t)
	c := &commanded{t: t, dir: t.TempDir(), signer: a.signer, ended: make(chan error, 1)}
	path, text := a.configure(t, c.dir)
	own, p, err := choose(path, newLog(10))
	if err != nil {
		t.Fatal(err)
	}
	c.run(own, p)
	swap := func(old, with string) []byte { return []byte(strings.Replace(string(text), old, with, 1)) }
	mistakes := swap("[web]", "colour = 1\n[web]\nvoice = true")
	_, wrong := config.Parse("x", mistakes)
	for name, tt := range map[string]struct {
		text   []byte
		digest string
		want   command.Reason
		detail string
	}{
		"nothing assigned":  {nil, digest(text), command.ConfigUnreachable, "none"},
		"another file":      {text, digest([]byte("x")), command.Digest, digest(text)},
		"mistakes":          {mistakes, digest(mistakes), command.ConfigBad, "voice"},
		"another gateway":   {swap(`gateway = "main"`, `gateway = "annex"`), "", command.ConfigBad, "school-12/annex"},
		"another directory": {swap(`data_dir = "`, `data_dir = "/other`), "", command.ConfigBad, "data_dir"},
		"no key":            {text[:strings.Index(string(text), "[[command_key]]")], "", command.ConfigBad, "command_key"},
		"no central link":   {swap("[central]", "[central]\nenabled = false"), "", command.ConfigBad, "central"},
	} {
		ok := t.Run(name, func(t *testing.T) {
			if tt.digest == "" {
				tt.digest = digest(tt.text)
			}
			a.t = t
			id := a.pull(tt.text, tt.digest)
			e := a.heard(alert.CommandRefused, id)
			if e.Fault != string(tt.want) || !strings.Contains(e.Detail, tt.detail) {
				t.Errorf("refused: %s: %s", e.Fault, e.Detail)
			}
			e = a.heard(alert.ConfigRefused, id)
			if !strings.Contains(e.Detail, tt.detail) {
				t.Errorf("config.refused: %s", e.Detail)
			}
			if name == "mistakes" {
				for _, line := range strings.Split(wrong.Error(), "\n") {
					if _, what, _ := strings.Cut(line, ": "); !strings.Contains(e.Detail, what) {
						t.Errorf("a mistake is not told: %s", what)
					}
				}
			}
			if _, err := os.Stat(filepath.Join(c.dir, pulledFile)); err == nil {
				t.Error("it was kept")
			}
		})
		if !ok {
			return // the gateway may have ended to start anew
		}
	}
	a.t = t
	c.press("a")
	if e := a.heard(alert.CommandRefused, a.pull(text, digest(text))); e.Fault != string(command.NotDone) {
		t.Errorf("while an alert is open: %+v", e)
	}
}

func TestWithoutACentralLinkNothingIsPulled(t *testing.T) {
	c := startCommanded(t, true)
	e := c.order(command.ConfigPull, func(cl *command.Claims) { cl.Digest = digest(nil) })
	if e.Type != alert.CommandRefused || e.Fault != string(command.NoCentral) {
		t.Errorf("got %+v", e)
	}
	c.event("config.refused", func(e alert.Event) bool {
		return e.Type == alert.ConfigRefused && e.Fault == string(command.NoCentral)
	})
}
