package announce

import (
	"context"
	"time"

	"nabat/gateway/alert"
	"nabat/hw/audio"
)

// linger is how much silence follows the last sample before the output is let
// go: as much as it may still have to sound.
const linger = 240 * time.Millisecond

// player has one loudspeaker say what its zones have to hear. Its own goroutine
// owns every field.
type player struct {
	job     *Job
	compose *composer
	id      string
	zones   []string
	mute    bool // it stands in for a zone without loudspeakers
	out     *output
	gains   gains

	agenda  []duty               // what may be said now, the highest first
	engaged map[string]duty      // what it has begun and not left
	done    map[string]time.Time // what is not said again, since when
	waiting map[string]time.Time // since when a notice waits for its words
	times   map[string]int
	turn    map[string]int // when something was said last, by a count
	turns   int

	want  *duty // what it should say
	reel  *reel // want as it is being said; nil before it begins
	last  int   // the rank of what the output was given before
	stale bool  // the output holds samples of something that must not sound any more
	quiet bool  // the output holds silence that followed the last words
}

// duty is an announcement, and those of the loudspeaker's zones that have to
// hear it.
type duty struct {
	Announcement
	zones []string
}

// players makes one for each loudspeaker, and one for each zone without any.
func (j *Job) players() []*player {
	var list []*player
	heard := make(map[string]bool)
	c := newComposer(j.o.Site)
	add := func(id string, zones []string, out *output, g gains, mute bool) {
		list = append(list, &player{
			job: j, compose: c, id: id, zones: zones, mute: mute, out: out, gains: g,
			engaged: make(map[string]duty), done: make(map[string]time.Time), waiting: make(map[string]time.Time),
			times: make(map[string]int), turn: make(map[string]int),
		})
	}
	all := zonesOf(j.o.Site)
	for _, s := range j.o.Speakers {
		var zones []string
		for _, z := range all {
			if alert.Covers(s.Zones, z) {
				zones, heard[z] = append(zones, z), true
			}
		}
		add(s.ID, zones, newOutput(s, j.o.Health, j.o.Log), gains{gainOf(s.Gain), gainOf(s.EmergencyGain)}, false)
	}
	for _, z := range all {
		if !heard[z] {
			add("zone:"+z, []string{z}, newOutput(Speaker{ID: "zone:" + z, Driver: mute{}}, nil, j.o.Log), gains{unity, unity}, true)
		}
	}
	return list
}

// ears are the channels that tell that something has changed.
type ears struct{ view, bells, voices <-chan struct{} }

func (j *Job) listen() ears {
	return ears{j.o.Source.Changed(), j.bells.changes(), j.o.Voices.Changed()}
}

// heard reports whether something has changed since listen.
func (e ears) heard() bool {
	select {
	case <-e.view:
	case <-e.bells:
	case <-e.voices:
	default:
		return false
	}
	return true
}

func (p *player) run(ctx context.Context) {
	defer p.stop()
	for ctx.Err() == nil {
		e := p.job.listen()
		p.look()
		switch {
		case p.want != nil && p.out.ready(p.want.key):
			p.speak(ctx, e)
		case p.want == nil && p.out.open():
			p.finish(ctx, e)
		default:
			p.out.idle(ctx, e, p.want != nil, p.nextRendered())
		}
	}
}

// stop leaves everything, and gives the output back.
func (p *player) stop() {
	p.out.shut()
	for _, d := range p.engaged {
		p.leave(d, "the gateway stops")
	}
	p.job.board.show(p.id, nil)
}

// look finds out what to say now, and leaves what is not to be said any more.
func (p *player) look() {
	p.list()
	top := 0
	if len(p.agenda) > 0 {
		top = p.agenda[0].rank()
	}
	for _, d := range p.engaged {
		switch {
		case top > d.rank():
			p.leave(d, "interrupted by "+p.agenda[0].ID)
		case !p.isDue(d):
			p.leave(d, "no longer due")
		}
	}
	if p.want != nil && (top > p.want.rank() || !p.isDue(*p.want)) {
		p.stale = p.stale || p.reel != nil && p.out.open()
		p.want, p.reel = nil, nil
	}
	if p.want == nil {
		p.want = p.choose(top)
	}
	p.show()
}

