package subscriber

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// linkName is how the store calls what comes by MQTT.
const linkName = "mqtt"

// Bounds of what is on its way from the broker to the database.
const (
	queued     = 8192 // messages that wait; beyond it the broker waits
	group      = 500  // messages that one worker hands over at once
	workers    = 4
	retryAfter = time.Second // before messages are tried again that found the database busy
)

// Errors that acknowledgements are given.
var (
	// ErrEnded is given for messages that were not looked at any more.
	ErrEnded = errors.New("dispatch has stopped taking messages")
	errTopic = errors.New("topic and event name different gateways")
)

// Intake commits what arrives; *intake.Intake is one.
type Intake interface {
	// Submit returns after the commit. An error means that nothing may be
	// claimed of the arrivals.
	Submit(ctx context.Context, list []store.Arrival) ([]store.Receipt, []store.Refusal, error)
}

// Store is what MQTT asks of the database; *store.Store is one. Its methods may
// be called from any goroutine.
type Store interface {
	Heard(ctx context.Context, w store.Word) (store.Heard, error)
	Reissue(ctx context.Context, g store.Gateway, before time.Time, sign store.Signer) ([]store.Command, error)
	Unpublished(ctx context.Context, lease time.Duration, limit int) ([]store.Command, error)
	Published(ctx context.Context, g store.Gateway, id string, counter uint64) error
	Changed(t store.Topic) <-chan struct{}
}

// PostOptions says who is behind a Post. Intake, Store and Signer are needed.
type PostOptions struct {
	Intake Intake
	Store  Store
	// Signer signs commands anew for a gateway that has come back.
	Signer store.Signer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Post takes messages from a broker of any kind to the database, and receipts
// and commands to the broker. Its methods may be called from any goroutine.
type Post struct {
	o PostOptions
	// events has a queue for each worker. What one gateway sends goes through one
	// of them, so that it is stored in the order in which it came.
	events  [workers]lane
	words   lane
	refused atomic.Uint64
	out     outbox
}

// message is one message of a gateway that nobody has acknowledged yet.
type message struct {
	gateway  store.Gateway
	event    event.Event
	raw      []byte
	at       time.Time
	retained bool
	done     func(error)
}

// NewPost returns a post. It starts nothing: messages wait for Run.
func NewPost(o PostOptions) *Post {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Post{o: o, words: newLane(queued)}
	for i := range p.events {
		p.events[i] = newLane(queued / workers)
	}
	p.out.init()
	return p
}

// Refused counts the messages that were neither stored nor will be: unreadable,
// of an unknown gateway, or with another name in the event than in the topic.
func (p *Post) Refused() uint64 { return p.refused.Load() }

// Take takes over one message. done is called exactly once, from any goroutine:
// with nil when the message is stored for good, or never will be, so that it is
// to be acknowledged; with an error when it is to come again. Take waits while
// too much is on its way, until ctx ends.
func (p *Post) Take(ctx context.Context, topic string, payload []byte, retained bool, done func(error)) {
	g, kind, err := parseTopic(topic)
	m := message{gateway: g, raw: payload, at: p.o.Now(), retained: retained, done: done}
	into := p.words
	if err == nil && kind != "status" {
		into = p.queueOf(g)
		m.event, err = read(g, kind, payload)
	}
	if err != nil {
		p.refuse(g, err)
		done(nil)
		return
	}
	into.put(ctx, m)
}

// queueOf returns the queue for the events of a gateway.
func (p *Post) queueOf(g store.Gateway) lane {
	h := fnv.New32a()
	_, _ = h.Write([]byte(g.String())) // never fails
	return p.events[h.Sum32()%workers]
}

// parseTopic takes "nabat/1/SITE/GATEWAY/status" and
// "nabat/1/SITE/GATEWAY/event/TYPE" apart.
func parseTopic(topic string) (g store.Gateway, kind string, err error) {
	rest, ours := strings.CutPrefix(topic, "nabat/1/")
	parts := strings.Split(rest, "/")
	if !ours || len(parts) < 3 {
		return g, "", fmt.Errorf("topic %.200q is none of ours", topic)
	}
	g = store.Gateway{Site: parts[0], ID: parts[1]}
	if err := g.Check(); err != nil {
		return store.Gateway{}, "", err
	}
	switch {
	case len(parts) == 3 && parts[2] == "status":
		return g, "status", nil
	case len(parts) == 4 && parts[2] == "event":
		return g, parts[3], nil
	}
	return g, "", fmt.Errorf("topic %.200q is none of ours", topic)
}

// read reads an event and checks that it is what its topic says. A broker lets
// a gateway write its own topics only; without the check it could still speak
// for another inside the event.
func read(g store.Gateway, kind string, payload []byte) (event.Event, error) {
	e, err := event.Decode(payload)
	switch {
	case err != nil:
		return event.Event{}, err
	case e.Source != event.Source(g.Site, g.ID):
		return event.Event{}, fmt.Errorf("source %.160q under the topic of %s: %w", e.Source, g, errTopic)
	case e.Type.Short() != kind:
		return event.Event{}, fmt.Errorf("type %.64q under the topic of %.64q: %w", e.Type, kind, errTopic)
	}
	return e, nil
}

func (p *Post) refuse(g store.Gateway, err error) {
	p.refused.Add(1)
	p.o.Log.Warn("a message was refused", "gateway", g.String(), "error", err)
}

// Run moves messages to the database until ctx ends, and returns nil. What is
// then still on its way is to come again.
func (p *Post) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, l := range p.events {
		wg.Go(func() { p.work(ctx, l.queue) })
	}
	wg.Go(func() { p.listen(ctx) })
	wg.Wait()
	for _, l := range append(p.events[:], p.words) {
		for len(l.queue) > 0 {
			m := <-l.queue
			m.done(ErrEnded)
		}
	}
	return nil
}

