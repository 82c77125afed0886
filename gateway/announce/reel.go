package announce

import (
	"slices"
	"time"

	"nabat/gateway/alert"
	"nabat/hw/audio"
)

// Pauses within an announcement.
const (
	afterChime    = 300 * time.Millisecond
	afterSegment  = 250 * time.Millisecond
	afterLanguage = 600 * time.Millisecond
	beforeRepeat  = 1500 * time.Millisecond
)

// spoken guesses how long a text takes to say, for zones that are only shown.
const (
	spokenPerRune = 70 * time.Millisecond
	spokenChime   = 2 * time.Second
)

// cue is one step of an announcement: a chime or a segment and the silence after
// it, or silence alone.
type cue struct {
	chime   alert.Chime
	segment Segment
	pause   time.Duration
}

// reel hands out an announcement once, frame after frame. A clip is looked up
// when its turn comes, so that one that has come meanwhile is heard.
type reel struct {
	voices Voices
	// natural gives what has no sound the time that it would take.
	natural bool
	cues    []cue
	clip    []int16          // what is left of the clip under way
	silence int              // samples of silence that are left
	unsaid  []alert.Language // those in which words were left out up to now
}

// newReel plans an announcement. A language in which a drill cannot be called
// one is left out; if that is all of them there is no chime either, because the
// sound of an emergency without words would be taken for one.
func newReel(a Announcement, v Voices, natural bool) *reel {
	r := &reel{voices: v, natural: natural}
	sayable := false
	for _, p := range a.Parts {
		if p.Around != (Segment{}) && !natural && r.lookup(p.Around) == nil {
			r.leaveOut(p.Language)
			continue
		}
		if sayable {
			r.cues = append(r.cues, cue{pause: afterLanguage - afterSegment})
		}
		sayable = true
		r.part(p)
	}
	if sayable || !guarded(a) {
		r.cues = append([]cue{{chime: r.chime(a), pause: afterChime}}, r.cues...)
	}
	if a.Repeat {
		r.cues = append(r.cues, cue{pause: beforeRepeat})
	}
	return r
}

// chime returns an announcement's chime. An emergency that has none, and no
// words at this moment, has the usual one: it must not be silent.
func (r *reel) chime(a Announcement) alert.Chime {
	if a.Chime != alert.ChimeNone || a.Priority < alert.PriorityEmergency {
		return a.Chime
	}
	for _, p := range a.Parts {
		if slices.ContainsFunc(p.Words, func(s Segment) bool { return r.lookup(s) != nil }) {
			return a.Chime
		}
	}
	return chimeOf(a.Priority)
}

// guarded reports whether words must say that it is not real.
func guarded(a Announcement) bool {
	for _, p := range a.Parts {
		if p.Around != (Segment{}) {
			return true
		}
	}
	return false
}

func (r *reel) part(p Part) {
	list := []Segment{p.Around} // alone, where there is only a chime to be explained
	if len(p.Words) > 0 {
		list = slices.Concat(list, p.Words, list)
	}
	for _, s := range list {
		if s != (Segment{}) {
			r.cues = append(r.cues, cue{segment: s, pause: afterSegment})
		}
	}
}

func (r *reel) lookup(s Segment) []int16 { return find(r.voices, s) }

// find returns a segment's sound, nil where there is none. A recording that
// cannot be had is replaced by the synthesised voice.
func find(v Voices, s Segment) []int16 {
	if clip, ok := v.Clip(s); ok && len(clip) > 0 {
		return clip
	}
	if s.File != "" && s.Text != "" {
		s.File = ""
		return find(v, s)
	}
	return nil
}

// next returns the next frame; ok is false at the end. A frame is a part of a
// clip where it can be, which nobody may change.
func (r *reel) next() (frame []int16, ok bool) {
	for len(frame) < audio.FrameSamples {
		need := audio.FrameSamples - len(frame)
		switch {
		case len(r.clip) > 0:
			n := min(need, len(r.clip))
			if len(frame) == 0 {
				frame = r.clip[:n:n]
			} else {
				frame = append(frame, r.clip[:n]...)
			}
			r.clip = r.clip[n:]
		case r.silence > 0:
			n := min(need, r.silence)
			frame = append(frame, make([]int16, n)...)
			r.silence -= n
		case len(r.cues) > 0:
			r.take(r.cues[0])
			r.cues = r.cues[1:]
		case len(frame) > 0: // the last frame is filled up
			r.silence = need
		default:
			return nil, false
		}
	}
	return frame, true
}

// take makes a cue what is handed out next, with its pause behind it. What has
// no sound has no pause either.
func (r *reel) take(c cue) {
	usual := time.Duration(0) // how long it would take
	switch {
	case c.chime != "":
		r.clip = r.voices.Chime(c.chime)
		if c.chime != alert.ChimeNone {
			usual = spokenChime
		}
	case c.segment != (Segment{}):
		r.clip = r.lookup(c.segment)
		usual = time.Duration(len([]rune(c.segment.Text))) * spokenPerRune
	default:
		r.silence = samples(c.pause)
		return
	}
	switch {
	case len(r.clip) > 0:
		r.silence = samples(c.pause)
	case r.natural:
		r.silence = samples(usual + c.pause)
	case c.segment != (Segment{}):
		r.leaveOut(c.segment.Language)
	}
}

func (r *reel) leaveOut(l alert.Language) {
	if !slices.Contains(r.unsaid, l) {
		r.unsaid = append(r.unsaid, l)
	}
}

func samples(d time.Duration) int { return int(d * audio.Rate / time.Second) }

// noVoices has no sound at all.
type noVoices struct{}

// Clip implements Voices.
func (noVoices) Clip(Segment) ([]int16, bool) { return nil, false }

// Chime implements Voices.
func (noVoices) Chime(alert.Chime) []int16 { return nil }

// Want implements Voices.
func (noVoices) Want([]Segment) {}

// Changed implements Voices.
func (noVoices) Changed() <-chan struct{} { return nil }
