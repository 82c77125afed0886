package gate

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// linkName is how the store calls what comes through the gate.
const linkName = "http"

// Intake commits what arrives; *intake.Intake is one.
type Intake interface {
	// Submit returns after the commit. An error means that nothing may be
	// claimed of the arrivals; it wraps intake.ErrBusy where too much waits.
	Submit(ctx context.Context, list []store.Arrival) ([]store.Receipt, []store.Refusal, error)
}

// Store is what the gate asks of the database; *store.Store is one. Its methods
// may be called from any goroutine.
type Store interface {
	Authenticate(ctx context.Context, g store.Gateway, token string) error
	ByCertificate(ctx context.Context, name string) (store.Gateway, error)
	Heard(ctx context.Context, w store.Word) (store.Heard, error)
	ReceiptOf(ctx context.Context, g store.Gateway, epoch string) (event.Receipt, error)
	Commands(ctx context.Context, g store.Gateway, after uint64) ([]store.Command, error)
	Reissue(ctx context.Context, g store.Gateway, before time.Time, sign store.Signer) ([]store.Command, error)
	Config(ctx context.Context, g store.Gateway) (string, error)
	Changed(t store.Topic) <-chan struct{}
}

// Options says who is behind the gate. Intake, Store and Signer are needed.
type Options struct {
	Intake Intake
	Store  Store
	// Signer signs commands anew for a gateway that has come back.
	Signer store.Signer
	Log    *slog.Logger
	// Now is the clock; nil means time.Now.
	Now    func() time.Time
	Limits Limits
}

// Limits bound what gateways may ask. Zero means the default beside it.
type Limits struct {
	// Rate and Burst are requests of one gateway: 50 a second, 200 at once.
	Rate  float64
	Burst int
	// Batches is how many batches are read at a time, of all gateways: 16.
	Batches int
	// OfOne is how many of them one gateway may send: 3, one for each of its two
	// lanes and one whose connection died unseen.
	OfOne int
	// Patience is how long a batch waits for its turn: 5 s.
	Patience time.Duration
	// Arrival is how long a request's body may take to arrive: 60 s.
	Arrival time.Duration
	// Poll is how often a waiting poll looks without being woken: 5 s.
	Poll time.Duration
}

// maxWait is the longest that a poll for commands waits.
const maxWait = 60 * time.Second

func (l Limits) withDefaults() Limits {
	if l.Rate <= 0 {
		l.Rate = 50
	}
	if l.Burst <= 0 {
		l.Burst = 200
	}
	if l.Batches <= 0 {
		l.Batches = 16
	}
	if l.OfOne <= 0 {
		l.OfOne = 3
	}
	if l.Patience <= 0 {
		l.Patience = 5 * time.Second
	}
	if l.Arrival <= 0 {
		l.Arrival = time.Minute
	}
	if l.Poll <= 0 {
		l.Poll = 5 * time.Second
	}
	return l
}

// Gate is the http.Handler of everything below /v1/. It keeps no goroutine.
type Gate struct {
	o     Options
	l     Limits
	mux   *http.ServeMux
	turns chan struct{} // holds one token for each batch that is being read
	crowd crowd
}

// New returns a gate. It starts nothing.
func New(o Options) *Gate {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Gate{o: o, l: o.Limits.withDefaults(), mux: http.NewServeMux()}
	g.turns = make(chan struct{}, g.l.Batches)
	g.crowd.init(g.l)
	const base = "/v1/sites/{site}/gateways/{gateway}/"
	g.mux.HandleFunc("POST "+base+"events", g.known(g.events))
	g.mux.HandleFunc("POST "+base+"status", g.known(g.status))
	g.mux.HandleFunc("GET "+base+"commands", g.known(g.commands))
	g.mux.HandleFunc("GET "+base+"config", g.known(g.config))
	g.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		for method := range map[string]bool{http.MethodGet: true, http.MethodPost: true} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := g.mux.Handler(other); method != r.Method && pattern != "/" {
				w.Header().Set("Allow", method)
				refuse(w, http.StatusMethodNotAllowed, "this resource takes "+method)
				return
			}
		}
		refuse(w, http.StatusNotFound, "there is nothing at this address")
	})
	return g
}

// ServeHTTP implements http.Handler.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	g.mux.ServeHTTP(w, r)
}