// work hands events over in groups: the more wait, the more share a commit.
func (p *Post) work(ctx context.Context, queue <-chan message) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-queue:
			list := []message{m}
			for len(list) < group && len(queue) > 0 {
				list = append(list, <-queue)
			}
			p.submit(ctx, list)
		}
	}
}

// submit stores a group, then says so to everyone whom it concerns.
func (p *Post) submit(ctx context.Context, list []message) {
	arrivals := make([]store.Arrival, len(list))
	for i, m := range list {
		arrivals[i] = store.Arrival{Gateway: m.gateway, Event: m.event, Raw: m.raw, Link: linkName, At: m.at}
	}
	receipts, refusals, err := p.o.Intake.Submit(ctx, arrivals)
	if err != nil {
		p.o.Log.Warn("events could not be stored; the broker keeps them", "count", len(list), "error", err)
		wait(ctx, retryAfter) // the broker would send them again at once
		for _, m := range list {
			m.done(err)
		}
		return
	}
	for _, r := range refusals {
		if r.Kept {
			p.o.Log.Warn("an event was put aside", "gateway", r.Gateway.String(), "id", r.ID, "reason", r.Reason)
			continue
		}
		p.refuse(r.Gateway, fmt.Errorf("event %s: %s", r.ID, r.Reason))
	}
	for _, r := range receipts {
		p.out.put(r.Gateway, r.Receipt)
	}
	for _, m := range list {
		m.done(nil)
	}
}

// listen notes status documents, in their order.
func (p *Post) listen(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-p.words.queue:
			m.done(p.heard(ctx, m))
		}
	}
}

// heard notes one status document and does what it asks for.
func (p *Post) heard(ctx context.Context, m message) error {
	s, err := event.DecodeStatus(m.raw)
	if err != nil {
		p.refuse(m.gateway, err)
		return nil
	}
	heard, err := p.o.Store.Heard(ctx, store.Word{Gateway: m.gateway, Status: s, Link: linkName, At: m.at, Stale: m.retained})
	switch {
	case errors.Is(err, store.ErrDenied):
		p.refuse(m.gateway, err)
		return nil
	case err != nil:
		p.o.Log.Warn("a status document could not be noted", "gateway", m.gateway.String(), "error", err)
		wait(ctx, retryAfter)
		return err
	}
	if heard.Due && heard.Receipt.Epoch != "" {
		p.out.put(m.gateway, heard.Receipt)
	}
	if heard.NewSession && heard.Pending > 0 && s.Online && !m.retained {
		if _, err := p.o.Store.Reissue(ctx, m.gateway, p.o.Now(), p.o.Signer); err != nil {
			p.o.Log.Warn("commands could not be signed anew", "gateway", m.gateway.String(), "error", err)
		}
	}
	return nil
}

// wait waits for d or the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
