// Package web serves the pages of the gateway: lobby monitors, the staff
// console and, over a simulated board, the wall.
//
// Guarantees: a quiet alert (alert.LevelHelp) never leaves the gateway towards
// a lobby screen, neither as content nor as a sign that something changed; the
// console shows nothing without the staff PIN; a decision is reported as done
// only after Desk returned, which is after it was committed; a page whose link
// is dead says so within 5 s and claims nothing.
package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/pin"
	"nabat/gateway/web/screens"
	"nabat/gateway/web/slides"
	"nabat/gateway/web/staff"
	"nabat/gateway/words"
)

// Source tells what is so now. Both methods are called from many goroutines.
type Source interface {
	// View returns the view of this moment; nobody changes it afterwards.
	View() *alert.View
	// Changed returns a channel that is closed at the next change. Take the
	// channel first, then View, and no change is missed.
	Changed() <-chan struct{}
}

// Desk takes the decisions of people. Its methods return nil only after the
// decision was committed to the journal; an error that wraps
// alert.ErrNotDurable when it holds but is in memory only; the context's error
// when that is not known in time; and any other error when a Clear has no
// effect. What stands in the way of a drill is an alert.ErrRealAlert,
// alert.ErrDrillRuns, alert.ErrNoDrill or alert.ErrDrill. They are called from many goroutines and must respect ctx.
type Desk interface {
	Acknowledge(ctx context.Context, d alert.Decision) error
	Clear(ctx context.Context, d alert.Decision) error
	// StartDrill raises an alert that is an exercise; EndDrill ends those of a
	// kind and place.
	StartDrill(ctx context.Context, d alert.Drill) error
	EndDrill(ctx context.Context, d alert.Drill) error
	// Announce shows a text and says it where n has zones; EndAnnouncement ends
	// the one whose id is d.Alert before its time. A refused one is an
	// alert.ErrNotice, one that does not stand an alert.ErrNoNotice.
	Announce(ctx context.Context, n alert.Notice) error
	EndAnnouncement(ctx context.Context, d alert.Decision) error
}

// PA tells what the loudspeakers say now. Both methods are called from many
// goroutines.
type PA interface {
	// Sounding returns what each zone says at this moment, or would say if it
	// had loudspeakers; a zone that is silent is left out.
	Sounding() []alert.Sounding
	// Changed returns a channel that is closed at the next change of Sounding.
	Changed() <-chan struct{}
}

// Wall is a simulated board: buttons that a page may press. It exists in
// demonstrations and tests only. All methods are called from many goroutines.
type Wall interface {
	Press(point string) error
	Release(point string) error
	// Tamper opens or closes a button's housing.
	Tamper(point string, open bool) error
	// Unplug cuts or mends the cable of a button or lamp.
	Unplug(point string, out bool) error
	// Points returns what every button and lamp does now.
	Points() []WallPoint
	// Changed is closed at the next change of Points.
	Changed() <-chan struct{}
}

// WallPoint is one simulated button or lamp.
type WallPoint struct {
	ID string `json:"id"`
	// On says that a button is pressed or a lamp is lit at this moment.
	On        bool `json:"on"`
	Tampered  bool `json:"tampered"`
	Unplugged bool `json:"unplugged"`
}

// Options are what a Server needs. Site, Source and Now must be set; anything
// else that is zero is left out.
type Options struct {
	Site   *alert.Site
	Source Source
	// Now stamps this moment, with the same clock as the view's stamps.
	Now  func() alert.Stamp
	Desk Desk
	// Health is shown on the console and decides /healthz.
	Health *health.Registry
	// Stats returns the figures of this moment; it must not block.
	Stats func() Stats
	Wall  Wall
	// Pictures are shown on the wall's page; nil where no display is simulated.
	Pictures Pictures
	// Timetable tells the bells that lobby screens show; nil for none.
	Timetable Timetable
	// Slides is the absolute path of the directory of information slides for
	// the lobby screens (package slides); empty for none.
	Slides string
	// SlideFor is how long one slide stands, at least 3 s; zero means 15 s.
	SlideFor time.Duration
	// ClockSure reports whether a clock that the kernel does not hold for
	// synchronised is right all the same, as that of a machine with a battery
	// clock. Without a sure clock, screens show neither time nor bells. It is
	// called once a second; nil means no.
	ClockSure func(now alert.Stamp) bool
	// PA is shown on the console and on the wall; nil where nothing speaks.
	PA PA
	// Hosts are further names, without a port, that browsers reach the gateway
	// by; an international one as they send it (xn--). Addresses, names of one
	// label and names in .local need no entry.
	Hosts []string
	// PINHash is the staff PIN as package pin wrote it. Without one the
	// console stays closed and the condition "console-without-pin" is set.
	PINHash string
	// MetricsToken opens /metrics to a bearer of it; without one /metrics
	// answers on loopback only.
	MetricsToken string
	// Metrics appends the metrics of other rooms, in the Prometheus text format.
	Metrics func(io.Writer)
	Log     *slog.Logger
}

