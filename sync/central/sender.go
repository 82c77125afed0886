package central

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"nabat/gateway/alert"
	"nabat/sync/cursor"
	"nabat/sync/event"
)

const (
	// worthZip is the size from which a request is compressed.
	worthZip = 1 << 10
	// parkAtOnce rows may be parked because a request of theirs alone was refused;
	// after that one a minute.
	parkAtOnce = 16
)

// item is a row on its way.
type item struct {
	ref  alert.Ref
	body []byte
	done chan struct{}
	// The fields below are set before done is closed.
	verdict cursor.Verdict
	why     error
}

// Done implements cursor.Delivery.
func (i *item) Done() <-chan struct{} { return i.done }

// Verdict implements cursor.Delivery.
func (i *item) Verdict() (cursor.Verdict, error) { return i.verdict, i.why }

func (i *item) settle(v cursor.Verdict, why error) {
	i.verdict, i.why = v, why
	close(i.done)
}

// sender carries the rows of one lane, one request at a time, so that they
// arrive in order.
type sender struct {
	s      *session
	linger time.Duration
	client *retryablehttp.Client
	news   chan struct{}

	mu      sync.Mutex
	waiting []*item // guarded by mu

	// The fields below belong to the goroutine of run.
	plain bool // the service does not take gzip
	zip   *gzip.Writer
	buf   []byte
}

func newSender(s *session, linger time.Duration, client *retryablehttp.Client) *sender {
	// The level is one of the package's own.
	zip, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return &sender{s: s, linger: linger, client: client, news: make(chan struct{}, 1), zip: zip}
}

func (l *sender) add(it *item) {
	l.mu.Lock()
	l.waiting = append(l.waiting, it)
	l.mu.Unlock()
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// run sends what waits until the session is over.
func (l *sender) run() {
	for {
		batch := l.take()
		if batch == nil || !l.post(batch) {
			return
		}
	}
}

// take waits for rows and returns those of the next request; nil means that
// the session is over.
func (l *sender) take() []*item {
	var linger <-chan time.Time
	for {
		l.mu.Lock()
		n, full := l.s.c.size.fit(l.waiting)
		if n > 0 && (full || l.linger == 0) {
			defer l.mu.Unlock()
			return l.cut(n)
		}
		l.mu.Unlock()
		if n > 0 && linger == nil {
			timer := time.NewTimer(l.linger)
			defer timer.Stop()
			linger = timer.C
		}
		select {
		case <-l.s.life.Done():
			return nil
		case <-l.s.lost:
			return nil
		case <-l.news:
		case <-linger:
			l.mu.Lock()
			defer l.mu.Unlock()
			n, _ := l.s.c.size.fit(l.waiting)
			return l.cut(n)
		}
	}
}

// cut takes the first n rows. l.mu is held.
func (l *sender) cut(n int) []*item {
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	if len(l.waiting) == 0 {
		l.waiting = nil
	}
	return batch
}

// abandon gives up what was never sent. The sender's goroutine has ended.
func (l *sender) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range l.waiting {
		it.settle(cursor.Later, l.s.err)
	}
	l.waiting = nil
}

// post sends a batch, in halves where the service does not take it whole, and
// settles each row. It returns false when the session is over.
func (l *sender) post(batch []*item) bool {
	for todo := [][]*item{batch}; len(todo) > 0; {
		part := todo[0]
		err := l.send(part)
		var unfit *unfitError
		switch {
		case err == nil:
			todo = todo[1:]
			continue
		case errors.Is(err, errPlain) && !l.plain:
			l.plain = true
			continue
		case errors.As(err, &unfit) && len(part) > 1:
			if unfit.status == http.StatusRequestEntityTooLarge {
				l.s.c.size.tooLarge(part)
			}
			half := len(part) / 2
			todo[0] = part[half:]
			todo = append([][]*item{part[:half]}, todo...)
			continue
		case errors.As(err, &unfit) && l.s.c.parking.Allow():
			part[0].settle(cursor.Never, unfit)
			todo = todo[1:]
			continue
		case unfit != nil:
			err = &problem{trouble: troubleRefused, detail: fmt.Sprintf(
				"the service refuses one event after another; nothing more is parked for now, in case the fault is not in the events. Look into the service's log: %v", unfit)}
		}
		l.s.stuck.Store(true)
		l.s.fail(err)
		for _, part := range todo {
			for _, it := range part {
				it.later(err)
			}
		}
		return false
	}
	return true
}

// later settles a row that has no verdict yet.
func (i *item) later(why error) {
	select {
	case <-i.done:
	default:
		i.settle(cursor.Later, why)
	}
}

