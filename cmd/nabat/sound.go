package main

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
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

	// foreseen is how long before its time the text of a calendar is rendered, and
	// foreseenMost how many of them: a year has no place in memory.
	foreseen     = 24 * time.Hour
	foreseenMost = 100
	foreseeEvery = time.Hour
)

// sound is what the loudspeakers of a gateway need.
type sound struct {
	site     *alert.Site
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
	s := &sound{site: c.Site, calendar: calendar.New(a.Calendar, a.Timetable, c.Site, g.health, g.log.With("room", "calendar"))}
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
	g.sound = s
	return nil
}

func (g *gateway) addSound(group *supervise.Group) {
	group.Optional("calendar", supervise.Started(g.sound.calendar.Run))
	if len(g.sound.speakers.list) > 0 { // nobody hears a clip where there is no loudspeaker
		group.Optional("voices", supervise.Started(g.sound.render))
	}
	group.Optional("announcements", supervise.Started(g.sound.announce))
}

// announce has the loudspeakers speak. When the gateway stops every relay is
// dropped: a line that is given back may stay as it is, and so may its amplifier.
func (s *sound) announce(ctx context.Context) error {
	err := s.job.Run(ctx)
	if ctx.Err() == nil {
		return err // it is started again
	}
	return errors.Join(err, s.speakers.release())
}

// render has everything spoken that may have to be said.
func (s *sound) render(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var foreseeing sync.WaitGroup
	defer foreseeing.Wait()
	defer stop()
	foreseeing.Go(func() { s.foresee(ctx) })
	return s.library.Run(ctx)
}

// foresee tells the library what the site can have to say, and what its calendar
// brings next, so that no bell waits for the synthesiser.
func (s *sound) foresee(ctx context.Context) {
	again := time.NewTicker(foreseeEvery)
	defer again.Stop()
	for {
		changed := s.calendar.Changed()
		s.library.Want(segments(announce.Segments(s.site, soon(s.calendar.Table(), time.Now()))))
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again.C:
		}
	}
}

// soon returns the table with those entries of its calendar only that come next.
func soon(t timetable.Table, now time.Time) timetable.Table {
	t.Dated = slices.DeleteFunc(slices.Clone(t.Dated), func(e timetable.Entry) bool {
		return e.At.Before(now.Add(-announce.MaxLate)) || e.At.After(now.Add(foreseen))
	})
	t.Dated = t.Dated[:min(len(t.Dated), foreseenMost)]
	return t
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
