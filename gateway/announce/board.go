package announce

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"nabat/gateway/alert"
)

// settle is how long a line of the play log stays open after the last
// loudspeaker has left it, because those of a zone do not end at the same moment.
const settle = time.Second

// board is where the loudspeakers note what they say: for pages, and for the
// play log. Nobody waits under its lock.
type board struct {
	zones []string
	clock Clock

	mu      sync.Mutex // guards the fields below
	changed chan struct{}
	now     map[string]voice // by loudspeaker
	lines   map[lineKey]*line
}

// voice is what one loudspeaker says at this moment, or fails to say.
type voice struct {
	said  Announcement
	zones []string
	since alert.Stamp
	times int
	mute  bool // it stands in for the loudspeakers of a zone without any
	fails bool
}

type lineKey struct{ zone, key string }

// line is a line of the play log that is not written yet.
type line struct {
	said   Announcement
	times  int
	unsaid map[alert.Language]bool // those in which words had no sound
	active map[string]bool         // loudspeakers that are at it
	failed map[string]string       // those that could not say it, with the reason
	why    string                  // why the last one left
	left   time.Time               // when; zero while one is at it
}

func newBoard(site *alert.Site, clock Clock) *board {
	return &board{
		zones: zonesOf(site), clock: clock, changed: make(chan struct{}),
		now: make(map[string]voice), lines: make(map[lineKey]*line),
	}
}

// zonesOf returns the ids of a site's zones. A site that has none is one zone.
func zonesOf(site *alert.Site) []string {
	if len(site.Zones) == 0 {
		return []string{alert.Everywhere}
	}
	var ids []string
	for _, z := range site.Zones {
		ids = append(ids, z.ID)
	}
	return ids
}

func (b *board) changes() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *board) wakeLocked() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// show notes what a loudspeaker says now; nil means nothing.
func (b *board) show(id string, v *voice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, had := b.now[id]
	switch {
	case v == nil && !had:
		return
	case v == nil:
		delete(b.now, id)
	case had && old.said.key == v.said.key && old.times == v.times && old.fails == v.fails:
		return
	default:
		if had && old.said.key == v.said.key {
			v.since = old.since
		} else {
			v.since = b.clock.Now()
		}
		b.now[id] = *v
	}
	b.wakeLocked()
}

// enter notes that a loudspeaker is at an announcement in some zones.
func (b *board) enter(id string, a Announcement, zones []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, z := range zones {
		l := b.lineLocked(z, a)
		l.active[id], l.left = true, time.Time{}
		delete(l.failed, id)
	}
}

// said notes that a loudspeaker has said an announcement so many times to its
// end, and the languages in which words were left out.
func (b *board) said(a Announcement, zones []string, times int, unsaid []alert.Language) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, z := range zones {
		l := b.lineLocked(z, a)
		l.times = max(l.times, times)
		for _, language := range unsaid {
			l.unsaid[language] = true
		}
	}
}

// leave notes that a loudspeaker is done with an announcement, and why.
func (b *board) leave(id string, a Announcement, zones []string, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, z := range zones {
		l := b.lines[lineKey{z, a.key}]
		if l == nil || !l.active[id] {
			continue
		}
		delete(l.active, id)
		l.why = why
		if len(l.active) == 0 {
			l.left = time.Now()
		}
	}
}

// fail notes that a loudspeaker cannot say an announcement.
func (b *board) fail(id string, a Announcement, zones []string, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, z := range zones {
		l := b.lineLocked(z, a)
		delete(l.active, id)
		l.failed[id] = why
		if len(l.active) == 0 {
			l.left = time.Now()
		}
	}
}

func (b *board) lineLocked(zone string, a Announcement) *line {
	key := lineKey{zone, a.key}
	l := b.lines[key]
	if l == nil {
		l = &line{said: a, unsaid: make(map[alert.Language]bool), active: make(map[string]bool), failed: make(map[string]string), left: time.Now()}
		b.lines[key] = l
	}
	return l
}

// closed takes the lines that nobody has been at for settle, or all.
func (b *board) closed(all bool) []alert.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	var events []alert.Event
	for _, key := range slices.SortedFunc(maps.Keys(b.lines), func(x, y lineKey) int {
		return cmp.Or(strings.Compare(x.zone, y.zone), strings.Compare(x.key, y.key))
	}) {
		if l := b.lines[key]; all || len(l.active) == 0 && time.Since(l.left) >= settle {
			delete(b.lines, key)
			events = append(events, l.event(key.zone))
		}
	}
	return events
}

func (l *line) event(zone string) alert.Event {
	text, detail := l.said.Text, l.why
	if detail == "" {
		detail = "nobody could hear it"
	}
	for _, language := range slices.Sorted(maps.Keys(l.unsaid)) {
		detail += "; without words in " + string(language)
	}
	for _, id := range slices.Sorted(maps.Keys(l.failed)) {
		detail += "; " + id + " was silent: " + l.failed[id]
	}
	return alert.Event{
		Type: alert.AnnouncementSaid, Subject: l.said.ID, Text: &text, Zones: []string{zone},
		Priority: l.said.Priority, Status: l.said.Status, Count: uint64(l.times), Detail: detail,
	}
}

// sounding is what each zone says: of several announcements the highest.
func (b *board) sounding() []alert.Sounding {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []alert.Sounding
	ids := slices.Sorted(maps.Keys(b.now))
	for _, z := range b.zones {
		best, found := Announcement{}, false
		for _, id := range ids {
			if v := b.now[id]; slices.Contains(v.zones, z) && (!found || v.said.rank() > best.rank()) {
				best, found = v.said, true
			}
		}
		if !found {
			continue
		}
		s := alert.Sounding{Zone: z, Announcement: best.ID, Priority: best.Priority, Status: best.Status, Text: best.Text}
		for _, id := range ids {
			v := b.now[id]
			if v.said.key != best.key || !slices.Contains(v.zones, z) {
				continue
			}
			s.Times = max(s.Times, v.times)
			if s.Since == (alert.Stamp{}) || v.since.Mono < s.Since.Mono {
				s.Since = v.since
			}
			switch {
			case v.mute:
			case v.fails:
				s.Silent++
			default:
				s.Speakers++
			}
		}
		list = append(list, s)
	}
	return list
}