// send posts rows of one epoch as one request. It settles all of them when the
// service has answered for each, and those it answered for otherwise.
func (l *sender) send(part []*item) error {
	l.buf = append(l.buf[:0], '[')
	for i, it := range part {
		if i > 0 {
			l.buf = append(l.buf, ',')
		}
		l.buf = append(l.buf, it.body...)
	}
	l.buf = append(l.buf, ']')
	c := call{method: http.MethodPost, path: "/events", kind: event.BatchType}
	// The transport may still read the body of a request that was answered
	// early, so a body is never written over.
	if len(l.buf) < worthZip || l.plain {
		c.body = bytes.Clone(l.buf)
	} else {
		c.body, c.gzipped = l.compress(l.buf), true
	}
	if cap(l.buf) > 1<<20 {
		l.buf = nil // one huge request must not hold its memory for ever
	}
	a, err := l.s.caller.do(l.s.life, l.client, c)
	if err != nil {
		l.s.c.size.failed(err)
		return err
	}
	switch {
	case a.status == http.StatusUnsupportedMediaType && c.gzipped:
		return errPlain
	case a.status == http.StatusRequestEntityTooLarge,
		// Only the service itself may condemn an event, not a machine on the way.
		(a.status == http.StatusBadRequest || a.status == http.StatusUnprocessableEntity) && a.reason() != "":
		return &unfitError{status: a.status, reason: a.reason()}
	}
	if err := l.s.c.check(a); err != nil {
		return err
	}
	return l.settle(part, a)
}

func (l *sender) compress(b []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(b)/8 + 64)
	l.zip.Reset(&out)
	// A write to a buffer does not fail.
	_, _ = l.zip.Write(b)
	_ = l.zip.Close()
	return out.Bytes()
}

// settle reads the service's reply and gives each row its verdict.
func (l *sender) settle(part []*item, a answer) error {
	reply, err := event.ParseReply(a.body)
	if err != nil {
		return l.s.c.foreign(a)
	}
	if reply.Epoch != part[0].ref.Epoch {
		return &problem{trouble: troubleForeign, detail: "the service answers about the events of another journal"}
	}
	if !l.s.c.hear(event.Receipt{Epoch: reply.Epoch, Through: reply.Received, Above: reply.Above}) {
		return &problem{trouble: troubleRefused, detail: "dispatch holds other events under the names of this journal: its disk was copied or restored from a backup. Stop the gateway and move journal.db away, so that a new journal begins"}
	}
	rejected := make(map[string]string, len(reply.Rejected))
	for _, r := range reply.Rejected {
		rejected[r.ID] = r.Reason
	}
	for _, it := range part {
		why, no := rejected[event.Event{Ref: it.ref}.ID()]
		switch {
		case reply.Has(it.ref):
			it.settle(cursor.Done, nil)
		case no:
			it.settle(cursor.Never, fmt.Errorf("rejected by the central service: %s", short(why, 200)))
		default:
			return &problem{trouble: troubleDown, detail: fmt.Sprintf(
				"the service answered, but has not stored event %s; it is sent again", event.Event{Ref: it.ref}.ID())}
		}
	}
	l.s.c.size.stored(len(part))
	l.s.c.report.up()
	return nil
}

// Limits of one request.
const (
	maxRows  = 500
	maxBytes = 512 << 10
)

// sizer says how much one request may hold. It learns what a slow line and the
// service can bear. Any goroutine may call its methods.
type sizer struct {
	mu    sync.Mutex // guards the fields below
	rows  int        // zero: maxRows
	bytes int        // zero: maxBytes
}

// fit returns how many of the first rows make the next request, at least one
// of them, all of one epoch; full says that more would not fit.
func (z *sizer) fit(waiting []*item) (n int, full bool) {
	rows, size := z.limits()
	total := 0
	for n < len(waiting) {
		it := waiting[n]
		total += len(it.body) + 1
		if n > 0 && (n == rows || total > size || it.ref.Epoch != waiting[0].ref.Epoch) {
			return n, true
		}
		n++
	}
	return n, n == rows
}

func (z *sizer) limits() (rows, size int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	rows, size = maxRows, maxBytes
	if z.rows > 0 {
		rows = z.rows
	}
	if z.bytes > 0 {
		size = z.bytes
	}
	return rows, size
}

// failed makes requests smaller when one did not arrive in time.
func (z *sizer) failed(err error) {
	if !timedOut(err) {
		return
	}
	rows, _ := z.limits()
	z.mu.Lock()
	defer z.mu.Unlock()
	z.rows = max(1, rows/2)
}

// stored makes requests larger again, up to twice what has just arrived.
func (z *sizer) stored(n int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.rows > 0 {
		z.rows = min(maxRows, max(z.rows, 2*n))
	}
}

// tooLarge notes that the service did not take that much.
func (z *sizer) tooLarge(part []*item) {
	total := 0
	for _, it := range part {
		total += len(it.body) + 1
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.bytes = max(1, total/2)
}