// ErrOptions is wrapped by New's refusals.
var ErrOptions = errors.New("incomplete web options")

// Names of the conditions that this room sets.
const (
	conditionNoPIN    = "console-without-pin"
	conditionGuessing = "pin-guessing"
)

// Server serves the pages. It starts nothing until Serve is called.
type Server struct {
	opt      Options
	log      *slog.Logger
	session  string // of this process: part of every stream's event ids
	peers    int    // connections of one listener
	assets   *assets
	hosts    map[string]bool // never changed after New
	gate     *staff.Gate     // nil without a PIN
	sessions staff.Sessions
	streams  streams
	screens  *screens.Watch
	counters counters
	daytime  daytime
	everyday everyday
	shared   shared
	shelf    *slides.Shelf                  // nil without slides
	codes    []*qrCode                      // of the site's helplines; never changed after New
	words    map[alert.Language]words.Words // never changed after New
	handler  http.Handler
}

type counters struct {
	right, wrong, locked             atomic.Uint64
	acknowledged, cleared, notSaved  atomic.Uint64
	drillsStarted, drillsEnded       atomic.Uint64
	announced, silenced              atomic.Uint64
	proofs, proofsRefused            atomic.Uint64
	streamsRefused, streamsGivenAway atomic.Uint64
}

// New checks the options and builds the pages.
func New(opt Options) (*Server, error) {
	if opt.Site == nil || opt.Source == nil || opt.Now == nil {
		return nil, fmt.Errorf("set Site, Source and Now: %w", ErrOptions)
	}
	s := &Server{opt: opt, log: opt.Log, peers: maxPeers, hosts: make(map[string]bool), words: make(map[alert.Language]words.Words)}
	s.screens = screens.New(screens.Options{Site: opt.Site, Health: opt.Health})
	for _, name := range opt.Hosts {
		s.hosts[plainName(name)] = true
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var id [6]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("read random session id: %w", err)
	}
	s.session = hex.EncodeToString(id[:])
	for _, l := range alert.Languages() {
		s.words[l] = words.In(l)
	}
	if opt.PINHash == "" {
		opt.Health.Set(conditionNoPIN, "no staff PIN is configured, so the console stays closed; set one and restart")
	} else {
		hash, err := pin.Parse(opt.PINHash)
		if err != nil {
			return nil, fmt.Errorf("staff PIN: %w", err)
		}
		if s.gate, err = staff.NewGate(hash); err != nil {
			return nil, fmt.Errorf("staff PIN: %w", err)
		}
		opt.Health.Clear(conditionNoPIN)
	}
	var err error
	if s.assets, err = newAssets(); err != nil {
		return nil, err
	}
	s.makeCodes()
	if opt.Slides != "" {
		s.shelf = slides.New(opt.Slides, opt.Health)
	}
	s.lookAtTheDay()
	s.handler = s.protect(s.routes())
	return s, nil
}

// Handler returns everything that the server serves.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("GET /static/{version}/{file...}", s.assets.serve)
	mux.HandleFunc("GET /lobby", s.lobbyPage)
	mux.HandleFunc("GET "+slidesPath+"{hash}/{file}", s.slide)
	mux.HandleFunc("GET /console", s.consolePage)
	mux.HandleFunc("POST /console/login", s.login)
	mux.HandleFunc("POST /console/logout", s.logout)
	mux.HandleFunc("GET /api/v1/state", s.state)
	mux.HandleFunc("GET /api/v1/events", s.events)
	mux.HandleFunc("POST /api/v1/alerts/{id}/acknowledge", s.acknowledge)
	mux.HandleFunc("POST /api/v1/alerts/{id}/clear", s.clear)
	mux.HandleFunc("POST /api/v1/drills/start", s.startDrill)
	mux.HandleFunc("POST /api/v1/drills/end", s.endDrill)
	mux.HandleFunc("POST /api/v1/announcements", s.announce)
	mux.HandleFunc("POST /api/v1/announcements/{id}/end", s.endAnnouncement)
	mux.HandleFunc("POST /api/v1/screens/{id}/heartbeat", s.heartbeat)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /metrics", s.metrics)
	if s.opt.Wall != nil {
		mux.HandleFunc("GET /wall", s.wallPage)
		mux.HandleFunc("POST /api/v1/wall/{point}/{action}", s.wallAct)
		if s.opt.Pictures != nil {
			mux.HandleFunc("GET /api/v1/wall/displays", s.wallDisplays)
			mux.HandleFunc("GET /api/v1/wall/displays/{file}", s.wallDisplay)
		}
	}
	return mux
}
