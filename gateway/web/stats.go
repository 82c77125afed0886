package web

import (
	"time"

	"nabat/gateway/alert"
)

// Stats are the figures that the console and /metrics show beside the view.
type Stats struct {
	Links   []LinkStats
	Journal JournalStats
	// ClockSynced says that the gateway's wall clock is synchronised.
	ClockSynced bool
}

// LinkStats is how one link to the outside does.
type LinkStats struct {
	// Name is what a technician calls it ("mqtt").
	Name string
	Up   bool
	// For is how long it has been up or down.
	For time.Duration
	// Waiting counts the events that the far end has not confirmed, Alarms
	// those of them in the alarm lane.
	Waiting, Alarms uint64
	// Oldest is the age of the oldest waiting event.
	Oldest time.Duration
	// Parked counts the events that the far end refused for good.
	Parked uint64
}

// JournalStats is how the journal does.
type JournalStats struct {
	// Durable says that events reach the disk.
	Durable bool
	// Epoch and Last are the identity of the newest event.
	Epoch string
	Last  uint64
}

// linkJSON is a LinkStats as the console's page reads it; times are
// milliseconds.
type linkJSON struct {
	Name    string `json:"name"`
	Up      bool   `json:"up"`
	For     int64  `json:"for"`
	Waiting uint64 `json:"waiting"`
	Alarms  uint64 `json:"alarms"`
	Oldest  int64  `json:"oldest"`
	Parked  uint64 `json:"parked"`
}

// figures are what changes on its own and goes with every heartbeat of the
// console's stream.
type figures struct {
	Links       []linkJSON `json:"links"`
	Durable     bool       `json:"durable"`
	ClockSynced bool       `json:"clock_synced"`
	// SessionLeft is how long the staff session still lasts.
	SessionLeft int64 `json:"session_left"`
	// Proven holds the moment at which each point was last proven, by id.
	Proven map[string]int64 `json:"proven"`
	// Screens holds how long ago each lobby screen proved itself, by id.
	Screens map[string]int64 `json:"screens"`
}

func (s *Server) figuresNow(now alert.Stamp, sessionLeft time.Duration) figures {
	f := figures{
		Links: []linkJSON{}, Durable: true, ClockSynced: now.Synced,
		SessionLeft: sessionLeft.Milliseconds(), Proven: make(map[string]int64), Screens: s.screensSeen(),
	}
	for id, p := range s.opt.Source.View().Points {
		if p.LastProven != (alert.Stamp{}) {
			f.Proven[id] = moment(now, p.LastProven)
		}
	}
	if s.opt.Stats == nil {
		return f
	}
	stats := s.opt.Stats()
	f.Durable, f.ClockSynced = stats.Journal.Durable, stats.ClockSynced
	for _, l := range stats.Links {
		f.Links = append(f.Links, linkJSON{
			Name: l.Name, Up: l.Up, For: l.For.Milliseconds(), Waiting: l.Waiting, Alarms: l.Alarms,
			Oldest: l.Oldest.Milliseconds(), Parked: l.Parked,
		})
	}
	return f
}
