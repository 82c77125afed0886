package main

import (
	"path/filepath"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/gateway/supervise"
	"nabat/gateway/web"
	"nabat/sync/sms"
)

const (
	// smsConsumer names the cursor of text messages in the journal. It is none of
	// the journal's listed consumers: rows wait in the table of messages, and a
	// modem that is away must not hold the journal's.
	smsConsumer = "sms"
	// smsFile is the table of messages in the data directory.
	smsFile = "sms.db"
)

// wireSMS makes the way by text message, where the configuration has one.
func (g *gateway) wireSMS() error {
	m := g.config.SMS
	if !m.Enabled {
		return nil
	}
	var contacts []sms.Contact
	for _, c := range g.config.Contacts {
		contacts = append(contacts, sms.Contact{ID: c.ID, Role: c.Role, Number: c.Phone.Reveal(), Language: c.Language})
	}
	var err error
	g.sms, err = sms.New(sms.Options{
		Site: g.config.Site, Contacts: contacts, Device: m.Device, Baud: m.Baud, PINFile: m.PINFile,
		Drills: m.Drills, PerHour: m.PerHour, Stale: m.Stale, Path: filepath.Join(g.config.DataDir, smsFile),
		Alarms: g.lane(smsConsumer, journal.Alarm), Now: g.clock.Now,
		Alert:  func(id string) (alert.Alert, bool) { return g.engine.View().State.Find(id) },
		Health: g.health, Log: g.log.With("room", "sms"),
	})
	return err
}

func (g *gateway) addSMS(group *supervise.Group) {
	if g.sms != nil {
		group.Optional(smsConsumer, supervise.Started(g.sms.Run))
	}
}

// smsStats is the way by text message as the console shows a link.
func (g *gateway) smsStats() web.LinkStats {
	up, since := g.sms.State()
	waiting := uint64(max(g.sms.Stats().Waiting, 0))
	s := web.LinkStats{Name: smsConsumer, Up: up, Waiting: waiting, Alarms: waiting}
	if !since.IsZero() {
		s.For = time.Since(since)
	}
	return s
}
