package speech

import (
	"cmp"
	"errors"
	"sync"

	"nabat/gateway/alert"
	"nabat/gateway/announce/clip"
)

var (
	errTooLong = errors.New("the text is too long to be said; divide it")
	errNoText  = errors.New("there is no text to be said in its place")
)

// stage is what has to be done next for an item.
type stage uint8

const (
	stageLook    stage = iota // the disk may have it: a recording, or a clip rendered before
	stageRender               // the synthesiser has to speak it
	stageDone                 // nothing
	stageFailed               // nothing until the next retry
	stageLeftOut              // nothing until there may be memory for it
)

// key is what a segment is found by.
type key struct {
	language alert.Language
	text     string
}

func keyOf(s Segment) key { return key{s.Language, cmp.Or(s.Text, s.Recorded)} }

// item is one wanted segment. The library's mutex guards all fields; nobody
// changes the elements of samples.
type item struct {
	segment  Segment
	standing bool   // Want lists it
	order    int    // its place there
	asked    uint64 // when Request asked for it last, by the count of requests; zero is never
	stage    stage
	samples  []int16  // what Clip returns, also while something newer is made
	maker    string   // who made samples
	kept     clip.Key // under which the disk has samples, or will have
	unsaved  bool     // the disk does not have samples yet
	err      error    // why nothing was made
	from     stamp    // the recording as it was when it was read
	recorded error    // why the recording is not used
}

// Library holds the clips that can be said at once. Its methods may be called
// from any goroutine; only Run waits for the synthesiser or the disk.
type Library struct {
	o     Options
	chime func(alert.Chime) []int16 // makes one

	mu       sync.Mutex // guards all fields below
	chimes   map[alert.Chime][]int16
	items    map[key]*item
	requests uint64 // counts what was asked for and looked up
	bytes    int    // of the samples of items
	maker    string // the synthesiser that answers, "" while none has
	absent   error  // why no synthesiser answers
	probed   map[alert.Language]error
	recheck  bool  // the synthesiser has to be looked at
	rescan   bool  // the recordings have to be looked at
	prune    bool  // what the cache has to hold has changed
	unkept   error // why the cache does not keep clips
	resting  bool  // after a Put that failed none is tried
	told     map[string]bool
	work     chan struct{} // closed when Run may have something to do
	changed  chan struct{} // closed when a lookup may answer anew
}

// Chime returns the sound of a chime, nil for none, for one that is not known,
// and for one that Run has not made yet. It never waits. Nobody may change the
// samples.
func (l *Library) Chime(c alert.Chime) []int16 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.chimes[c]
}

// Clip returns what says a text in a language, and whether it is there. It never
// waits. Nobody may change the samples.
func (l *Library) Clip(language alert.Language, text string) ([]int16, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it := l.items[key{language, text}]
	if it == nil || it.samples == nil {
		return nil, false
	}
	if it.asked > 0 {
		l.requests++
		it.asked = l.requests
	}
	return it.samples, true
}

// pendingLocked reports whether something that is not there is on its way.
func (l *Library) pendingLocked(it *item) bool {
	switch it.stage {
	case stageLook:
		return it.samples == nil
	case stageRender:
		return it.samples == nil && l.absent == nil && l.probed[it.segment.Language] == nil
	case stageDone, stageFailed, stageLeftOut:
	}
	return false
}

// Changed returns a channel that is closed when Clip or Stats may answer
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
	s := Stats{Wanted: len(l.items), Bytes: l.bytes, Limit: l.o.MemoryLimit}
	for _, it := range l.items {
		switch {
		case it.samples != nil:
			s.Ready++
		case l.pendingLocked(it):
			s.Pending++
		}
	}
	return s
}

// Want replaces the list of what the site may have to say: its messages, the
// words of plans, kinds and places. Those of the highest priority are rendered
// first, then by their order, and given up last when memory is short. What is
// there already stays.
func (l *Library) Want(list []Segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	merged := make(map[key]Segment)
	order := make(map[key]int)
	for i, s := range list {
		k := keyOf(s)
		if old, twice := merged[k]; twice {
			s.Recorded, s.Priority, s.ID = cmp.Or(old.Recorded, s.Recorded), max(old.Priority, s.Priority), cmp.Or(old.ID, s.ID)
		} else {
			order[k] = i
		}
		merged[k] = s
	}
	before := make(map[key]bool)
	for k, it := range l.items {
		before[k], it.standing = it.standing, false
		if _, stays := merged[k]; !stays && it.asked == 0 {
			l.dropLocked(it)
		}
	}
	for k, s := range merged {
		it := l.takeLocked(s)
		if it == nil {
			continue
		}
		it.segment.ID, it.segment.Priority = s.ID, s.Priority
		it.standing, it.order = true, order[k]
		// What was only asked for has not been written until now.
		it.unsaved = it.unsaved || !before[k] && it.stage == stageDone
	}
	l.prune = true
	l.againLocked()
	l.roomLocked()
	l.wakeLocked()
}

// Request asks for segments that are not in the list, such as a notice that a
// person has just written. They pass all that waits, and are never written to
// the disk. Asking again for what is there or has failed costs nothing.
func (l *Library) Request(list ...Segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	news := false
	for _, s := range list {
		if old := l.items[keyOf(s)]; old != nil && old.standing {
			s.Recorded = old.segment.Recorded // the list knows better
		}
		it := l.takeLocked(s)
		if it == nil {
			continue
		}
		news = news || it.asked == 0
		l.requests++
		it.asked = l.requests
		if it.stage == stageLook && s.Recorded == "" {
			it.stage = stageRender // a disk that hangs does not hold up what is urgent
		}
	}
	if news {
		l.roomLocked()
		l.wakeLocked()
	}
}

// Retry tries at once what has failed, instead of at its time. It does not wait
// for the outcome.
func (l *Library) Retry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range l.items {
		if it.stage == stageFailed && it.segment.Text != "" && !errors.Is(it.err, errTooLong) {
			it.stage = stageRender
		}
	}
	l.recheck, l.rescan, l.resting = true, true, false
	l.signalLocked()
}

// signalLocked lets Run look again.
func (l *Library) signalLocked() {
	close(l.work)
	l.work = make(chan struct{})
}

// wakeLocked lets Run and everyone who waits for a clip look again, and tells
// the conditions.
func (l *Library) wakeLocked() {
	l.signalLocked()
	close(l.changed)
	l.changed = make(chan struct{})
	l.tellLocked()
}
