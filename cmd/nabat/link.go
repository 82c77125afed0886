package main

import (
	"context"
	"slices"
	"time"

	"nabat/gateway/journal"
	"nabat/gateway/supervise"
	"nabat/gateway/web"
	"nabat/sync/central"
	"nabat/sync/cursor"
	"nabat/sync/event"
	"nabat/sync/mqtt"
)

// mqttConsumer names the MQTT link's cursors in the journal.
const mqttConsumer = "mqtt"

// uplink is one way to dispatch. Its name is its consumer's in the journal.
type uplink struct {
	name  string
	run   func(context.Context) error
	state func() (up bool, since time.Time)
	// refresh makes the link say soon what the gateway is like.
	refresh func()
}

// consumers are the readers of the journal that have cursors of their own, so
// that no link waits for another.
func (g *gateway) consumers() []string {
	var list []string
	if g.config.MQTT.Enabled {
		list = append(list, mqttConsumer)
	}
	if g.config.Central.Enabled {
		list = append(list, central.Name)
	}
	return list
}

// wireLinks makes the links to dispatch that the configuration has.
func (g *gateway) wireLinks() error {
	g.network = cursor.NewNetworkWatch()
	if g.config.MQTT.Enabled {
		if err := g.wireMQTT(); err != nil {
			return err
		}
	}
	if g.config.Central.Enabled {
		return g.wireCentral()
	}
	return nil
}

func (g *gateway) wireMQTT() error {
	m := g.config.MQTT
	broker := "tcp://" + m.Host
	if m.TLS {
		broker = "tls://" + m.Host
	}
	l, err := mqtt.New(mqtt.Options{
		Site: g.config.Site.ID, Gateway: g.config.Site.Gateway,
		Broker: broker, AllowPlaintext: true, // the configuration has refused what it must
		ClientID: m.ClientID, User: m.Username, PasswordFile: m.PasswordFile,
		CAFile: m.CA, CertFile: m.Cert, KeyFile: m.Key,
		Alarm: g.lane(mqttConsumer, journal.Alarm), Routine: g.lane(mqttConsumer, journal.Routine),
		Status: g.statusFor(mqttConsumer), Now: g.clock.Now,
		Sent: g.engine.Sent, Receipts: m.Receipts, Trust: g.receipts.trust, Received: g.engine.Received, Command: g.command,
		Recorder: g.journal, Health: g.health, NetworkUp: g.network.Up, Log: g.log.With("room", "mqtt"),
	})
	if err != nil {
		return err
	}
	g.uplinks = append(g.uplinks, uplink{name: mqttConsumer, run: l.Run, state: l.State, refresh: l.Refresh})
	return nil
}

func (g *gateway) wireCentral() error {
	c := g.config.Central
	l, err := central.New(central.Options{
		Site: g.config.Site.ID, Gateway: g.config.Site.Gateway, URL: c.URL, TokenFile: c.TokenFile,
		CAFile: c.CA, CertFile: c.Cert, KeyFile: c.Key, ServerName: c.ServerName,
		Alarm: g.lane(central.Name, journal.Alarm), Routine: g.lane(central.Name, journal.Routine),
		Status: g.statusFor(central.Name), Now: g.clock.Now,
		Sent: g.engine.Sent, Trust: g.receipts.trust, Received: g.engine.Received,
		Command: g.command, After: g.gate.Counter, Challenge: g.gate.Challenge,
		Recorder: g.journal, Health: g.health, NetworkUp: g.network.Up, Log: g.log.With("room", "central"),
	})
	if err != nil {
		return err
	}
	g.fetcher = l
	g.uplinks = append(g.uplinks, uplink{name: central.Name, run: l.Run, state: l.State, refresh: l.Refresh})
	return nil
}

// addLinks adds the links to the jobs.
func (g *gateway) addLinks(group *supervise.Group) {
	if len(g.uplinks) > 0 {
		group.Optional("network watch", supervise.Started(g.network.Run))
	}
	for _, l := range g.uplinks {
		group.Optional(l.name, supervise.Started(l.run))
	}
}

// refreshLinks makes every link say soon what the gateway is like.
func (g *gateway) refreshLinks() {
	for _, l := range g.uplinks {
		l.refresh()
	}
}

func (g *gateway) lane(consumer string, lane journal.Lane) cursor.Lane {
	return cursor.Lane{
		Source:   g.journal.Cursor(consumer, lane),
		Appended: func() <-chan struct{} { return g.journal.Appended(lane) },
	}
}

// links joins what each link knows of itself with what waits for it.
func (g *gateway) links(stats journal.Stats) []web.LinkStats {
	var list []web.LinkStats
	for _, l := range g.uplinks {
		list = append(list, l.stats(stats))
	}
	if g.sms != nil {
		list = append(list, g.smsStats())
	}
	return list
}

func (l uplink) stats(stats journal.Stats) web.LinkStats {
	up, since := l.state()
	s := web.LinkStats{Name: l.name, Up: up}
	if !since.IsZero() {
		s.For = time.Since(since)
	}
	for _, c := range stats.Cursors {
		if c.Consumer != l.name {
			continue
		}
		s.Waiting += uint64(max(c.Depth, 0))
		if c.Lane == journal.Alarm {
			s.Alarms += uint64(max(c.Depth, 0))
		}
		s.Oldest = max(s.Oldest, c.OldestAge)
		s.Parked += uint64(c.Parked)
	}
	return s
}

// statusFor returns what the status document of one link says beyond being
// online: its queue is the one of that link.
func (g *gateway) statusFor(name string) func() event.Status {
	return func() event.Status {
		stats, now := g.journal.Stats(), g.clock.Now()
		s := event.Status{
			Epoch: stats.Epoch, LastSeq: stats.LastSeq, Conditions: g.health.List(),
			Clock:   event.Clock{Wall: now.Wall, Synced: now.Synced, Boot: now.Boot, Mono: now.Mono},
			Counter: g.gate.Counter(), Challenge: g.gate.Challenge(),
		}
		for _, l := range g.links(stats) {
			if l.Name == name {
				s.QueueDepth, s.OldestAgeSeconds = l.Waiting, seconds(l.Oldest)
			}
		}
		return s
	}
}

// sentBefore tells the engine, at start, which presses an earlier run has sent.
// It says nothing while anything waits or was ever parked: a lamp may show too
// little, never too much. What still waits is told by the link itself. One link
// that has sent all is enough. It looks into the journal, so no start waits for it.
func (g *gateway) sentBefore() {
	if !everyAlarmSent(g.journal.Stats().Cursors, g.toDispatch) {
		return
	}
	for _, ref := range g.saved {
		g.engine.Sent(ref)
	}
}

// everyAlarmSent reports whether some link to dispatch has every alarm behind
// it, none of which it gave up on.
func everyAlarmSent(cursors []journal.CursorStats, toDispatch func(consumer string) bool) bool {
	return slices.ContainsFunc(cursors, func(c journal.CursorStats) bool {
		return c.Lane == journal.Alarm && c.Depth == 0 && c.Parked == 0 && toDispatch(c.Consumer)
	})
}

// toDispatch reports whether a consumer of the journal is a link to dispatch.
func (g *gateway) toDispatch(consumer string) bool {
	for _, l := range g.uplinks {
		if l.name == consumer {
			return true
		}
	}
	return false
}
