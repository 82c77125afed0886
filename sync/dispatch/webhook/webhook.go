// Package webhook tells a city's own system of every change of an alert: one
// signed POST of JSON for each event about it.
//
// Delivery is at least once and, for one alert, in order: what was not answered
// with success is sent again with the same id, and what follows it waits. The
// queue is the store's outbox, written in the event's own transaction, so that
// neither a crash nor a receiver that is away loses anything.
//
// Each request bears three headers: Nabat-Id, which stays the same when it is
// sent again; Nabat-Timestamp, in seconds since 1970; and Nabat-Signature,
// "v1=" and the hexadecimal HMAC-SHA256 of "ID.TIMESTAMP.BODY" with the shared
// secret. A receiver checks the signature, refuses old timestamps, and takes an
// id that it knows for done.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"nabat/sync/dispatch/store"
)

// Bounds of delivery.
const (
	atOnce     = 8
	firstPause = 5 * time.Second
	lastPause  = time.Hour
	// refusedOften and failedOften are the attempts after which a message is
	// given up: ten where the receiver says that it is wrong, and eight days
	// where it does not answer.
	refusedOften = 10
	failedOften  = 200
	look         = 5 * time.Second // how often the outbox is looked at without a bell
	shortest     = 16              // bytes of a secret
)

// ErrOptions is wrapped by New's refusals.
var ErrOptions = errors.New("unusable webhook")

// Outbox is what waits for receivers; *store.Store is one.
type Outbox interface {
	Claim(ctx context.Context, webhook string, lease time.Duration, limit int) ([]store.Outgoing, error)
	Done(ctx context.Context, ids ...int64) error
	Failed(ctx context.Context, id int64, reason string, again time.Time) error
	Changed(t store.Topic) <-chan struct{}
}

// Options says whom to tell. Name, URL, Secret and Outbox are needed.
type Options struct {
	// Name is the receiver's name in the outbox.
	Name string
	// URL is https, or http to this machine where AllowPrivate permits it.
	URL string
	// Secret signs; the receiver has the same.
	Secret []byte
	// AllowPrivate permits addresses of this machine and of private networks.
	// Without it a name that leads there is refused at each connection, so that
	// whoever may change a name cannot reach what stands behind our firewall.
	AllowPrivate bool
	// TLS may be nil.
	TLS    *tls.Config
	Outbox Outbox
	// Link returns where an alert can be fetched as CAP 1.2 XML, with an
	// account; nil leaves it out.
	Link func(g store.Gateway, alertID string) string
	// Timeout bounds one request; zero means 10 s.
	Timeout time.Duration
	Now     func() time.Time
	Log     *slog.Logger
}

// Message is the body of a request.
type Message struct {
	// ID is the same each time the message is sent.
	ID      string `json:"id"`
	Site    string `json:"site"`
	Gateway string `json:"gateway"`
	Alert   string `json:"alert"`
	// Stored is when dispatch stored the event.
	Stored time.Time `json:"stored"`
	// Event is the CloudEvents form as the gateway sent it.
	Event json.RawMessage `json:"event"`
	// CAP is where the alert can be fetched as CAP 1.2 XML.
	CAP string `json:"cap,omitempty"`
}

// Webhook tells one receiver.
type Webhook struct {
	o      Options
	client *http.Client
	sent   atomic.Uint64
	failed atomic.Uint64
}

// New checks the options. It starts nothing.
func New(o Options) (*Webhook, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return nil, fmt.Errorf("webhook %q: %w: write https://city.example/path", o.Name, ErrOptions)
	case u.User != nil:
		return nil, fmt.Errorf("webhook %q: %w: the address must not hold user or password", o.Name, ErrOptions)
	case u.Scheme == "http" && (!o.AllowPrivate || !ofThisMachine(u.Hostname())):
		return nil, fmt.Errorf("webhook %q: %w: without TLS everyone on the way reads it; use https, or allow a loopback address", o.Name, ErrOptions)
	case len(o.Secret) < shortest:
		return nil, fmt.Errorf("webhook %q: %w: the secret needs at least %d bytes", o.Name, ErrOptions, shortest)
	case o.Name == "" || o.Outbox == nil:
		return nil, fmt.Errorf("webhook: %w: name and outbox are needed", ErrOptions)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Webhook{o: o, client: newClient(o)}, nil
}

