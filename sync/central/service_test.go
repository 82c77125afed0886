package central

import (
	"compress/gzip"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

const (
	testToken = "t0ken-of-the-gateway"
	testPath  = "/v1/sites/school-12/gateways/main"
)

// service is an honest central service in memory, which can be told to
// misbehave. Its methods may be called from any goroutine.
type service struct {
	t      testing.TB
	server *httptest.Server
	ca     *brokertest.Authority

	mu       sync.Mutex // guards the fields below
	pair     tls.Certificate
	before   func(http.ResponseWriter, *http.Request) bool // answers in the service's place
	refuse   func(event.Event) string                      // a row that is rejected, by reason
	unfit    func([]byte, []event.Event) (int, string)     // a whole batch that is refused
	stored   map[alert.Ref][32]byte
	order    []event.Event // first arrivals
	status   []event.Status
	commands []string
	polls    int
	posts    int
	zipped   int
	wrong    []string
}

func newService(t testing.TB, valid [2]time.Time) *service {
	t.Helper()
	s := &service{t: t, ca: brokertest.NewAuthority(t), stored: make(map[alert.Ref][32]byte)}
	s.server = httptest.NewUnstartedServer(s)
	s.renew(valid)
	s.server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return &tls.Config{Certificates: []tls.Certificate{s.pair}}, nil
	}}
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

// renew gives the service another certificate.
func (s *service) renew(valid [2]time.Time) {
	s.t.Helper()
	cert, key := s.ca.Issue(s.t, "127.0.0.1", valid)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pair = pair
}

// misbehave sets what answers in the service's place; nil ends it.
func (s *service) misbehave(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+testToken {
		answerJSON(w, http.StatusUnauthorized, `{"error":"who are you?"}`)
		return
	}
	switch r.URL.Path {
	case testPath + "/events":
		s.events(w, r)
	case testPath + "/status":
		s.takeStatus(w, r)
	case testPath + "/commands":
		s.poll(w, r)
	case testPath + "/config":
		w.WriteHeader(http.StatusNoContent)
	default:
		answerJSON(w, http.StatusNotFound, `{"error":"no such gateway"}`)
	}
}

func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (s *service) note(what string) {
	s.wrong = append(s.wrong, what)
}

func (s *service) events(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	zipped := r.Header.Get("Content-Encoding") == "gzip"
	if zipped {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return // cut off
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts++
	if zipped {
		s.zipped++
	}
	list, err := event.DecodeBatch(b)
	if err != nil || len(list) == 0 || r.Header.Get("Content-Type") != event.BatchType {
		s.note("not a batch: " + string(b[:min(len(b), 200)]))
		return
	}
	var events []event.Event
	for _, raw := range list {
		e, err := event.Decode(raw)
		if err != nil {
			s.note(err.Error())
			return
		}
		if e.Ref.Epoch != events0(events, e).Ref.Epoch {
			s.note("two epochs in a batch")
		}
		events = append(events, e)
	}
	if s.unfit != nil {
		if status, why := s.unfit(b, events); status != 0 {
			text, _ := json.Marshal(map[string]string{"error": why})
			answerJSON(w, status, string(text))
			return
		}
	}
	reply := event.Reply{Epoch: events[0].Ref.Epoch, Rejected: []event.Rejection{}}
	for i, e := range events {
		if s.refuse != nil {
			if why := s.refuse(e); why != "" {
				reply.Rejected = append(reply.Rejected, event.Rejection{ID: e.ID(), Reason: why})
				continue
			}
		}
		sum := sha256.Sum256(list[i])
		if old, ok := s.stored[e.Ref]; ok && old != sum {
			s.note("the same id with other bytes: " + e.ID())
		} else if !ok {
			s.order = append(s.order, e)
		}
		s.stored[e.Ref] = sum
		reply.Above = append(reply.Above, e.Ref.Seq)
	}
	slices.Sort(reply.Above)
	text, _ := json.Marshal(reply)
	answerJSON(w, http.StatusOK, string(text))
}

func events0(events []event.Event, e event.Event) event.Event {
	if len(events) > 0 {
		return events[0]
	}
	return e
}

func (s *service) takeStatus(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	st, err := event.DecodeStatus(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.note(err.Error())
	}
	s.status = append(s.status, st)
	receipts := []json.RawMessage{}
	if n := s.mark(st.Epoch); n > 0 {
		receipts = append(receipts, event.Receipt{Epoch: st.Epoch, Through: n}.Encode())
	}
	text, _ := json.Marshal(map[string]any{"receipts": receipts})
	answerJSON(w, http.StatusOK, string(text))
}

// mark returns the number up to which every event of an epoch is stored. s.mu
// is held.
func (s *service) mark(epoch string) uint64 {
	for n := uint64(0); ; n++ {
		if _, ok := s.stored[alert.Ref{Epoch: epoch, Seq: n + 1}]; !ok {
			return n
		}
	}
}

func (s *service) poll(w http.ResponseWriter, r *http.Request) {
	wait, err := time.ParseDuration(r.URL.Query().Get("wait"))
	after, errAfter := strconv.Atoi(r.URL.Query().Get("after"))
	s.mu.Lock()
	s.polls++
	if err != nil || errAfter != nil {
		s.note("a poll that cannot be read: " + r.URL.RawQuery)
	}
	var list []map[string]any
	for i, c := range s.commands {
		if i+1 > after {
			list = append(list, map[string]any{"counter": i + 1, "jws": c})
		}
	}
	s.mu.Unlock()
	if len(list) == 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-r.Context().Done():
			return
		case <-timer.C:
		}
		list = []map[string]any{}
	}
	text, _ := json.Marshal(map[string]any{"commands": list})
	answerJSON(w, http.StatusOK, string(text))
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stored)
}

// complete waits until every event that the journal accepted is stored, but for
// those that were parked, and checks order and repetitions.
func (s *service) complete(g *gateway, parked int) {
	s.t.Helper()
	until(s.t, "every accepted event is stored", func() bool { return uint64(s.count()+parked) >= g.j.Stats().LastSeq })
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wrong {
		s.t.Error(w)
	}
	var last [2]uint64
	for _, e := range s.order {
		lane := journal.LaneOf(e.Type)
		if e.Ref.Seq <= last[lane] {
			s.t.Errorf("%s lane: %d came first after %d", lane, e.Ref.Seq, last[lane])
		}
		last[lane] = e.Ref.Seq
	}
}

// only lets a misbehaviour happen on one path, for the first n requests there;
// a negative n means always.
func only(path string, n int, f func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) bool {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, path) {
			return false
		}
		mu.Lock()
		if n == 0 {
			mu.Unlock()
			return false
		}
		n--
		mu.Unlock()
		f(w, r)
		return true
	}
}
