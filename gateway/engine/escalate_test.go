package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
	"nabat/gateway/engine"
	"nabat/gateway/press"
)

// boots is a clock whose machine is started anew now and then.
type boots struct {
	began  time.Time
	n      int
	synced bool
}

func (c *boots) Now() alert.Stamp {
	return alert.Stamp{Wall: time.Now().UTC(), Boot: fmt.Sprint("b", c.n), Mono: time.Since(c.began), Synced: c.synced}
}

// life is a gateway that may be stopped and started again: the disk is what
// stays.
type life struct {
	site  *alert.Site
	disk  *disk
	clock *boots
	e     *engine.Engine
	stop  func()
}

func (l *life) start(t *testing.T) {
	t.Helper()
	var state alert.State
	for _, e := range l.disk.events {
		state = state.Next(e)
	}
	e, err := engine.New(engine.Options{Site: l.site, Journal: l.disk, Clock: l.clock, Numbering: "e1", State: state})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	l.e, l.stop = e, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error("Run:", err)
		}
	}
	synctest.Wait()
}

// asked returns whom the steps on the disk ask, with the time since began.
func (l *life) asked() (to []string) {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	for _, e := range l.disk.events {
		if e.Type == alert.Escalated && e.Gesture == "" {
			to = append(to, fmt.Sprintf("%d %s", e.Step, e.To))
		}
	}
	return to
}

func usualSite() *alert.Site {
	s := site()
	s.Plans = nil
	s.Usual = map[alert.Level][]alert.Step{
		alert.LevelHelp: alert.UsualSteps(alert.LevelHelp), alert.LevelEmergency: alert.UsualSteps(alert.LevelEmergency),
	}
	return s
}

// Whenever the gateway is stopped, killed with a step on its way to the disk, or
// started on a machine that knows no time, each step reaches the journal once
// and in order.
func TestEachStepOnceWhateverRestarts(t *testing.T) {
	type restart struct {
		after, stalled int // milliseconds
		how            int
		synced         bool
	}
	rapid.Check(t, func(rt *rapid.T) {
		restarts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) restart {
			return restart{
				after: rapid.IntRange(0, 60_000).Draw(rt, "after"), stalled: rapid.IntRange(0, 40_000).Draw(rt, "stalled"),
				how: rapid.IntRange(0, 2).Draw(rt, "how"), synced: rapid.Bool().Draw(rt, "synced"),
			}
		}), 0, 8).Draw(rt, "restarts")
		synctest.Test(t, func(t *testing.T) {
			l := &life{site: usualSite(), disk: &disk{}, clock: &boots{began: time.Now().Add(-time.Minute), synced: len(restarts)%2 == 0}}
			l.start(t)
			defer func() { l.stop() }()
			l.e.Gesture(press.Gesture{Point: "button-204b", Kind: press.Tap, At: l.clock.Now().Mono})
			synctest.Wait()
			for _, r := range restarts {
				<-time.After(time.Duration(r.after) * time.Millisecond)
				synctest.Wait()
				switch r.how {
				case 0: // ends in order
					l.stop()
				case 1: // killed: what the disk has not taken is gone
					l.disk.stall()
					<-time.After(time.Duration(r.stalled) * time.Millisecond)
					synctest.Wait()
					l.stop()
					l.disk.mu.Lock()
					l.disk.waiting, l.disk.stalled = nil, false
					l.disk.mu.Unlock()
				case 2: // the machine starts anew
					l.stop()
					l.clock.n++
					l.clock.began, l.clock.synced = time.Now(), r.synced
				}
				l.start(t)
			}
			<-time.After(time.Hour)
			synctest.Wait()
			want := []string{"1 duty", "2 head", "3 dispatch", "4 second-channel"}
			if got := l.asked(); !slices.Equal(got, want) {
				t.Errorf("after %+v: asked %q, want %q", restarts, got, want)
			}
		})
		if t.Failed() {
			rt.FailNow()
		}
	})
}

func TestTheUsualStepsOfAnEmergency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{disk: &disk{}, clock: bubbleClock{start: time.Now()}}
		var err error
		b.Engine, err = engine.New(engine.Options{Site: usualSite(), Journal: b.disk, Clock: b.clock, Numbering: "e1"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		b.tap("button-204b")
		for i, step := range alert.UsualSteps(alert.LevelEmergency) {
			<-time.After(step.After - time.Since(b.clock.start) - time.Millisecond)
			synctest.Wait()
			if n := len(b.disk.types()) - 1; n != i {
				t.Errorf("%d steps just before %v", n, step.After)
			}
			<-time.After(2 * time.Millisecond)
			synctest.Wait()
			events := b.disk.events
			if last := events[len(events)-1]; len(events) != i+2 || last.To != step.To || last.Step != i+1 || last.Level != alert.LevelEmergency {
				t.Errorf("after %v: %d events, the last %+v", step.After, len(events), last)
			}
			if i == 2 { // a team on its way ends the asking
				a := b.open(t, 1)[0]
				if err := b.Respond(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Origin: "dispatch", Who: "team-1"}); err != nil {
					t.Error(err)
				}
				break
			}
		}
		<-time.After(time.Hour)
		synctest.Wait()
		steps := slices.DeleteFunc(b.disk.types(), func(typ alert.Type) bool { return typ != alert.Escalated })
		if len(steps) != 3 {
			t.Errorf("%v", b.disk.types())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAStepAtOnce(t *testing.T) {
	s := usualSite()
	s.Plans = []alert.Plan{{Kind: alert.Intruder, Level: alert.LevelEmergency, Escalation: []alert.Step{{To: "duty"}, {After: time.Hour, To: "head"}}}}
	synctest.Test(t, func(t *testing.T) {
		l := &life{site: s, disk: &disk{}, clock: &boots{began: time.Now()}}
		l.start(t)
		defer func() { l.stop() }()
		l.e.Gesture(press.Gesture{Point: "button-204b", Kind: press.Tap, At: l.clock.Now().Mono})
		synctest.Wait()
		if got := l.asked(); !slices.Equal(got, []string{"1 duty"}) {
			t.Errorf("asked %q", got)
		}
	})
}
