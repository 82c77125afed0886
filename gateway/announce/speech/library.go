package speech

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"nabat/gateway/alert"
	"nabat/gateway/announce/clip"
)

// Bounds of what a Library takes.
const (
	// MaxText is the longest text of a segment, in characters.
	MaxText = 1000
	// MaxRequests is how many segments of Request are remembered; those that
	// were not asked for again for the longest time give way.
	MaxRequests = 64
)

var (
	errTooLong = errors.New("the text is too long to be said; divide it")
	errNoText  = errors.New("there is no text to say in its place")
)

// stage is what has to be done next for an item.
type stage uint8

const (
	stageLook    stage = iota // the disk may have it: a recording, or a clip rendered before
	stageRender               // the synthesiser has to speak it
	stageDone                 // nothing
	stageFailed               // nothing until the next retry
	stageLeftOut              // nothing until there is memory for it
)

type key struct {
	language alert.Language
	text     string
}

// item is one wanted segment. The library's mutex guards every field but
// samples' elements, which nobody changes.
type item struct {
	Segment
	order    int    // its place among those of Want
	standing bool   // Want lists it
	asked    uint64 // which Request asked for it last; zero is none
	stage    stage
	samples  []int16 // what Clip returns, also while something newer is made
	maker    string  // who made samples
	from     stamp   // the recording that samples come from, or the one that failed
	kept     clip.Key
	unsaved  bool  // the disk does not have samples yet
	recorded error // why the recording cannot be used
	err      error // why there is nothing to say
}

// Library is the clips that can be said at once. Its methods may be called from
// any goroutine, and none waits for the synthesiser or the disk, except Run.
type Library struct {
	options Options
	log     *slog.Logger
	chimes  map[alert.Chime][]int16

	mu       sync.Mutex // guards all fields below
	items    map[key]*item
	requests uint64 // counts calls of Request
	bytes    int    // of the samples of items
	maker    string // the synthesiser that answers, "" while none has
	absent   error  // why no synthesiser answers
	probed   map[alert.Language]error
	unkept   error // why the cache does not keep clips
	prune    bool  // Want has changed what the cache has to hold
	retry    uint64
	told     map[string]bool
	work     chan struct{} // closed when a loop may have something to do
	changed  chan struct{} // closed when a lookup may answer anew
}

// New returns a library that holds the chimes. Run fills it.
func New(o Options) *Library {
	o.Program = cmp.Or(o.Program, "espeak-ng")
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.Retry = cmp.Or(o.Retry, time.Minute)
	o.MemoryLimit = cmp.Or(o.MemoryLimit, 32<<20)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Library{
		options: o, log: o.Log, chimes: clip.Chimes(),
		items: make(map[key]*item), probed: make(map[alert.Language]error), told: make(map[string]bool),
		work: make(chan struct{}), changed: make(chan struct{}),
	}
}

// Chime returns the sound of a chime, nil for none and for one that is not
// known. It never waits.
func (l *Library) Chime(c alert.Chime) []int16 { return l.chimes[c] }

// Clip returns what says a text in a language, and whether it is there. It never
// waits. Nobody may change the samples.
func (l *Library) Clip(language alert.Language, text string) ([]int16, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it := l.items[key{language, text}]
	if it == nil || it.samples == nil {
		return nil, false
	}
	return it.samples, true
}

// Pending reports whether a text that Clip does not have is on its way, so that
// waiting a moment for it makes sense. It never waits.
func (l *Library) Pending(language alert.Language, text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	it := l.items[key{language, text}]
	return it != nil && l.pendingLocked(it)
}

func (l *Library) pendingLocked(it *item) bool {
	switch it.stage {
	case stageLook:
		return it.samples == nil
	case stageRender:
		return it.samples == nil && l.absent == nil && l.probed[it.Language] == nil
	case stageDone, stageFailed, stageLeftOut:
	}
	return false
}

