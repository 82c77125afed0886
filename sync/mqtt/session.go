package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/event"
)

var (
	errSilent  = errors.New("the broker does not answer")
	errTooBig  = errors.New("event is larger than the broker may get")
	errPoison  = errors.New("the broker hangs up whenever it gets this event")
	errHanding = errors.New("the client asked for a second connection")
)

// session is one connection. The runner's goroutine calls Deliver, Err and
// Close; the client's goroutines call fail and the handlers.
type session struct {
	p        *Publisher
	id       string
	wire     *wire
	client   paho.Client
	begun    time.Time
	shutdown <-chan struct{} // closed when the gateway stops
	life     context.Context // of the session's own goroutine
	end      context.CancelFunc
	wg       sync.WaitGroup

	handed bool // the client has the wire; its connecting goroutine's, then nobody's

	once sync.Once
	lost chan struct{}
	err  error // set before lost is closed

	big []sent // the runner's: unusually large events of this session
}

// sent is an event on its way.
type sent struct {
	s     *session
	ref   alert.Ref
	size  int
	token paho.Token
}

// handOver gives the client the connection that was dialled for it.
func (s *session) handOver(*url.URL, paho.ClientOptions) (net.Conn, error) {
	if s.handed {
		return nil, errHanding
	}
	s.handed = true
	return s.wire, nil
}

// connect does the MQTT handshake, bounded by the client's connect timeout and
// by ctx.
func (s *session) connect(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.wire.fail(ctx.Err()) })
	defer stop()
	token := s.client.Connect()
	<-token.Done()
	return token.Error()
}

// listenQoS is asked for what comes from dispatch. The session ends with the
// connection, so that nothing would be repeated after it; within it TCP loses
// nothing. What a broker drops is mended by its sender: a receipt by the next
// one, a command without an answer by being signed anew. A level more costs a
// broker cluster one replicated queue for each subscription, which is more than
// a thousand gateways that come back at once leave it time for.
const listenQoS = 0

// begin says that the gateway is online and asks for receipts and commands. It
// does not wait: what is published next follows on the same connection.
func (s *session) begin() {
	b := beginning{changed: s.p.o.Health.Changed(), birth: s.publishStatus(true)}
	b.receipts = s.client.Subscribe(s.p.topics.Receipt(), listenQoS, func(_ paho.Client, m paho.Message) {
		// A malformed one says nothing; the next one will.
		if r, err := event.ParseReceipt(m.Payload()); err == nil {
			s.p.receipts.Add(r)
		}
	})
	if s.p.o.Command != nil {
		b.commands = s.client.Subscribe(s.p.topics.Command(), listenQoS, func(_ paho.Client, m paho.Message) {
			s.p.commands.add(m.Payload(), m.Retained())
		})
	}
	s.wg.Go(func() { s.run(b) })
}

// beginning is what a session has asked for and not confirmed yet.
type beginning struct {
	changed         <-chan struct{} // taken before birth
	birth, receipts paho.Token
	commands        paho.Token // nil where nobody wants them
}

// check waits for the answers; false means that the session is over.
func (s *session) check(b beginning) bool {
	// An error is our own: the question has not left, and nobody would ask
	// again in this session. What the broker refuses is a code in its answer.
	if !s.confirm(b.birth) || !s.confirm(b.receipts) {
		return false
	}
	s.p.report.subscribed(subscribeError(b.receipts))
	if b.commands == nil {
		return true
	}
	if !s.confirm(b.commands) {
		return false
	}
	s.p.report.commanded(subscribeError(b.commands))
	return true
}

// run is the session's own goroutine: it checks the beginning, then publishes
// the status at every beat, when it is asked to, and soon after a condition
// changed.
func (s *session) run(b beginning) {
	if !s.check(b) {
		return
	}
	changed, last := b.changed, s.begun
	beat := time.NewTicker(s.p.t.Heartbeat)
	defer beat.Stop()
	for {
		var after time.Duration // the last document
		select {
		case <-s.life.Done():
			return
		case <-s.lost:
			return
		case <-beat.C:
			if time.Since(s.begun) >= s.p.t.Steady {
				s.p.report.steady()
			}
			s.p.witness.review()
		case <-changed:
			// A flickering condition must not flood: changes are gathered.
			after = time.Since(last) + time.Second
		case <-s.p.refresh:
			after = time.Second
		}
		if !s.pause(after - time.Since(last)) {
			return
		}
		// What is asked for until here is in the document.
		select {
		case <-s.p.refresh:
		default:
		}
		last, changed = time.Now(), s.p.o.Health.Changed()
		if !s.confirm(s.publishStatus(true)) {
			return
		}
	}
}

// pause waits; false means that the session is over.
func (s *session) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.life.Done():
		return false
	case <-s.lost:
		return false
	case <-timer.C:
		return true
	}
}

