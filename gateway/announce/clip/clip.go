// Package clip makes sound ready to be played: recordings read, chimes
// synthesised, everything at one loudness, kept on disk by what it is made of.
//
// A clip is []int16 at audio.Rate, mono. Clips are shared: nobody changes one.
package clip

import (
	"errors"
	"time"

	"nabat/hw/audio"
)

// Bounds of one clip.
const (
	// MaxDuration is the longest clip. What lasts longer is no announcement, and
	// would take the memory of all others.
	MaxDuration = 2 * time.Minute
	// MaxSamples is MaxDuration in samples.
	MaxSamples = int(MaxDuration/time.Second) * audio.Rate
)

// ErrSilent is wrapped by an error about a sound in which nothing can be heard.
var ErrSilent = errors.New("nothing can be heard in it")

// Duration returns how long a clip sounds.
func Duration(samples []int16) time.Duration {
	return time.Duration(len(samples)) * time.Second / audio.Rate
}