// Sent counts the requests that succeeded.
func (w *Webhook) Sent() uint64 { return w.sent.Load() }

// Failed counts the requests that did not succeed.
func (w *Webhook) Failed() uint64 { return w.failed.Load() }

// Name returns the receiver's name.
func (w *Webhook) Name() string { return w.o.Name }

// Run tells the receiver what waits, until ctx ends, and returns nil.
func (w *Webhook) Run(ctx context.Context) error {
	defer w.client.CloseIdleConnections()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		changed := w.o.Outbox.Changed(store.OutboxChanged)
		for w.round(ctx) {
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-ticker.C:
		}
	}
}

// round sends what can be sent at once, and reports whether there may be more.
func (w *Webhook) round(ctx context.Context) bool {
	list, err := w.o.Outbox.Claim(ctx, w.o.Name, 3*w.o.Timeout, atOnce)
	if err != nil {
		if ctx.Err() == nil {
			w.o.Log.Warn("the outbox cannot be read", "webhook", w.o.Name, "error", err)
		}
		return false
	}
	var wg sync.WaitGroup
	var done atomic.Bool
	for _, out := range list {
		wg.Go(func() {
			if w.deliver(ctx, out) {
				done.Store(true)
			}
		})
	}
	wg.Wait()
	// Of one alert only the oldest is handed out: more may have been behind it.
	return done.Load() && ctx.Err() == nil
}

// deliver sends one message and notes how that ended.
func (w *Webhook) deliver(ctx context.Context, out store.Outgoing) bool {
	after, refused, err := w.post(ctx, out)
	if ctx.Err() != nil {
		return false // it is claimed again when the lease has ended
	}
	if err == nil {
		w.sent.Add(1)
		if err := w.o.Outbox.Done(ctx, out.ID); err != nil {
			w.o.Log.Warn("a webhook was called, but that could not be noted; it will be called again", "webhook", w.o.Name, "error", err)
			return false
		}
		return true
	}
	w.failed.Add(1)
	again := w.o.Now().Add(max(after, pause(out.Attempts)))
	if out.Attempts+1 >= failedOften || (refused && out.Attempts+1 >= refusedOften) {
		again = time.Time{}
		w.o.Log.Error("a webhook was given up", "webhook", w.o.Name, "id", out.ID, "attempts", out.Attempts+1, "error", err)
	} else {
		w.o.Log.Warn("a webhook could not be called", "webhook", w.o.Name, "id", out.ID, "again", again, "error", err)
	}
	if err := w.o.Outbox.Failed(ctx, out.ID, err.Error(), again); err != nil {
		w.o.Log.Warn("an attempt could not be noted", "webhook", w.o.Name, "error", err)
	}
	return false
}

// pause grows with the attempts and is never the same for two messages.
func pause(attempts int) time.Duration {
	d := lastPause
	if attempts < 16 {
		d = min(firstPause<<attempts, lastPause)
	}
	n, _ := rand.Int(rand.Reader, big.NewInt(int64(d/2))) // never fails: it ends the process instead
	return d/2 + time.Duration(n.Int64())
}

// body returns the message of an outbox row.
func (w *Webhook) body(out store.Outgoing) ([]byte, error) {
	m := Message{
		ID: strconv.FormatInt(out.ID, 10), Site: out.Gateway.Site, Gateway: out.Gateway.ID,
		Alert: out.Alert, Stored: out.Stored.UTC(), Event: out.Event,
	}
	if w.o.Link != nil && out.Alert != "" {
		m.CAP = w.o.Link(out.Gateway, out.Alert)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write the message: %w", err)
	}
	return b, nil
}

// Sign returns the signature of a request, for the header Nabat-Signature.
func Sign(secret []byte, id, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, secret)
	for _, part := range []string{id, ".", timestamp, "."} {
		_, _ = h.Write([]byte(part)) // a hash takes everything
	}
	_, _ = h.Write(body)
	return "v1=" + hex.EncodeToString(h.Sum(nil))
}