// wait waits for the broker's answer; false means that the session is over.
func (s *session) wait(t paho.Token) bool {
	timer := time.NewTimer(s.p.t.Patience)
	defer timer.Stop()
	select {
	case <-t.Done():
		return true
	case <-s.life.Done():
		return false
	case <-s.lost:
		return false
	case <-timer.C:
		s.fail(errSilent)
		return false
	}
}

func (s *session) confirm(t paho.Token) bool {
	if !s.wait(t) {
		return false
	}
	if err := t.Error(); err != nil {
		s.fail(err)
		return false
	}
	return true
}

// subscribeError returns why the broker does not give what was asked for.
func subscribeError(t paho.Token) error {
	if st, ok := t.(*paho.SubscribeToken); ok {
		for _, code := range st.Result() {
			if code > 2 {
				return fmt.Errorf("the broker answers %#x", code)
			}
		}
	}
	return nil
}

func (s *session) status(online bool) event.Status {
	var st event.Status
	if s.p.o.Status != nil {
		st = s.p.o.Status()
	}
	st.Online, st.Session = online, s.id
	if st.Conditions == nil {
		st.Conditions = s.p.o.Health.List()
	}
	if !online {
		st.Conditions = []health.Condition{}
	}
	return st
}

// publishStatus publishes the retained status document.
func (s *session) publishStatus(online bool) paho.Token {
	b, err := s.status(online).Encode()
	if err != nil {
		s.p.o.Log.Error("status not published", "error", err)
		return &paho.DummyToken{}
	}
	return s.client.Publish(s.p.topics.Status(), 1, true, b)
}

// Deliver implements cursor.Session. The wire never blocks, so publishing
// takes microseconds, except that the client may notice a lost connection only
// after one timeout.
func (s *session) Deliver(row journal.Row) cursor.Delivery {
	select {
	case <-s.lost:
		return cursor.Answered(cursor.Later, s.err)
	default:
	}
	if s.p.witness.covers(row.Ref) {
		// Dispatch has it already: from before a restart, or over another link.
		return cursor.Answered(cursor.Done, nil)
	}
	topic, err := s.p.topics.Event(row.Type)
	if err != nil {
		return cursor.Answered(cursor.Never, err)
	}
	b := event.Append(make([]byte, 0, len(row.Data)+640), s.p.source, row)
	switch {
	case len(b) > s.p.o.MaxEvent:
		return cursor.Answered(cursor.Never, fmt.Errorf("%d bytes, at most %d: %w", len(b), s.p.o.MaxEvent, errTooBig))
	case s.p.strikes[row.Ref] >= maxStrikes:
		return cursor.Answered(cursor.Never, fmt.Errorf("%d bytes: %w", len(b), errPoison))
	}
	d := sent{s: s, ref: row.Ref, size: len(b), token: s.client.Publish(topic, 1, false, b)}
	select {
	case <-d.token.Done():
		// An answer at once is nearly always a refusal by the client: nothing
		// may follow on this connection, or it would overtake this row.
		if err := d.token.Error(); err != nil {
			s.fail(err)
		}
	default:
	}
	if d.suspicious() {
		s.big = append(s.big, d)
	}
	return d
}

// Done implements cursor.Delivery.
func (d sent) Done() <-chan struct{} { return d.token.Done() }

// Verdict implements cursor.Delivery.
func (d sent) Verdict() (cursor.Verdict, error) {
	if err := d.token.Error(); err != nil {
		d.s.fail(err)
		return cursor.Later, d.s.Err()
	}
	d.s.p.took(d)
	return cursor.Done, nil
}

// Lost implements cursor.Session.
func (s *session) Lost() <-chan struct{} { return s.lost }

// Err implements cursor.Session.
func (s *session) Err() error {
	select {
	case <-s.lost:
		return s.err
	default:
		return nil
	}
}

// fail ends the session for a reason; only the first one counts.
func (s *session) fail(err error) {
	s.once.Do(func() {
		// The socket's own reason says more than the client's.
		if cause := s.wire.cause(); cause != nil {
			err = cause
		}
		s.err = err
		close(s.lost)
	})
}

// Close implements cursor.Session.
func (s *session) Close(cause error) error {
	// A session that works is not to blame for what our own disk does.
	if s.Err() == nil && (cause == nil || errors.Is(cause, cursor.ErrJournal)) {
		s.farewell()
		s.release()
		return cause
	}
	s.fail(cause)
	s.release()
	select {
	case <-s.shutdown:
		return nil
	default:
	}
	err := s.p.blame(s)
	return slow(s.p.report.down(err), err)
}

// farewell ends a session that works: the broker then drops the will, and the
// farewell takes its place.
func (s *session) farewell() {
	s.end()
	s.wg.Wait()
	s.publishStatus(false).WaitTimeout(s.p.t.Timeout)
	s.client.Disconnect(uint(s.p.t.Timeout.Milliseconds()))
}

// release frees all that the session holds, and joins its goroutines.
func (s *session) release() {
	s.end()
	s.wire.abort()
	s.wg.Wait()
	s.client.Disconnect(uint(s.p.t.Timeout.Milliseconds()))
}
