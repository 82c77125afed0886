// Package desk serves the operator's pages of the dispatch service.
//
// Guarantees: nothing is shown without a session of an enabled operator; every
// action is written to the audit log with who did it and from where; an alert
// counts as taken when this service has stored so, and as known in the school
// only when the gateway has answered; a page whose link is dead says so within
// 5 s and claims nothing.
package desk

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"nabat/gateway/alert"
	"nabat/sync/dispatch/store"
)

// Options are what a Server needs. Store and Signer must be set; anything else
// that is zero has a default.
type Options struct {
	Store *store.Store
	// Signer signs the commands that operators give.
	Signer store.Signer
	// Name is what people call this dispatch service; Sender is its name in
	// CAP messages, such as dispatch.example.org.
	Name, Sender string
	// Language is what pages open in; zero means Russian.
	Language alert.Language
	// Zone is where the operators sit; nil means the machine's own.
	Zone *time.Location
	// Hosts are further names, without a port, that browsers reach the service
	// by. Addresses, names of one label and names in .local need no entry.
	Hosts []string
	// Insecure lets the session's cookie travel over plain HTTP. For loopback.
	Insecure bool
	// Demo is the operator whom everybody on this machine is, without a
	// password; empty for nobody. Callers from elsewhere have to log in.
	Demo string
	// Idle ends a session in which nobody did anything for so long, Lifetime
	// ends any; zero means 1 hour and 13 hours, a shift with its handover.
	Idle, Lifetime time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// ErrOptions is wrapped by New's refusals.
var ErrOptions = errors.New("incomplete desk options")

// Server serves the pages. It keeps no goroutine of its own: streams end with
// their requests.
type Server struct {
	opt      Options
	log      *slog.Logger
	now      func() time.Time
	process  string // random: part of every stream's event ids
	assets   *assets
	hosts    map[string]bool // never changed after New
	sessions *scs.SessionManager
	tries    *tries
	streams  streams
	board    board
	handler  http.Handler
}

// New checks the options and builds the pages. It starts nothing.
func New(opt Options) (*Server, error) {
	if opt.Store == nil || opt.Signer == nil {
		return nil, fmt.Errorf("set Store and Signer: %w", ErrOptions)
	}
	if opt.Language == "" {
		opt.Language = alert.Russian
	}
	if opt.Zone == nil {
		opt.Zone = time.Local
	}
	if opt.Idle <= 0 {
		opt.Idle = time.Hour
	}
	if opt.Lifetime <= 0 {
		opt.Lifetime = 13 * time.Hour
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Sender == "" {
		opt.Sender = "nabat-dispatch"
	}
	s := &Server{opt: opt, log: opt.Log, now: opt.Now, hosts: make(map[string]bool), tries: newTries(opt.Now)}
	for _, name := range opt.Hosts {
		s.hosts[plainName(name)] = true
	}
	var id [6]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("read random process id: %w", err)
	}
	s.process = hex.EncodeToString(id[:])
	var err error
	if s.assets, err = newAssets(); err != nil {
		return nil, err
	}
	s.sessions = s.newSessions()
	s.handler = s.protect(s.routes())
	return s, nil
}

// Handler returns everything that the server serves: /dispatch and all below.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /dispatch/static/{version}/{file...}", s.assets.serve)
	mux.HandleFunc("GET /dispatch/events", s.events)
	page := func(pattern string, h func(http.ResponseWriter, *http.Request, visitor)) {
		mux.Handle(pattern, s.withSession(s.known(h)))
	}
	admin := func(pattern string, h func(http.ResponseWriter, *http.Request, visitor)) {
		page(pattern, s.onlyAdmin(h))
	}
	mux.Handle("GET /dispatch/login", s.withSession(http.HandlerFunc(s.loginPage)))
	mux.Handle("POST /dispatch/login", s.withSession(http.HandlerFunc(s.login)))
	page("POST /dispatch/logout", s.logout)
	page("POST /dispatch/alive", s.alive)
	page("GET /dispatch", s.alertsPage)
	page("GET /dispatch/{$}", s.alertsPage)
	const one = "/dispatch/alerts/{site}/{gateway}/{id}"
	page("GET "+one, s.alertPage)
	page("GET "+one+"/cap", s.capMessage)
	page("POST "+one+"/{action}", s.act)
	page("GET /dispatch/gateways", s.gatewaysPage)
	const gateway = "/dispatch/gateways/{site}/{gateway}"
	page("GET "+gateway, s.gatewayPage)
	page("POST "+gateway+"/announce", s.announce)
	page("POST "+gateway+"/drill", s.drill)
	admin("POST "+gateway+"/config", s.config)
	page("GET /dispatch/history", s.historyPage)
	page("GET /dispatch/history.csv", s.historyCSV)
	admin("GET /dispatch/audit", s.auditPage)
	admin("GET /dispatch/audit.csv", s.auditCSV)
	admin("GET /dispatch/people", s.peoplePage)
	admin("POST /dispatch/operators", s.operators)
	admin("POST /dispatch/teams", s.teams)
	return mux
}

// audited writes down what a person did, with where from. The action itself
// has its own line where the store writes one; this one says the address.
func (s *Server) audited(ctx context.Context, v visitor, what, object, detail string) {
	if v.Address.IsValid() {
		detail = "from " + v.Address.String() + " " + detail
	}
	if err := s.opt.Store.Audit(ctx, v.Operator.ID, what, object, detail); err != nil {
		s.log.Error("the audit log could not be written", "what", what, "object", object, "error", err)
	}
}
