package announce

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/hw/audio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a view that tests replace.
type source struct {
	mu      sync.Mutex // guards all fields below
	view    *alert.View
	changed chan struct{}
	looks   int // how often View was asked
}

func newSource() *source { return &source{changed: make(chan struct{})} }

func (s *source) View() *alert.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	return s.view
}

func (s *source) looked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looks
}

func (s *source) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *source) show(v *alert.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view = v
	close(s.changed)
	s.changed = make(chan struct{})
}

// stamps is a clock that tests set. It begins at noon on a Monday.
type stamps struct {
	mu    sync.Mutex // guards all fields below
	begin time.Time
	wall  time.Duration // what the wall clock is ahead of the time that went by

	synced bool
}

func newStamps() *stamps {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	return &stamps{begin: time.Now(), wall: time.Until(noon), synced: true}
}

func (s *stamps) Now() alert.Stamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	return alert.Stamp{
		Wall: time.Now().Add(s.wall).UTC(), Boot: "boot", Mono: time.Since(s.begin) + time.Hour, Synced: s.synced,
	}
}

func (s *stamps) set(f func(*stamps)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// voices gives each clip and chime samples of one value, so that a recording
// can be read.
type voices struct {
	mu      sync.Mutex // guards all fields below
	values  map[string]int16
	clips   map[string][]int16
	without func(l alert.Language, text string) bool // has no clip
	mute    bool                                     // has no chime
	asked   []Segment
	changed chan struct{}
}

const (
	chimeLasts = 400 * time.Millisecond
	clipLasts  = time.Second
)

func newVoices() *voices {
	return &voices{values: make(map[string]int16), clips: make(map[string][]int16), changed: make(chan struct{}), without: func(alert.Language, string) bool { return false }}
}

func (v *voices) sound(name string, d time.Duration) []int16 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.values[name] == 0 {
		v.values[name] = int16(len(v.values) + 1)
		v.clips[name] = slices.Repeat([]int16{v.values[name]}, samples(d))
	}
	return v.clips[name]
}

func (v *voices) Chime(c alert.Chime) []int16 {
	v.mu.Lock()
	mute := v.mute
	v.mu.Unlock()
	if c == alert.ChimeNone || mute {
		return nil
	}
	return v.sound("<"+string(c)+">", chimeLasts)
}

func (v *voices) Clip(s Segment) ([]int16, bool) {
	v.mu.Lock()
	without := v.without(s.Language, s.Text+s.File)
	v.mu.Unlock()
	if without {
		return nil, false
	}
	return v.sound(string(s.Language)+": "+s.Text+s.File, clipLasts), true
}

func (v *voices) Want(list []Segment) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, list...)
}

func (v *voices) Changed() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.changed
}

func (v *voices) set(f func(*voices)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f(v)
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *voices) name(value int16) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, n := range v.values {
		if n == value {
			return name
		}
	}
	return ""
}

// sounded is a stretch of one sound at a loudspeaker.
type sounded struct {
	name string // empty is silence
	at   time.Duration
	long time.Duration
}

// driver is a loudspeaker that records what it sounds, when by the clock, and
// that can hang, fail and vanish. What real outputs do with the same calls, and
// how late they sound, is not shown here: the drivers' own tests and those of
// the whole program have real ones.
type driver struct {
	voices *voices
	begin  time.Time

	mu     sync.Mutex    // guards all fields below
	absent error         // what Open, Check and Write say
	deaf   chan struct{} // calls wait for it and do not heed their context, where it is not nil
	slow   bool          // calls wait for their context, and Close ends them
	takes  []take
	counts
}

// counts are what a driver was asked for.
type counts struct {
	open    int // streams that are open
	inside  int // calls about streams that have not returned
	most    int // of these at once
	opened  int
	checked int
	closed  int // calls of the driver's Close
	calls   int // of Open and Write
}

func (d *driver) count() counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts
}

// take is some samples, from when to when they sound.
type take struct {
	samples []int16
	at      time.Time
}

func newDriver(v *voices) *driver { return &driver{voices: v, begin: time.Now()} }

