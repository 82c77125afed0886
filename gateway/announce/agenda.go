package announce

import (
	"cmp"
	"slices"
	"time"

	"nabat/gateway/alert"
)

// renderFor is how long a notice waits for its words to be rendered. An
// emergency waits for nothing.
const renderFor = 5 * time.Second

// overFor is how long after its clear an all-clear may begin.
const overFor = 2 * time.Minute

// isDue reports whether something that was begun is to go on.
func (p *player) isDue(d duty) bool {
	if p.want != nil && p.want.key == d.key && p.reel != nil && p.outlives(d) {
		return true
	}
	return slices.ContainsFunc(p.agenda, func(a duty) bool { return a.key == d.key })
}

// outlives reports whether something is said to its end although it is not due
// any more: routine, because only its beginning has a time, and what has stood
// for as long as it should, because nobody cuts a sentence by the clock. What a
// person has ended is not.
func (p *player) outlives(d duty) bool {
	if d.Priority == alert.PriorityRoutine {
		return true
	}
	return d.late(p.job.o.Clock.Now())
}

// list makes the agenda of what is due in the zones.
func (p *player) list() {
	view, now := p.job.o.Source.View(), p.job.o.Clock.Now()
	routine := p.job.bells.due(now)
	var all []duty
	for _, z := range p.zones {
		for _, a := range p.compose.due(view, routine, z) {
			if i := slices.IndexFunc(all, func(d duty) bool { return d.key == a.key }); i >= 0 {
				all[i].zones = append(all[i].zones, z)
				continue
			}
			all = append(all, duty{a, []string{z}})
		}
	}
	slices.SortStableFunc(all, func(a, b duty) int {
		return cmp.Or(cmp.Compare(b.rank(), a.rank()), cmp.Compare(now.Since(b.Since), now.Since(a.Since)), cmp.Compare(a.key, b.key))
	})
	p.forget(all)
	p.agenda = p.agenda[:0]
	for _, d := range all {
		if _, done := p.done[d.key]; !done && !d.late(now) && p.rendered(d) {
			p.agenda = append(p.agenda, d)
		}
	}
}

// forget drops what was noted about things that are not due any more.
func (p *player) forget(all []duty) {
	gone := func(key string) bool {
		_, begun := p.engaged[key]
		return !begun && !slices.ContainsFunc(all, func(d duty) bool { return d.key == key })
	}
	for key, since := range p.done {
		if gone(key) && time.Since(since) > alert.AllClearFor { // an all-clear may only rest
			delete(p.done, key)
		}
	}
	for key := range p.times {
		if gone(key) {
			delete(p.times, key)
			delete(p.turn, key)
		}
	}
	for key := range p.waiting {
		if gone(key) {
			delete(p.waiting, key)
		}
	}
}

// late reports whether it is too late to begin something that is said once.
func (d duty) late(now alert.Stamp) bool {
	return !d.Repeat && d.stands > 0 && now.Since(d.Since) >= d.stands
}

// rendered asks for words that have no sound, and reports whether something may
// be said: a notice waits a while for what is on its way, and so does whatever
// has no sound at all yet, because saying it would only pretend.
func (p *player) rendered(d duty) bool {
	if p.mute {
		return true
	}
	since, asked := p.waiting[d.key]
	if asked && time.Since(since) >= renderFor {
		return true
	}
	missing := lacking(p.job.o.Voices, d.Announcement)
	if len(missing) == 0 && audible(p.job.o.Voices, d.Announcement) {
		return true
	}
	if !asked {
		p.job.o.Voices.Want(missing)
		p.waiting[d.key] = time.Now()
	}
	return d.Priority >= alert.PriorityEmergency && audible(p.job.o.Voices, d.Announcement)
}

// nextRendered returns how long it is until a notice has waited long enough.
func (p *player) nextRendered() time.Duration {
	next := time.Minute
	for _, since := range p.waiting {
		if left := renderFor - time.Since(since); left > 0 {
			next = min(next, left)
		}
	}
	return next
}

// choose takes, of those of the highest rank, the one that was said the
// longest ago, so that several emergencies take turns.
func (p *player) choose(top int) *duty {
	var best *duty
	for i := range p.agenda {
		d := &p.agenda[i]
		if d.rank() == top && (best == nil || p.turn[d.key] < p.turn[best.key]) {
			best = d
		}
	}
	if best == nil {
		return nil
	}
	chosen := *best
	return &chosen
}
