package main

import (
	"slices"
	"time"

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
		Sent: g.engine.Sent, Received: g.received,
		Recorder: g.journal, Health: g.health, NetworkUp: l.network.Up, Log: g.log.With("room", "mqtt"),
	})
	if err != nil {
		return err
	}
	g.link = l
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

// sentBefore tells the engine, at start, which presses an earlier run has sent.
// It says nothing while anything waits or was ever parked: a lamp may show too
// little, never too much. What still waits is told by the link itself. It looks
// into the journal, so no start waits for it.
func (g *gateway) sentBefore() {
	for _, c := range g.journal.Stats().Cursors {
		if c.Consumer != mqttConsumer || c.Lane != journal.Alarm || c.Depth != 0 || c.Parked != 0 {
			continue
		}
		for _, ref := range g.saved {
			g.engine.Sent(ref)
		}
	}
}

// conditionForked holds when dispatch has more events of this journal than the
// journal itself: it was restored from a backup, or runs twice.
const conditionForked = "journal-forked"

// received passes a receipt on. A receipt for events that this journal has not
// written yet is not about its events, and must not make the next press look
// received.
func (g *gateway) received(epoch string, through uint64, above []uint64) {
	stats := g.journal.Stats()
	if epoch == stats.Epoch {
		own := slices.DeleteFunc(slices.Clone(above), func(seq uint64) bool { return seq > stats.LastSeq })
		if through > stats.LastSeq || len(own) < len(above) {
			g.health.Set(conditionForked, "dispatch has stored events of this journal that the journal does not hold: its disk was copied or restored from a backup. Stop the gateway and move journal.db away, so that a new journal begins")
			if through > stats.LastSeq {
				through = 0
			}
			above = own
		}
	}
	g.engine.Received(epoch, through, above)
}
