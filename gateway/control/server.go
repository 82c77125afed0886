package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/seats"
)

// Presser presses simulated buttons. Press returns when the button is released
// again, which is hold after it was pressed, or a moment for a hold of 0; when
// ctx ends before that, it releases at once and returns ctx's error. It is
// called from several goroutines. Its errors need not name the button: the
// client does. One about a button that does not exist wraps ErrUnknownPoint, one
// about a press that is not on disk yet wraps ErrNotSaved.
type Presser interface {
	Press(ctx context.Context, point string, hold time.Duration) error
}

// Options are what a Server needs. Path and Status are required.
type Options struct {
	// Path of the socket; SocketName in the data directory.
	Path string
	// Status is called for each request, from several goroutines.
	Status func() Status
	// Presser is nil on a real board; then presses are refused.
	Presser Presser
	// Announcer and Site are both set, or nothing is announced.
	Announcer Announcer
	Site      *alert.Site
	// Speakers returns how many loudspeakers a zone has; nil means none anywhere.
	Speakers func(zone string) int
	// Sounding returns what each zone says at this moment; nil means nothing.
	Sounding func() []alert.Sounding
	Log      *slog.Logger
}

// Bounds that keep a careless or stuck peer from hurting the gateway.
const (
	maxPeers   = 16
	maxPresses = 8
	readLimit  = 5 * time.Second
	idleLimit  = 10 * time.Second
	writeLimit = LongestHold + 10*time.Second
	stopLimit  = time.Second
)

// Server answers the local commands.
type Server struct {
	opt       Options
	presses   chan struct{} // one element per press under way
	readLimit time.Duration // for a whole request to arrive
}

// NewServer returns a Server. It starts nothing.
func NewServer(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{opt: o, presses: make(chan struct{}, maxPresses), readLimit: readLimit}
}

// Run listens at the socket and answers until ctx ends; presses under way are
// then released. It fails when the socket cannot be made, with ErrRunning when
// another gateway answers there.
func (s *Server) Run(ctx context.Context) error {
	l, err := listen(ctx, s.opt.Path)
	if err != nil {
		return err
	}
	defer l.remove()
	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: s.readLimit, // a ReadTimeout would also end presses that are held
		WriteTimeout:      writeLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxRequest,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(seats.Listen(l, maxPeers)) }()
	select {
	case err := <-served:
		_ = srv.Close()
		return fmt.Errorf("serve control socket %s: %w", s.opt.Path, err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	if err := srv.Shutdown(limit); err != nil {
		_ = srv.Close() // a peer that does not read its answer has lost it
	}
	<-served
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, http.StatusOK, s.opt.Status())
	})
	mux.HandleFunc("POST /v1/press", s.press)
	mux.HandleFunc("POST /v1/announce", s.announce)
	mux.HandleFunc("POST /v1/announce/end", s.endAnnouncement)
	return mux
}

func (s *Server) press(w http.ResponseWriter, r *http.Request) {
	if s.opt.Presser == nil {
		s.refuse(w, ErrRealBoard)
		return
	}
	conn := http.NewResponseController(w)
	if err := conn.SetReadDeadline(time.Now().Add(s.readLimit)); err != nil {
		s.refuse(w, err)
		return
	}
	p, err := decodePress(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		s.refuse(w, err)
		return
	}
	// From here on a read only notices that the peer has gone.
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		s.refuse(w, err)
		return
	}
	select {
	case s.presses <- struct{}{}:
		defer func() { <-s.presses }()
	default:
		s.refuse(w, errBusy)
		return
	}
	err = s.opt.Presser.Press(r.Context(), p.Point, p.hold())
	if err == nil || errors.Is(err, ErrNotSaved) {
		s.opt.Log.Info("pressed by command", "point", p.Point, "hold", p.hold(), "saved", err == nil)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) refuse(w http.ResponseWriter, err error) {
	status, code := http.StatusInternalServerError, codeFailed
	switch {
	case errors.Is(err, ErrRealBoard):
		status, code = http.StatusConflict, codeRealBoard
	case errors.Is(err, ErrUnknownPoint):
		status, code = http.StatusNotFound, codeUnknownPoint
	case errors.Is(err, ErrNotSaved):
		status, code = http.StatusGatewayTimeout, codeNotSaved
	case errors.Is(err, errRequest):
		status, code = http.StatusBadRequest, codeRequest
	case errors.Is(err, errNoAnnouncer):
		status, code = http.StatusNotImplemented, codeFailed
	case errors.Is(err, alert.ErrNotice):
		status, code = http.StatusBadRequest, codeRequest
	case errors.Is(err, alert.ErrNoNotice):
		status, code = http.StatusNotFound, codeNoNotice
	case errors.Is(err, errBusy):
		status, code = http.StatusServiceUnavailable, codeBusy
	}
	s.answer(w, status, failure{Code: code, Error: err.Error()})
}

func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		s.opt.Log.Error("answer at the control socket", "error", err)
		status, b = http.StatusInternalServerError, []byte(`{"code":"failed","error":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the peer may have gone
}
