package mqtt

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/gateway/alert"
	"nabat/sync/cursor"
	"nabat/sync/event"
	"nabat/sync/link"
)

// Publisher delivers one gateway's journal to one broker. It is an optional
// job: Run may fail and be run again.
type Publisher struct {
	o      Options
	t      Timing
	target target
	topics event.Topics
	source string

	report   *reporter
	ledger   *link.Ledger
	receipts *link.Receipts
	witness  *witness // nil where the broker's word is enough
	commands *commands
	refresh  chan struct{} // the status is wanted at once

	// The fields below belong to the goroutine of Run.
	stolen  int // sessions in a row that the broker ended soon
	largest int // bytes of the largest event that the broker took
	strikes map[alert.Ref]int
}

// New checks the options. It starts nothing and reads no file.
func New(o Options) (*Publisher, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	target, err := o.target()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	topics, err := event.NewTopics(o.Site, o.Gateway)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if o.ClientID == "" {
		o.ClientID = "nabat-" + o.Site + "-" + o.Gateway
	}
	if o.MaxEvent == 0 {
		o.MaxEvent = maxMaxEvent
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Publisher{
		o: o, t: o.Timing.withDefaults(), target: target, topics: topics,
		source: event.Source(o.Site, o.Gateway), strikes: make(map[alert.Ref]int),
	}
	p.receipts = link.NewReceipts()
	p.refresh = make(chan struct{}, 1)
	p.ledger = link.NewLedger("mqtt", o.Recorder, o.Now, p.t.Settle)
	log := o.Log.With("broker", target.host)
	p.report = newReporter(o.Health, log, p.ledger)
	p.commands = newCommands(log)
	if o.Receipts {
		p.witness = newWitness(o, p.t, log)
	}
	return p, nil
}

// hear takes what dispatch says that it has.
func (p *Publisher) hear(r event.Receipt) {
	if p.o.Trust != nil && !p.o.Trust(r) {
		return
	}
	p.witness.hear(r)
	if p.o.Received != nil {
		p.o.Received(r.Epoch, r.Through, r.Above)
	}
}

// Refresh publishes the status document soon: at once, or one second after the
// last one. It never blocks, any goroutine may call it, and many calls make one
// document. Without a session the next birth says it.
func (p *Publisher) Refresh() {
	select {
	case p.refresh <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends; then it says goodbye to the broker and returns
// nil. An error means that the journal cannot be read.
func (p *Publisher) Run(ctx context.Context) error {
	alarm, routine := p.o.Alarm, p.o.Routine
	if p.witness != nil {
		alarm, routine = p.witness.alarm.lane(), p.witness.routine.lane()
	}
	runner := cursor.NewRunner(cursor.Options{
		Alarm: alarm, Routine: routine, Link: p, Window: window,
		Patience: p.t.Patience, Backoff: p.t.Backoff, Sent: p.o.Sent, NetworkUp: p.o.NetworkUp,
	})
	side, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.ledger.Run(side) })
	wg.Go(func() { p.receipts.Run(side, p.hear) })
	wg.Go(func() { p.commands.run(side, p.o.Command) })
	err := runner.Run(ctx)
	stop()
	wg.Wait()
	p.report.end()
	return err
}

// Open implements cursor.Link: it connects, says that the gateway is online
// and asks for receipts. Only the runner calls it.
func (p *Publisher) Open(ctx context.Context) (cursor.Session, error) {
	s, err := p.open(ctx)
	if err == nil {
		p.report.up()
		return s, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.stolen = 0
	return nil, slow(p.report.down(err), err)
}

func (p *Publisher) open(ctx context.Context) (*session, error) {
	password, err := p.password()
	if err != nil {
		return nil, err
	}
	w, ours, err := p.dial(ctx)
	if err != nil {
		return nil, first(ours, err)
	}
	s := &session{p: p, id: rand.Text(), wire: w, begun: time.Now(), lost: make(chan struct{})}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.shutdown = ctx.Done()
	status := s.status(true)
	will, err := status.Will().Encode()
	if err != nil {
		w.abort()
		return nil, err
	}
	s.client = paho.NewClient(p.clientOptions(s, password, will))
	if err := s.connect(ctx); err != nil {
		s.release()
		return nil, first(ours, err)
	}
	s.begin()
	return s, nil
}

// first prefers what we know of our own certificate to what the broker makes
// of it.
func first(ours, err error) error {
	if ours != nil {
		return fmt.Errorf("%w (%w)", ours, err)
	}
	return err
}

// clientOptions sets the client up so that a finished token is proof: a new
// client for each connection, which neither reconnects nor resends.
func (p *Publisher) clientOptions(s *session, password string, will []byte) *paho.ClientOptions {
	o := paho.NewClientOptions()
	o.AddBroker("tcp://" + p.target.host) // a name only: the connection exists
	o.SetCustomOpenConnectionFn(s.handOver)
	o.SetClientID(p.o.ClientID)
	o.SetUsername(p.o.User)
	o.SetPassword(password)
	o.SetProtocolVersion(4)
	o.SetCleanSession(true)
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	// Commands must keep their order: an earlier one that came later would be
	// refused. Handlers only enqueue, so none can hold up the client.
	o.SetOrderMatters(true)
	o.SetKeepAlive(p.t.KeepAlive)
	o.SetPingTimeout(p.t.Timeout)
	o.SetWriteTimeout(p.t.Timeout)
	o.SetConnectTimeout(p.t.Timeout)
	o.SetBinaryWill(p.topics.Status(), will, 1, true)
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { s.fail(err) })
	return o
}