// Changed returns a channel that is closed when Clip or Pending may answer
// differently. Take the channel first, then look, and nothing is missed.
func (l *Library) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Stats says how much of what is wanted is there.
func (l *Library) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Wanted: len(l.items), Bytes: l.bytes, Limit: l.options.MemoryLimit}
	for _, it := range l.items {
		if it.samples != nil {
			s.Ready++
		} else if l.pendingLocked(it) {
			s.Pending++
		}
	}
	return s
}

// Want replaces the list of what the site may have to say: its messages, the
// words of plans, kinds and places. Those of the highest priority are rendered
// first, then by their order. What is there already stays.
func (l *Library) Want(segments []Segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range l.items {
		it.standing = false
	}
	for i, s := range segments {
		if !sayable(s) {
			continue
		}
		it := l.takeLocked(s)
		if !it.standing {
			it.standing, it.order = true, i
		}
	}
	for k, it := range l.items {
		if !it.standing && it.asked == 0 {
			l.dropLocked(k, it)
		}
	}
	l.prune = true
	l.roomLocked()
	l.wakeLocked()
}

// Request asks for segments that are not in the list, such as a notice that a
// person has just written. They pass all that waits, and are never written to
// the disk. Asking again for what is there keeps it from being forgotten.
func (l *Library) Request(segments ...Segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	news := false
	for _, s := range segments {
		if !sayable(s) {
			continue
		}
		_, known := l.items[key{s.Language, text(s)}]
		it := l.takeLocked(s)
		it.asked = l.requests
		if it.stage == stageLook && it.Recorded == "" {
			it.stage = stageRender // a disk that hangs must not hold up what is urgent
			known = false
		}
		news = news || !known
	}
	l.forgetLocked()
	if news {
		l.wakeLocked()
	}
}

// Retry tries again at once what has failed. It does not wait for the outcome.
func (l *Library) Retry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retry++
	l.wakeLocked()
}

// takeLocked returns the item of a segment, made or brought up to date.
func (l *Library) takeLocked(s Segment) *item {
	s.Text = text(s)
	k := key{s.Language, s.Text}
	it := l.items[k]
	if it == nil {
		it = &item{Segment: s}
		l.items[k] = it
		if utf8.RuneCountInString(s.Text) > MaxText {
			it.stage, it.err = stageFailed, errTooLong
		}
		return it
	}
	it.Priority = max(it.Priority, s.Priority)
	it.ID = cmp.Or(s.ID, it.ID)
	if s.Recorded != "" && s.Recorded != it.Recorded {
		// A new item, so that what a loop does at this moment for the old one
		// counts no more; the old sound stays until there is the new one.
		fresh := &item{Segment: it.Segment, order: it.order, standing: it.standing, asked: it.asked, samples: it.samples, maker: it.maker}
		fresh.Recorded = s.Recorded
		l.items[k] = fresh
		return fresh
	}
	return it
}

// text returns what a segment is found by.
func text(s Segment) string { return cmp.Or(s.Text, s.Recorded) }

func sayable(s Segment) bool { return s.Language != "" && text(s) != "" }

func (l *Library) dropLocked(k key, it *item) {
	l.bytes -= 2 * len(it.samples)
	delete(l.items, k)
}

// forgetLocked drops requests that were not asked for again for the longest time.
func (l *Library) forgetLocked() {
	var asked []*item
	for _, it := range l.items {
		if !it.standing && it.asked > 0 {
			asked = append(asked, it)
		}
	}
	slices.SortFunc(asked, func(a, b *item) int { return cmp.Compare(a.asked, b.asked) })
	for len(asked) > MaxRequests {
		l.dropLocked(key{asked[0].Language, asked[0].Text}, asked[0])
		asked = asked[1:]
	}
}

// wakeLocked lets both loops and everyone who waits for a clip look again.
func (l *Library) wakeLocked() {
	close(l.work)
	close(l.changed)
	l.work, l.changed = make(chan struct{}), make(chan struct{})
}
