package main

import (
	"path/filepath"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/gateway/web"
)

// controlOptions says what the local commands may know and do.
func (g *gateway) controlOptions() control.Options {
	o := control.Options{
		Path:   filepath.Join(g.config.DataDir, control.SocketName),
		Status: g.status, Log: g.log.With("room", "control"),
		Announcer: g.engine, Site: g.config.Site, Speakers: g.speakersIn, Sounding: g.sound.job.Sounding,
	}
	if g.wall.sim != nil {
		o.Presser = presser{g}
	}
	return o
}

// status is what a person on site should know.
func (g *gateway) status() control.Status {
	view, now, stats := g.engine.View(), g.clock.Now(), g.journal.Stats()
	s := control.Status{
		Version: version, Site: g.config.Site.ID, Gateway: g.config.Site.Gateway, Board: string(g.config.Board),
		UptimeSeconds: seconds(time.Since(g.started)), Conditions: g.health.List(),
		Clock:   control.Clock{Now: now.Wall, Synced: now.Synced},
		Journal: control.Journal{Epoch: stats.Epoch, LastSeq: stats.LastSeq, Durable: stats.Durable},
	}
	if g.pulled != nil {
		s.Assigned = g.pulled.using
	}
	for _, b := range g.config.Site.Buttons {
		p := view.Points[b.ID]
		s.Points = append(s.Points, control.Point{ID: b.ID, Place: g.path(b.Place), Armed: p.Armed, Active: p.Active, Fault: p.Fault, Detail: p.Detail})
	}
	for _, l := range g.config.Site.Lamps {
		s.Points = append(s.Points, g.lampPoint(l, s))
	}
	for _, a := range view.Open {
		s.Alerts = append(s.Alerts, control.Alert{
			ID: a.ID, Kind: a.Kind, KindName: g.config.Site.Kinds[a.Kind], Level: a.Level(), Status: a.Status(),
			Place: a.Place.Path, Point: a.Last.Point, Truth: view.Truth(a).String(), AgeSeconds: seconds(now.Since(a.First.At)),
			Team: teamOf(a, now),
		})
	}
	for _, n := range view.Notices {
		s.Notices = append(s.Notices, control.Notice{ID: n.ID, Text: n.Text, Status: n.Status, Who: n.Who, LeftSeconds: seconds(max(n.For-now.Since(n.Began), 0))})
	}
	s.Sounding = g.sound.job.Sounding()
	for _, c := range g.web.Screens() {
		screen := control.Screen{ID: c.ID, State: string(c.State), Watched: c.Watched, SeenSeconds: -1}
		if !c.Seen.IsZero() {
			screen.SeenSeconds = seconds(time.Since(c.Seen))
		}
		s.Screens = append(s.Screens, screen)
	}
	for _, l := range g.links(stats) {
		s.Links = append(s.Links, control.Link{Name: l.Name, Up: l.Up, ForSeconds: seconds(l.For)})
	}
	for _, c := range stats.Cursors {
		s.Queue = append(s.Queue, control.Queue{Consumer: c.Consumer, Lane: c.Lane.String(), Depth: c.Depth, OldestSeconds: seconds(c.OldestAge), Parked: int64(c.Parked)})
	}
	return s
}

// teamOf is what dispatch has said of a team for the alert's highest press.
func teamOf(a alert.Alert, now alert.Stamp) *control.Team {
	switch {
	case a.Covers(a.Arrived):
		return &control.Team{Who: a.Arrived.Team(), Arrived: true, AgeSeconds: seconds(now.Since(a.Arrived.At))}
	case a.Covers(a.Responding):
		return &control.Team{Who: a.Responding.Team(), ETA: a.Responding.ETA, AgeSeconds: seconds(now.Since(a.Responding.At))}
	default:
		return nil
	}
}

// lampPoint is a lamp as a point: armed unless its driver reports a fault.
func (g *gateway) lampPoint(l alert.Lamp, s control.Status) control.Point {
	p := control.Point{ID: l.ID, Place: g.path(l.Place), Armed: true}
	for _, c := range s.Conditions {
		if c.Name == "lamp-fault:"+l.ID {
			p.Armed, p.Fault, p.Detail = false, "fault", c.Detail
		}
	}
	return p
}

func (g *gateway) path(place string) []string {
	return g.config.Site.Places[place].In(g.config.Site.Language).Path
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// webStats are the figures that the console shows beside the view.
func (g *gateway) webStats() web.Stats {
	stats := g.journal.Stats()
	return web.Stats{
		Links:       g.links(stats),
		Journal:     web.JournalStats{Durable: stats.Durable, Epoch: stats.Epoch, Last: stats.LastSeq},
		ClockSynced: g.clock.Now().Synced,
	}
}
