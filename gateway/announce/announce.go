// Package announce decides what the loudspeakers of each zone say, and has each
// of them say it.
//
// A loudspeaker follows the state of this moment, never the history, so that a
// start replays nothing. Each one has a loop of its own: one that hangs or is
// gone delays no other. What is said was rendered before: nothing here waits
// for a synthesiser. A quiet alert is never said.
package announce

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/timetable"
	"nabat/hw/audio"
)

// Source tells the state of this moment. View is nil until it is loaded.
// Changed returns a channel that is closed at the next change: take it first,
// then View, and no change is missed.
type Source interface {
	View() *alert.View
	Changed() <-chan struct{}
}

// Clock stamps moments.
type Clock interface{ Now() alert.Stamp }

// Voices hands out sounds that lie in memory. All methods may be called from
// any goroutine, return at once and never touch a disk. Samples are at
// audio.Rate; who gets them does not change them.
type Voices interface {
	// Clip returns a segment's sound; ok is false where there is none, or none yet.
	Clip(s Segment) (samples []int16, ok bool)
	// Chime returns the sound of a chime, nothing for ChimeNone.
	Chime(c alert.Chime) []int16
	// Want asks for segments that have no clip, such as what a person has written
	// just now. Asking again costs nothing.
	Want(list []Segment)
	// Changed returns a channel that is closed when Clip may answer differently;
	// nil when it never does.
	Changed() <-chan struct{}
}

// Segment is one piece of speech, which becomes one clip.
type Segment struct {
	Language alert.Language
	Text     string
	// File is the path of a WAV file in which a person says Text; empty means
	// that it is synthesised. Where the file cannot be had, the same segment
	// without File is asked for.
	File string
	// ID says in conditions and logs, where texts must not stand, what it belongs
	// to: a message, a kind, a place. It is empty for what a person writes.
	ID string
}

// Speaker is one loudspeaker output.
type Speaker struct {
	ID string
	// Zones are those that hear it; "*" means all.
	Zones  []string
	Driver audio.Driver
	// Emergency, where it is not nil, is used in place of Driver for emergencies:
	// makers of IP loudspeakers let one multicast group interrupt another.
	Emergency audio.Driver
	// Gain makes bells and notices quieter, EmergencyGain emergencies, in
	// decibels; both are zero or less.
	Gain, EmergencyGain float64
}

// Options are what a Job needs. Health, Record, Timetable, Voices and Log may be nil.
type Options struct {
	Site   *alert.Site
	Source Source
	Clock  Clock
	Health *health.Registry
	// Record takes a line of the play log (alert.AnnouncementSaid). It does not block.
	Record func(alert.Event)
	// Voices are where sounds come from; without any nothing is audible, and
	// what would be said is still told.
	Voices   Voices
	Speakers []Speaker
	// Timetable returns the timetable as it is now; Location is the time zone
	// that it is meant in, the machine's own where it is nil.
	Timetable func() timetable.Table
	Location  *time.Location
	Log       *slog.Logger
}

// Job makes the loudspeakers of a site follow its state.
type Job struct {
	o     Options
	board *board
	bells *bells
}

// New makes the job and starts nothing. It refuses speakers without a driver,
// with an ID twice, or in zones that the site does not have.
func New(o Options) (*Job, error) {
	if o.Site == nil || o.Source == nil || o.Clock == nil {
		return nil, fmt.Errorf("announcements need a site, a source and a clock")
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Record == nil {
		o.Record = func(alert.Event) {}
	}
	if o.Voices == nil {
		o.Voices = noVoices{}
	}
	seen := make(map[string]bool)
	for _, s := range o.Speakers {
		switch {
		case s.Driver == nil:
			return nil, fmt.Errorf("loudspeaker %q has no driver: give it a type or remove it", s.ID)
		case seen[s.ID]:
			return nil, fmt.Errorf("loudspeaker %q exists twice: give each an id of its own", s.ID)
		case len(s.Zones) == 0:
			return nil, fmt.Errorf("loudspeaker %q is in no zone: nobody would hear it", s.ID)
		}
		seen[s.ID] = true
		for _, z := range s.Zones {
			if z != alert.Everywhere && !slices.ContainsFunc(o.Site.Zones, func(known alert.Zone) bool { return known.ID == z }) {
				return nil, fmt.Errorf("loudspeaker %q: the site has no zone %q", s.ID, z)
			}
		}
	}
	j := &Job{o: o, board: newBoard(o.Site, o.Clock)}
	j.bells = newBells(o)
	return j, nil
}

// Sounding returns what each zone says now, in the order of the site's zones; a
// zone that says nothing is not listed. A zone without loudspeakers is listed
// with what it would say. It may be called from any goroutine.
func (j *Job) Sounding() []alert.Sounding { return j.board.sounding() }

// Changed returns a channel that is closed at the next change of Sounding. Take
// it first, then Sounding, and no change is missed.
func (j *Job) Changed() <-chan struct{} { return j.board.changes() }

// Run has the loudspeakers speak until ctx ends; then they fall silent at once,
// and every stream and driver is closed. It is an optional job, and runs once
// at a time. Conditions are "speaker-absent:ID", "speaker-hung:ID",
// "speaker-failed:ID", "unspoken:LANGUAGE" and "bells-clock".
func (j *Job) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, p := range j.players() {
		wg.Go(func() { p.run(ctx) })
	}
	wg.Go(func() { j.bells.run(ctx) })
	wg.Go(func() { j.unspoken(ctx) })
	wg.Go(func() { j.clerk(ctx) })
	wg.Wait()
	j.write(j.board.closed(true))
	return nil
}
