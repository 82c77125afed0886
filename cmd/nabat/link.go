package main

import (
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/config"
	"nabat/gateway/journal"
	"nabat/gateway/supervise"
	"nabat/gateway/web"
	"nabat/sync/cursor"
	"nabat/sync/event"
	"nabat/sync/mqtt"
)

// mqttConsumer names the MQTT link's cursors in the journal.
const mqttConsumer = "mqtt"

// dispatchLink is the way to dispatch and what is known about it.
type dispatchLink struct {
	link    *mqtt.Publisher
	network *cursor.NetworkWatch
}

// wireLink makes the link to dispatch, where the configuration has one.
func (g *gateway) wireLink() error {
	m := g.config.MQTT
	if !m.Enabled {
		return nil
	}
	l := &dispatchLink{network: cursor.NewNetworkWatch()}
	var err error
	l.link, err = mqtt.New(mqtt.Options{
		Site: g.config.Site.ID, Gateway: g.config.Site.Gateway,
		Broker: brokerURL(m), AllowPlaintext: true, // the configuration has refused what it must
		ClientID: m.ClientID, User: m.Username, PasswordFile: m.PasswordFile,
		CAFile: m.CA, CertFile: m.Cert, KeyFile: m.Key,
		Alarm: g.lane(journal.Alarm), Routine: g.lane(journal.Routine),
		Status: g.linkStatus, Now: g.clock.Now,
		Sent: g.engine.Sent, Received: g.engine.Received,
		Recorder: g.journal, Health: g.health, NetworkUp: l.network.Up, Log: g.log.With("room", "mqtt"),
	})
	if err != nil {
		return err
	}
	g.link = l
	g.sentBefore()
	return nil
}

func (l *dispatchLink) add(group *supervise.Group) {
	group.Optional("network watch", supervise.Started(l.network.Run))
	group.Optional("mqtt", supervise.Started(l.link.Run))
}

// stats is what the link knows of itself.
func (l *dispatchLink) stats() web.LinkStats {
	up, since := l.link.State()
	s := web.LinkStats{Name: mqttConsumer, Up: up}
	if !since.IsZero() {
		s.For = time.Since(since)
	}
	return s
}

func (g *gateway) lane(lane journal.Lane) cursor.Lane {
	return cursor.Lane{
		Source:   g.journal.Cursor(mqttConsumer, lane),
		Appended: func() <-chan struct{} { return g.journal.Appended(lane) },
	}
}

func brokerURL(m config.MQTT) string {
	if m.TLS {
		return "tls://" + m.Host
	}
	return "tcp://" + m.Host
}

// linkStatus is what the status document says beyond being online.
func (g *gateway) linkStatus() event.Status {
	stats, now := g.journal.Stats(), g.clock.Now()
	s := event.Status{
		Epoch: stats.Epoch, LastSeq: stats.LastSeq, Conditions: g.health.List(),
		Clock: event.Clock{Wall: now.Wall, Synced: now.Synced, Boot: now.Boot},
	}
	for _, l := range g.links(stats) {
		s.QueueDepth, s.OldestAgeSeconds = l.Waiting, seconds(l.Oldest)
	}
	return s
}

// sentBefore tells the engine, at start, that the alarms of an earlier run were
// sent. Where some still wait, the link says so itself when it sends them.
func (g *gateway) sentBefore() {
	stats := g.journal.Stats()
	for _, c := range stats.Cursors {
		if c.Consumer == mqttConsumer && c.Lane == journal.Alarm && c.Depth == 0 {
			g.engine.Sent(alert.Ref{Epoch: stats.Epoch, Seq: stats.LastSeq})
		}
	}
}
