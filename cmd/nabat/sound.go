package main

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/announce"
	"nabat/gateway/announce/clip"
	"nabat/gateway/announce/speech"
	"nabat/gateway/supervise"
	"nabat/gateway/timetable"
	"nabat/gateway/timetable/calendar"
)

const (
	// clipFolder holds rendered clips in the data directory.
	clipFolder = "clips"
	// clipLimit bounds that folder: an hour of speech.
	clipLimit = 256 << 20
)

// sound is what the loudspeakers of a gateway need.
type sound struct {
	calendar *calendar.Calendar
	library  *speech.Library
	speakers *speakers
	job      *announce.Job
}

// wireSound makes the loudspeakers, and the timetable that they share with
// screens and displays. A site without loudspeakers has all of it too: pages
// show what would be said.
func (g *gateway) wireSound() error {
	c := g.config
	a := c.Announcements
	s := &sound{calendar: calendar.New(a.Calendar, a.Timetable, c.Site, g.health, g.log.With("room", "calendar"))}
	cache := cmp.Or(a.Cache, filepath.Join(c.DataDir, clipFolder))
	s.library = speech.New(speech.Options{
		Program: a.Synthesiser, Voices: a.Voices, Cache: clip.NewCache(cache, clipLimit), Health: g.health, Log: g.log.With("room", "speech"),
	})
	var err error
	if s.speakers, err = newSpeakers(c, g.log.With("room", "speakers")); err != nil {
		return err
	}
	s.job, err = announce.New(announce.Options{
		Site: c.Site, Source: g.engine, Clock: g.clock, Health: g.health, Record: g.engine.Record,
		Voices: voices{s.library}, Speakers: s.speakers.list, Timetable: s.calendar.Table, Log: g.log.With("room", "announce"),
	})
	if err != nil {
		return err
	}
	if len(s.speakers.list) > 0 { // nobody hears a clip where there is no loudspeaker
		s.library.Want(segments(announce.Segments(c.Site, a.Timetable)))
	}
	g.sound = s
	return nil
}

func (g *gateway) addSound(group *supervise.Group) {
	group.Optional("calendar", supervise.Started(g.sound.calendar.Run))
	if len(g.sound.speakers.list) > 0 {
		group.Optional("voices", supervise.Started(g.sound.library.Run))
	}
	group.Optional("announcements", supervise.Started(g.sound.job.Run))
}

// speakersIn counts the loudspeakers of a zone.
func (g *gateway) speakersIn(zone string) int {
	n := 0
	for _, s := range g.config.Speakers {
		if slices.Contains(s.Zones, zone) || slices.Contains(s.Zones, alert.Everywhere) {
			n++
		}
	}
	return n
}

// timetableNow is the timetable of this moment, for pages and displays.
type timetableNow struct{ *calendar.Calendar }

// Day returns the entries of a day.
func (t timetableNow) Day(at time.Time) []timetable.Entry { return t.Table().Day(at) }

// Next returns the first bell after a moment.
func (t timetableNow) Next(after time.Time) (timetable.Entry, bool) { return t.Table().Next(after) }
