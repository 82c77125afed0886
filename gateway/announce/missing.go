package announce

import (
	"context"
	"fmt"
	"time"

	"nabat/gateway/alert"
)

// rendering is how long after the start clips may be missing that nobody needs
// yet: a small machine takes minutes to render all of them.
const rendering = 5 * time.Minute

// lookEvery is how often missing clips are looked for.
const lookEvery = 5 * time.Second

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

// missing watches for speech that is needed and not there: it asks for it, and
// "clip-missing:LANGUAGE" says so for what a loudspeaker has to say now, and
// for anything at all when there was time enough to render it. Without
// loudspeakers nothing is missing.
func (j *Job) missing(ctx context.Context) {
	if len(j.o.Speakers) == 0 {
		return
	}
	c, foreseen, begun := newComposer(j.o.Site), Segments(j.o.Site), time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		e := ears{j.o.Source.Changed(), j.bells.changes(), j.o.Voices.Changed()}
		gaps := make(map[alert.Language][]Segment)
		for _, s := range j.needed(c) {
			gaps[s.Language] = append(gaps[s.Language], s)
		}
		if time.Since(begun) > rendering {
			for _, s := range foreseen {
				if s.File == "" && find(j.o.Voices, s) == nil {
					gaps[s.Language] = append(gaps[s.Language], s)
				}
			}
		}
		j.tellMissing(gaps)
		timer.Reset(lookEvery)
		select {
		case <-ctx.Done():
			return
		case <-e.view:
		case <-e.bells:
		case <-timer.C:
		}
	}
}

// needed asks for what is due now and has no sound, and returns it.
func (j *Job) needed(c *composer) []Segment {
	var list []Segment
	view, routine := j.o.Source.View(), j.bells.due(j.o.Clock.Now())
	for _, z := range zonesOf(j.o.Site) {
		for _, a := range c.due(view, routine, z) {
			list = append(list, lacking(j.o.Voices, a)...)
		}
	}
	if list = unique(list); len(list) > 0 {
		j.o.Voices.Want(list)
	}
	return list
}

func (j *Job) tellMissing(gaps map[alert.Language][]Segment) {
	for _, l := range alert.Languages() {
		name := "clip-missing:" + string(l)
		if len(gaps[l]) == 0 {
			j.o.Health.Clear(name)
			continue
		}
		j.o.Health.Set(name, fmt.Sprintf("%d pieces of speech have no sound, among them %q; the chime and the other languages are heard; "+
			"is the synthesiser installed, with a voice for this language, and the recording there?", len(gaps[l]), gaps[l][0].Text))
	}
}
