package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// stand is the usual arrangement: a gateway, dispatch, and one or two ways
// between them.
type stand struct {
	*world
	// broker and net are the way over MQTT; nil where there is none.
	broker *broker
	net    *network
	router *router
	// middle is the way over HTTPS; nil where there is none.
	middle   *middle
	dispatch *dispatch
	gateway  *gateway
}

// ways are the links that a stand has.
type ways struct {
	mqtt, central bool
	// router puts a router that can forget connections before the broker.
	router bool
	// password is the file with the broker's password; empty: everybody may come.
	password string
	// tls puts TLS before the central service.
	tls bool
	// extra is more configuration of the gateway.
	extra string
	// without a start, the gateway is only configured.
	stopped bool
}

// stand builds the usual arrangement and waits until the gateway is armed and
// every link is up.
func (w *world) stand(ctx context.Context, ways ways) (*stand, error) {
	s := &stand{world: w}
	var err error
	if ways.mqtt {
		password := ""
		if ways.password != "" {
			password = "old"
		}
		if s.broker, err = w.startBroker(ctx, password); err != nil {
			return nil, err
		}
		beyond := s.broker.address
		if ways.router {
			if s.router, err = w.startRouter(ctx, beyond); err != nil {
				return nil, err
			}
			beyond = s.router.address
		}
		if s.net, err = w.startNetwork(ctx, beyond); err != nil {
			return nil, err
		}
	}
	if s.dispatch, err = w.startDispatch(ctx, s.broker); err != nil {
		return nil, err
	}
	links := ""
	if ways.mqtt {
		links += fmt.Sprintf("[mqtt]\nurl = \"mqtt://%s\"\n", s.net.address)
		if ways.password != "" {
			links += fmt.Sprintf("username = %q\npassword_file = %q\n", brokerUser, ways.password)
		}
	}
	if ways.central {
		ca, own := "", (*tls.Certificate)(nil)
		if ways.tls {
			if ca, own, err = w.certify(); err != nil {
				return nil, err
			}
			ca = fmt.Sprintf("ca = %q\n", ca)
		}
		if s.middle, err = w.startMiddle(ctx, s.dispatch.url, s.dispatch.trust, own); err != nil {
			return nil, err
		}
		links += fmt.Sprintf("[central]\nurl = %q\ntoken_file = %q\n%s", s.middle.url, s.dispatch.token, ca)
	}
	links += s.dispatch.commandKey()
	if s.gateway, err = w.newGateway(ctx, "main", links+ways.extra); err != nil {
		return nil, err
	}
	if ways.stopped {
		return s, nil
	}
	if err := s.gateway.run(ctx); err != nil {
		return nil, err
	}
	return s, s.linked(ctx)
}

// linked waits until every link is up.
func (s *stand) linked(ctx context.Context) error {
	return s.until(ctx, "every link is up", func() (bool, error) {
		st, err := s.gateway.client.Status(ctx)
		if err != nil {
			return false, err
		}
		for _, l := range st.Links {
			if !l.Up {
				return false, fmt.Errorf("%s is down", l.Name)
			}
		}
		return len(st.Links) > 0, nil
	})
}

// delivered waits until nothing waits in the gateway any more.
func (s *stand) delivered(ctx context.Context) error {
	return s.until(ctx, "everything is delivered", s.empty(ctx))
}

// empty returns a question: does nothing wait in the gateway any more?
func (s *stand) empty(ctx context.Context) func() (bool, error) {
	return func() (bool, error) {
		st, err := s.gateway.client.Status(ctx)
		if err != nil {
			return false, err
		}
		for _, q := range st.Queue {
			if q.Depth > 0 {
				return false, fmt.Errorf("%d events of %s wait in the lane %s", q.Depth, q.Consumer, q.Lane)
			}
		}
		return len(st.Queue) > 0, nil
	}
}

// settle waits until everything is delivered, ends both sides and compares
// what the journal holds with what dispatch has stored.
func (s *stand) settle(ctx context.Context) error {
	arrived := s.delivered(ctx)
	st, err := s.gateway.client.Status(ctx)
	if err != nil {
		return errors.Join(arrived, err)
	}
	if err := s.gateway.stop(ctx); err != nil {
		return errors.Join(arrived, err)
	}
	if err := s.dispatch.stop(ctx); err != nil {
		return errors.Join(arrived, err)
	}
	rows, err := s.gateway.journal(ctx)
	if err != nil {
		return errors.Join(arrived, err)
	}
	// What a stopping gateway writes last has no link any more to go out by.
	var wanted []string
	late := make(map[string]bool)
	for _, r := range rows {
		switch {
		case r.epoch != st.Journal.Epoch:
			wanted = append(wanted, r.id)
		case r.seq > st.Journal.LastSeq:
			late[r.id] = true
		}
	}
	// Every number that was given out, whether its row stands in the journal
	// still or was deleted: undelivered rows must not be.
	for n := range st.Journal.LastSeq {
		wanted = append(wanted, fmt.Sprintf("%s-%d", st.Journal.Epoch, n+1))
	}
	stored, err := s.dispatch.stored(ctx)
	if err != nil {
		return errors.Join(arrived, err)
	}
	var counted []arrival
	for _, a := range stored {
		if !late[a.id] {
			counted = append(counted, a)
		}
	}
	s.tally = count(wanted, counted)
	return arrived
}

// stored reads what dispatch holds, in the order in which its database got it.
// Of an event that came over two links the time of arrival is that of the copy
// that won, which says nothing about the order.
func (d *dispatch) stored(ctx context.Context) (list []arrival, err error) {
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(d.database, "sqlite:")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("read dispatch's database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, "SELECT raw FROM event ORDER BY rowid")
	if err != nil {
		return nil, fmt.Errorf("read dispatch's events: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close(), rows.Err()) }()
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, fmt.Errorf("read dispatch's events: %w", err)
		}
		e, err := event.Decode(raw)
		if err != nil {
			return nil, fmt.Errorf("read dispatch's events: %w", err)
		}
		list = append(list, arrival{id: e.ID(), epoch: e.Ref.Epoch, seq: e.Ref.Seq, urgent: e.Type.Urgent(), typ: e.Type, data: string(e.Data)})
	}
	return list, nil
}

// raised counts the presses in the journal.
func (g *gateway) raised(ctx context.Context) (n int, err error) {
	rows, err := g.journal(ctx)
	for _, r := range rows {
		if r.typ == alert.Raised {
			n++
		}
	}
	return n, err
}

// pressesStored checks that dispatch holds at least as many presses as the
// gateway took.
func (s *stand) pressesStored(ctx context.Context) error {
	n := 0
	list, err := s.dispatch.stored(ctx)
	seen := make(map[string]bool)
	for _, a := range list {
		if a.typ == alert.Raised && !seen[a.id] {
			seen[a.id] = true
			n++
		}
	}
	if err == nil && n < s.gateway.presses {
		err = fmt.Errorf("%d presses were taken, dispatch holds %d", s.gateway.presses, n)
	}
	return err
}

// answer makes a middle that answers every delivery in one way.
func answer(status int, header map[string]string, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // the gateway may have gone
		return true
	}
}
