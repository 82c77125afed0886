package main

import (
	"context"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/event"
	"nabat/sync/mqtt"
)

// link is a link of a gateway, running.
type link struct {
	cancel context.CancelFunc
	ended  chan error
}

// openLink lets the link run over a journal. gateway names it in topics. sent
// is told what the broker took, read when rows came out of the journal's alarm
// lane; both may be nil. change may set further options.
func openLink(ctx context.Context, st *store, br *broker, gateway string, sent func(alert.Ref), read func(time.Time), change ...func(*mqtt.Options)) (*link, error) {
	alarm := st.lane(journal.Alarm)
	if read != nil {
		alarm.Source = timed{alarm.Source, read}
	}
	o := mqtt.Options{
		Site: benchSite, Gateway: gateway, Broker: "tcp://" + br.address,
		Alarm: alarm, Routine: st.lane(journal.Routine), Sent: sent,
	}
	for _, f := range change {
		f(&o)
	}
	p, err := mqtt.New(o)
	if err != nil {
		return nil, fmt.Errorf("make the link: %w", err)
	}
	return runLink(ctx, p.Run), nil
}

// runLink lets a link run until it is stopped.
func runLink(ctx context.Context, run func(context.Context) error) *link {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &link{cancel: cancel, ended: make(chan error, 1)}
	go func() { l.ended <- run(life) }()
	return l
}

// timed tells when a lane gave rows.
type timed struct {
	cursor.Source
	read func(time.Time)
}

// Read reads, and tells when it has got something.
func (t timed) Read(ctx context.Context, n int) ([]journal.Row, error) {
	rows, err := t.Source.Read(ctx, n)
	if len(rows) > 0 {
		t.read(time.Now())
	}
	return rows, err
}

func (l *link) stop() error {
	l.cancel()
	if err := <-l.ended; err != nil {
		return fmt.Errorf("run the link: %w", err)
	}
	return nil
}

const benchSite = "bench"

// eventsOf is the filter for all events of a gateway.
func eventsOf(gateway string) (string, error) {
	t, err := event.NewTopics(benchSite, gateway)
	if err != nil {
		return "", fmt.Errorf("name the topics: %w", err)
	}
	return t.Events(), nil
}

// window is how many messages both publishers have in flight.
const window = 16

// barePublisher sends what it is given, keeps a window in flight and stores
// nothing: the floor of everything that travels.
type barePublisher struct {
	client paho.Client
	topics event.Topics
	flight []paho.Token
}

func newBarePublisher(br *broker, gateway string) (*barePublisher, error) {
	topics, err := event.NewTopics(benchSite, gateway)
	if err != nil {
		return nil, fmt.Errorf("name the topics: %w", err)
	}
	client, err := br.client("bare-" + gateway)
	return &barePublisher{client: client, topics: topics}, err
}

// publish sends one message; when the window is full it waits for the oldest.
func (p *barePublisher) publish(typ alert.Type, payload []byte) error {
	topic, err := p.topics.Event(typ)
	if err != nil {
		return fmt.Errorf("name the topic: %w", err)
	}
	if len(p.flight) == window {
		if err := done(p.flight[0], "publish"); err != nil {
			return err
		}
		p.flight = p.flight[:copy(p.flight, p.flight[1:])]
	}
	p.flight = append(p.flight, p.client.Publish(topic, 1, false, payload))
	return nil
}

// flush waits for everything in flight.
func (p *barePublisher) flush() error {
	for _, t := range p.flight {
		if err := done(t, "publish"); err != nil {
			return err
		}
	}
	p.flight = p.flight[:0]
	return nil
}

func (p *barePublisher) stop() { p.client.Disconnect(farewell) }

// wire returns the bytes of an event as the gateway would send them.
func wire(e alert.Event, data []byte, seq uint64) []byte {
	return event.Append(nil, event.Source(benchSite, "floor"), journal.Row{
		Ref: alert.Ref{Epoch: "0123456789abcdef", Seq: seq}, Type: e.Type, Subject: e.Subject, At: e.At, Data: data,
	})
}
