package main

import (
	"cmp"

	"nabat/gateway/alert"
	"nabat/gateway/announce"
	"nabat/gateway/announce/speech"
)

// voices hands the announcements' segments to the library of clips.
type voices struct{ library *speech.Library }

// Clip implements announce.Voices. A recording and the voice that stands in for
// it have the same text, and the library keeps the better one of the two.
func (v voices) Clip(s announce.Segment) ([]int16, bool) {
	return v.library.Clip(s.Language, cmp.Or(s.Text, s.File))
}

// Chime implements announce.Voices.
func (v voices) Chime(c alert.Chime) []int16 { return v.library.Chime(c) }

// Want implements announce.Voices.
func (v voices) Want(list []announce.Segment) { v.library.Request(segments(list)...) }

// Changed implements announce.Voices.
func (v voices) Changed() <-chan struct{} { return v.library.Changed() }

// segments are listed with what matters most first, which is the order in which
// the library renders.
func segments(list []announce.Segment) []speech.Segment {
	out := make([]speech.Segment, 0, len(list))
	for _, s := range list {
		out = append(out, speech.Segment{Language: s.Language, Text: s.Text, Recorded: s.File, ID: s.ID})
	}
	return out
}
