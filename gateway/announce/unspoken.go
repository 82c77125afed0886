package announce

import (
	"context"
	"fmt"
	"time"

	"nabat/gateway/alert"
)

// lacking returns the segments of an announcement that have no sound.
func lacking(v Voices, a Announcement) []Segment {
	var list []Segment
	for _, p := range a.Parts {
		for _, s := range append([]Segment{p.Around}, p.Words...) {
			if s != (Segment{}) && find(v, s) == nil {
				list = append(list, s)
			}
		}
	}
	return list
}

// audible reports whether anything of an announcement has a sound; an emergency
// has its usual chime where it has no other.
func audible(v Voices, a Announcement) bool {
	if len(v.Chime(a.Chime)) > 0 || a.Priority >= alert.PriorityEmergency && len(v.Chime(chimeOf(a.Priority))) > 0 {
		return true
	}
	for _, p := range a.Parts {
		for _, s := range p.Words {
			if find(v, s) != nil {
				return true
			}
		}
	}
	return false
}

// unspoken says which language is left out of what loudspeakers have to say
// now, as the condition "unspoken:LANGUAGE". What is not needed yet is the
// business of those who render it. Without loudspeakers nothing is missing.
func (j *Job) unspoken(ctx context.Context) {
	if len(j.o.Speakers) == 0 {
		return
	}
	c := newComposer(j.o.Site)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		e := j.listen()
		gaps := make(map[alert.Language]string)
		now := j.o.Clock.Now()
		view, routine := j.o.Source.View(), j.bells.due(now)
		for _, z := range zonesOf(j.o.Site) {
			for _, a := range c.due(view, routine, z) {
				if a.Priority < alert.PriorityEmergency && now.Since(a.Since) < renderFor {
					continue // its words may be on their way
				}
				for _, s := range lacking(j.o.Voices, a) {
					gaps[s.Language] = a.ID
				}
			}
		}
		j.tellUnspoken(gaps)
		timer.Reset(checkEvery)
		select {
		case <-ctx.Done():
			j.tellUnspoken(nil)
			return
		case <-e.view:
		case <-e.bells:
		case <-e.voices:
		case <-timer.C:
		}
	}
}

func (j *Job) tellUnspoken(gaps map[alert.Language]string) {
	for _, l := range alert.Languages() {
		name := "unspoken:" + string(l)
		if id, ok := gaps[l]; ok {
			j.o.Health.Set(name, fmt.Sprintf("announcement %s is said without all of its words in %s: they have no sound; "+
				"the chime and the other languages are heard; is the synthesiser installed, with a voice for this language, and the recording there?", id, l))
			continue
		}
		j.o.Health.Clear(name)
	}
}