// speak says what is wanted until it is over, something has changed, or the
// output fails.
func (p *player) speak(ctx context.Context, e ears) {
	if err := p.prepare(ctx); err != nil {
		p.fail(ctx, err)
		return
	}
	if p.reel == nil {
		p.begin()
	}
	for !e.heard() {
		p.enter()
		frame, ok := p.reel.next()
		if !ok {
			p.said()
			return
		}
		if err := p.out.write(ctx, p.gains.at(p.want.Priority).of(frame)); err != nil {
			p.fail(ctx, err)
			return
		}
	}
}

// prepare has the right output open, with nothing in it that must not sound.
func (p *player) prepare(ctx context.Context) error {
	urgent := p.want.Priority >= alert.PriorityEmergency
	if p.stale || p.reel == nil && (p.want.rank() > p.last || p.quiet && urgent) { // an emergency waits behind no silence
		p.stale = false
		p.out.flush(ctx)
	}
	p.quiet = false
	return p.out.ensure(ctx, urgent)
}

func (p *player) begin() {
	p.reel, p.last = newReel(p.want.Announcement, p.job.o.Voices, p.mute), p.want.rank()
	if p.want.Priority == alert.PriorityRoutine {
		p.done[p.want.key] = time.Now() // it is never begun twice
	}
}

// enter notes in the play log that what is wanted is being said: once it is
// known that the output works, so that one which fails again and again is not a
// line each time.
func (p *player) enter() {
	if _, begun := p.engaged[p.want.key]; begun || p.out.down() {
		return
	}
	p.engaged[p.want.key] = *p.want
	if !p.mute {
		p.job.board.enter(p.id, p.want.Announcement, p.want.zones)
	}
	p.show()
}

// said notes that what was wanted has been said in full.
func (p *player) said() {
	d := *p.want
	p.turns++
	p.turn[d.key] = p.turns
	p.times[d.key]++
	if !p.mute {
		p.job.board.said(d.Announcement, d.zones, p.times[d.key], p.reel.unsaid)
	}
	if !d.Repeat {
		p.done[d.key] = time.Now()
		p.leave(d, "said to its end")
	}
	p.want, p.reel = nil, nil
}

func (p *player) leave(d duty, why string) {
	delete(p.engaged, d.key)
	if !p.mute {
		p.job.board.leave(p.id, d.Announcement, d.zones, why)
	}
}

// fail notes that the output could not say what is wanted. Routine is dropped;
// everything else begins anew when the output is back.
func (p *player) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	d := *p.want
	_, begun := p.engaged[d.key]
	if news := p.out.failing(d.key, err); (news || begun) && !p.mute {
		p.job.board.fail(p.id, d.Announcement, d.zones, err.Error())
	}
	for _, other := range p.engaged { // it takes turns with d, and is not heard either
		if other.key != d.key {
			p.leave(other, "the loudspeaker failed")
		}
	}
	clear(p.engaged)
	p.want, p.reel = nil, nil
	p.show()
}

// finish lets the output sound what it has, and then lets it go.
func (p *player) finish(ctx context.Context, e ears) {
	if p.stale {
		p.stale = false
		p.out.flush(ctx)
		p.out.release(ctx)
		return
	}
	silence := make([]int16, audio.FrameSamples)
	for range linger / audio.Frame {
		if e.heard() {
			return
		}
		p.quiet = true
		if err := p.out.write(ctx, silence); err != nil {
			p.out.failing("", err)
			return
		}
	}
	p.out.drain(ctx, e)
}

// show tells the board what is said now, or would be if the output worked.
func (p *player) show() {
	d := p.want
	if d == nil && len(p.agenda) > 0 {
		d = &p.agenda[0]
	}
	if d == nil {
		p.job.board.show(p.id, nil)
		return
	}
	p.job.board.show(p.id, &voice{
		said: d.Announcement, zones: d.zones, times: p.times[d.key], mute: p.mute, fails: p.out.down(),
	})
}
