package desk

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"nabat/sync/dispatch/store"
)

const (
	// boardAge is how old a picture may be that nothing has changed in:
	// gateways go silent without saying so.
	boardAge = 3 * time.Second
	// boardWithin bounds how long the database may take for one.
	boardWithin = 10 * time.Second
	// mostCards bounds how many alerts a page shows, mostOfGateway how many of
	// one gateway; the rest is counted.
	mostCards, mostOfGateway = 200, 50
)

// picture is what the database said at one moment. It is never changed.
type picture struct {
	At       time.Time
	Alerts   []store.Alert // at most mostCards
	More     int           // open alerts beyond those
	Takes    map[store.AlertName]store.Take
	Commands map[store.AlertName][]store.Command
	Gateways []store.GatewayInfo
	Teams    []store.Team
	Names    map[string]string // of operators
}

// gateway returns the registry's line about g.
func (p *picture) gateway(g store.Gateway) (store.GatewayInfo, bool) {
	for _, i := range p.Gateways {
		if i.Gateway == g {
			return i, true
		}
	}
	return store.GatewayInfo{}, false
}

// board keeps the latest picture, so that any number of pages cost one look
// into the database for each change.
type board struct {
	mu      sync.Mutex // guards all below, and lets one look at a time
	last    *picture
	changed [3]<-chan struct{} // of the topics, taken before last was read
}

func topics() [3]store.Topic {
	return [3]store.Topic{store.AlertsChanged, store.GatewaysChanged, store.CommandsChanged}
}

// changes returns channels that close at the next change.
func (s *Server) changes() (list [3]<-chan struct{}) {
	for i, t := range topics() {
		list[i] = s.opt.Store.Changed(t)
	}
	return list
}

// look returns the present picture.
func (s *Server) look(ctx context.Context) (*picture, error) {
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	if s.board.last != nil && s.now().Sub(s.board.last.At) < boardAge && !anyClosed(s.board.changed) {
		return s.board.last, nil
	}
	changed := s.changes()
	// The picture is for all who wait; one who goes must not spoil it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), boardWithin)
	defer cancel()
	p, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	s.board.last, s.board.changed = p, changed
	return p, nil
}

func anyClosed(list [3]<-chan struct{}) bool {
	for _, c := range list {
		select {
		case <-c:
			return true
		default:
		}
	}
	return false
}

func (s *Server) read(ctx context.Context) (*picture, error) {
	p := &picture{At: s.now(), Names: make(map[string]string)}
	var err error
	if p.Alerts, p.More, err = s.opt.Store.OpenAlertsUpTo(ctx, mostOfGateway); err != nil {
		return nil, fmt.Errorf("read open alerts: %w", err)
	}
	if n := len(p.Alerts); n > mostCards {
		p.Alerts, p.More = fair(p.Alerts, mostCards), p.More+n-mostCards
	}
	names := make([]store.AlertName, 0, len(p.Alerts))
	for _, a := range p.Alerts {
		names = append(names, store.AlertName{Gateway: a.Gateway, ID: a.ID})
	}
	if p.Takes, err = s.opt.Store.Takes(ctx, names...); err != nil {
		return nil, fmt.Errorf("read who took the alerts: %w", err)
	}
	if p.Commands, err = s.opt.Store.CommandsAbout(ctx, names...); err != nil {
		return nil, fmt.Errorf("read commands: %w", err)
	}
	if p.Gateways, err = s.opt.Store.Gateways(ctx); err != nil {
		return nil, fmt.Errorf("read gateways: %w", err)
	}
	if p.Teams, err = s.opt.Store.Teams(ctx); err != nil {
		return nil, fmt.Errorf("read teams: %w", err)
	}
	people, err := s.opt.Store.Operators(ctx)
	if err != nil {
		return nil, fmt.Errorf("read operators: %w", err)
	}
	for _, o := range people {
		p.Names[o.ID] = o.Name
	}
	return p, nil
}

// fair returns n alerts of a longer list, in its order: the first of each
// gateway, then the second of each, and so on. Otherwise a gateway that raises
// one emergency after another would push every other school off the page.
func fair(list []store.Alert, n int) []store.Alert {
	place := make([]int, len(list)) // how many of the same gateway come before
	count := make(map[store.Gateway]int)
	for i, a := range list {
		place[i] = count[a.Gateway]
		count[a.Gateway]++
	}
	turn := slices.Sorted(slices.Values(place))[n-1] // the place that does not fit as a whole
	room := n
	for _, p := range place {
		if p < turn {
			room--
		}
	}
	out := make([]store.Alert, 0, n)
	for i, a := range list {
		switch {
		case place[i] == turn && room > 0:
			room--
			out = append(out, a)
		case place[i] < turn:
			out = append(out, a)
		}
	}
	return out
}

// name returns what people call an operator.
func (p *picture) name(id string) string {
	if n := p.Names[id]; n != "" {
		return n
	}
	return id
}
