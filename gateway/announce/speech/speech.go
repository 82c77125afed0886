// Package speech keeps what the loudspeakers say ready in memory: texts that
// espeak-ng speaks, recordings of people, and chimes.
//
// A lookup never waits for a program or a disk: everything is rendered before it
// is needed, and what cannot be rendered is a condition.
package speech

import (
	"cmp"
	"log/slog"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/announce/clip"
	"nabat/gateway/health"
)

// Bounds of what a Library takes.
const (
	// MaxText is the longest text of a segment, in characters.
	MaxText = 1000
	// MaxRequests is how many segments of Request are remembered; those that nobody
	// asked for or looked up for the longest time give way.
	MaxRequests = 48
)

// Segment is something to be said in one language.
type Segment struct {
	Language alert.Language
	// Text is what is said, and what Clip finds it by.
	Text string
	// Recorded is the path of a WAV file that is played in place of a
	// synthesised voice; empty means none. While the file cannot be used, the
	// text is synthesised. A segment without a text is found by its path.
	Recorded string
	// ID names the segment in conditions and logs, where texts must not stand: a
	// message's id, a kind, a place. Several segments may have the same.
	ID string
	// Priority decides what is rendered first, and what is given up last when
	// memory is short.
	Priority alert.Priority
}

// Options of a Library. The zero Options speak with espeak-ng and keep nothing
// on disk.
type Options struct {
	// Program is the synthesiser, by name or by path; empty means espeak-ng.
	Program string
	// Voices name the synthesiser's voice by language; a language that is not in
	// it has the voice of its own name.
	Voices map[alert.Language]string
	// Cache keeps clips over a restart; nil keeps them in memory only.
	Cache *clip.Cache
	// Health is told the conditions voice-missing, voice-missing:LANGUAGE,
	// clip-missing:ID, clips-not-kept and clips-left-out.
	Health *health.Registry
	// Log is told what was rendered, by ids and lengths, never by texts:
	// what people write may name a child. Nil means nobody.
	Log *slog.Logger
	// Timeout bounds one run of the program; zero means 10 s.
	Timeout time.Duration
	// Retry is how long after a failure it is tried again; zero means a minute.
	Retry time.Duration
	// MemoryLimit bounds the clips in memory, in bytes; zero means 32 MiB, which
	// are eleven minutes. Request's share is a half. While a clip is made it takes
	// up to 50 MB besides for the longest recording, usually below one.
	MemoryLimit int
}

// Stats says how much of what is wanted is there.
type Stats struct {
	Wanted  int // segments of Want and Request
	Ready   int // of these, those that can be said
	Pending int // of these, those that are on their way
	Bytes   int // of memory that clips take, without chimes
	Limit   int // of these bytes
}

// New returns an empty library. Run fills it, with the chimes of emergencies first.
func New(o Options) *Library { return library(o, clip.Chime) }

func library(o Options, chime func(alert.Chime) []int16) *Library {
	o.Program = cmp.Or(o.Program, "espeak-ng")
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.Retry = cmp.Or(o.Retry, time.Minute)
	o.MemoryLimit = cmp.Or(o.MemoryLimit, 32<<20)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return &Library{
		o: o, chime: chime, chimes: make(map[alert.Chime][]int16), items: make(map[key]*item),
		probed: make(map[alert.Language]error), told: make(map[string]bool), recheck: true,
		work: make(chan struct{}), changed: make(chan struct{}),
	}
}