func (d *driver) set(f func(*driver)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

// obstacle hangs or fails as it was set.
func (d *driver) obstacle(ctx context.Context, closed <-chan struct{}) error {
	d.mu.Lock()
	deaf, slow, absent := d.deaf, d.slow, d.absent
	d.mu.Unlock()
	if deaf != nil {
		<-deaf
	}
	if slow {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return errors.New("closed")
		}
	}
	return absent
}

// enter counts a call about a stream until leave.
func (d *driver) enter() (leave func()) {
	d.set(func(d *driver) {
		d.inside++
		d.most = max(d.most, d.inside)
	})
	return func() { d.set(func(d *driver) { d.inside-- }) }
}

func (d *driver) Open(ctx context.Context) (audio.Stream, error) {
	d.set(func(d *driver) { d.calls++ })
	defer d.enter()()
	if err := d.obstacle(ctx, nil); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open++
	d.opened++
	return &stream{d: d, over: make(chan struct{})}, nil
}

func (d *driver) Check(ctx context.Context) error {
	d.set(func(d *driver) { d.checked++ })
	return d.obstacle(ctx, nil)
}

func (d *driver) Close() error {
	d.set(func(d *driver) { d.closed++ })
	return nil
}

type stream struct {
	d     *driver
	once  sync.Once
	over  chan struct{}
	until time.Time // when all that was taken has sounded
}

func (s *stream) Write(ctx context.Context, list []int16) error {
	s.d.set(func(d *driver) { d.calls++ })
	defer s.d.enter()()
	if err := s.d.obstacle(ctx, s.over); err != nil {
		return err
	}
	select {
	case <-s.over:
		return errors.New("closed")
	default:
	}
	now := time.Now()
	if s.until.Before(now) {
		s.until = now
	}
	s.d.mu.Lock()
	s.d.takes = append(s.d.takes, take{slices.Clone(list), s.until})
	s.d.mu.Unlock()
	s.until = s.until.Add(time.Duration(len(list)) * time.Second / audio.Rate)
	return s.wait(ctx, s.until.Sub(now)-200*time.Millisecond)
}

func (s *stream) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.over:
		return errors.New("closed")
	case <-timer.C:
		return nil
	}
}

// drop forgets what has not sounded.
func (s *stream) drop() {
	now := time.Now()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for i, t := range s.d.takes {
		left := max(int(now.Sub(t.at)*audio.Rate/time.Second), 0)
		s.d.takes[i].samples = t.samples[:min(left, len(t.samples))]
	}
	s.until = now
}

func (s *stream) Flush() error {
	s.drop()
	return nil
}

func (s *stream) Drain(ctx context.Context) error {
	if err := s.d.obstacle(ctx, s.over); err != nil {
		return err
	}
	return s.wait(ctx, time.Until(s.until))
}

func (s *stream) Close() error {
	s.once.Do(func() {
		s.drop()
		close(s.over)
		s.d.set(func(d *driver) { d.open-- })
	})
	return nil
}

// heard returns what has sounded up to now, without silence.
func (d *driver) heard() []sounded {
	return slices.DeleteFunc(d.all(), func(s sounded) bool { return s.name == "" })
}

func (d *driver) all() []sounded {
	d.mu.Lock()
	takes := slices.Clone(d.takes)
	d.mu.Unlock()
	var list []sounded
	for _, t := range takes {
		at := t.at.Sub(d.begin)
		past := max(int(time.Since(t.at)*audio.Rate/time.Second), 0)
		t.samples = t.samples[:min(past, len(t.samples))]
		for len(t.samples) > 0 {
			n := 1
			for n < len(t.samples) && t.samples[n] == t.samples[0] {
				n++
			}
			name, long := d.voices.name(t.samples[0]), time.Duration(n)*time.Second/audio.Rate
			if last := len(list) - 1; last >= 0 && list[last].name == name && at-(list[last].at+list[last].long) < time.Millisecond {
				list[last].long += long
			} else {
				list = append(list, sounded{name, at, long})
			}
			at += long
			t.samples = t.samples[n:]
		}
	}
	return list
}

// names returns what has sounded, one after the other.
func (d *driver) names() []string {
	var list []string
	for _, s := range d.heard() {
		list = append(list, s.name)
	}
	return list
}
