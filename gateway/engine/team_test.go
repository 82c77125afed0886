package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/engine"
	"nabat/gateway/press"
)

func TestTeamOnItsWayMeansThatAPersonHasTakenIt(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-gym")
		a := b.open(t, 1)[0]
		d := alert.Decision{Alert: a.ID, Number: a.Last.Number, Who: "crew 7", Origin: "dispatch", ETA: b.clock.Now().Wall.Add(10 * time.Minute), Command: "c1"}
		b.disk.stall()
		answered := make(chan error, 1)
		go func() { answered <- b.Respond(context.Background(), d) }()
		b.truth(t, alert.TruthAccepted) // before it is recorded
		select {
		case err := <-answered:
			t.Errorf("answered before it was recorded: %v", err)
		default:
		}
		b.disk.flow()
		if err := <-answered; err != nil {
			t.Fatal(err)
		}
		said := b.disk.recorded()
		e := said[len(said)-1]
		<-time.After(time.Hour)
		a = b.open(t, 1)[0]
		if a.HelpSteps.Done != 0 || a.Responding.Who != "crew 7" || !a.Responding.ETA.Equal(d.ETA) {
			t.Errorf("an hour later: %+v", a)
		}
		if e.Type != alert.Responding || e.Command != "c1" || !e.ETA.Equal(d.ETA) || e.Origin != "dispatch" {
			t.Errorf("journalled %+v", e)
		}
		b.tap("button-gym") // somebody else: nobody has taken that yet
		b.truth(t, alert.TruthSaved)
		a = b.open(t, 1)[0]
		if err := b.Arrive(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Who: "crew 7"}); err != nil {
			t.Fatal(err)
		}
		b.truth(t, alert.TruthAccepted)
	})
}

// stepClock is the clock of a bubble whose wall time a test sets.
type stepClock struct {
	bubbleClock
	off *atomic.Int64
}

func (c stepClock) Now() alert.Stamp {
	s := c.bubbleClock.Now()
	s.Wall = s.Wall.Add(time.Duration(c.off.Load()))
	return s
}

const years = 365 * 24 * time.Hour

// inSteppedBubble is inBubble with a wall clock that the test may set.
func inSteppedBubble(t *testing.T, f func(t *testing.T, b *bench, step func(time.Duration))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		off := new(atomic.Int64)
		b := &bench{disk: &disk{}, clock: bubbleClock{start: time.Now()}}
		var err error
		b.Engine, err = engine.New(engine.Options{Site: site(), Journal: b.disk, Clock: stepClock{b.clock, off}, Numbering: "e1"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		f(t, b, func(d time.Duration) { synctest.Wait(); off.Add(int64(d)) })
		cancel()
		if err := <-ended; err != nil {
			t.Error("Run:", err)
		}
	})
}

func TestLastWordAboutTheTeamHoldsWhateverTheClockDoes(t *testing.T) {
	for name, by := range map[string]time.Duration{"steady": 0, "ten years on": 10 * years, "ten years back": -10 * years} {
		t.Run(name, func(t *testing.T) {
			inSteppedBubble(t, func(t *testing.T, b *bench, step func(time.Duration)) {
				b.tap("button-gym")
				a := b.open(t, 1)[0]
				d := alert.Decision{Alert: a.ID, Number: a.Last.Number, Who: "crew 7"}
				for i := range 3 {
					d.ETA = time.Date(2026, 11, 21, 8, 30+10*i, 0, 0, time.UTC)
					if err := b.Respond(t.Context(), d); err != nil {
						t.Fatal(err)
					}
					step(by)
				}
				if got := b.open(t, 1)[0].Responding.ETA; !got.Equal(d.ETA) {
					t.Errorf("expected at %v, the last word was %v", got, d.ETA)
				}
				said := b.disk.recorded()
				var state alert.State // and as the journal would fold it, the other way round
				for i := range said {
					state = state.Next(said[len(said)-1-i])
				}
				if got := state.Open()[0].Responding.ETA; !got.Equal(d.ETA) {
					t.Errorf("folded backwards: expected at %v, the last word was %v", got, d.ETA)
				}
			})
		})
	}
}

func TestNothingWaitsForTheWallClock(t *testing.T) {
	for name, by := range map[string]time.Duration{"ten years on": 10 * years, "ten years back": -10 * years, "to 1970": -56 * years} {
		t.Run(name, func(t *testing.T) {
			inSteppedBubble(t, func(t *testing.T, b *bench, step func(time.Duration)) {
				b.tap("button-gym")
				if err := b.Announce(t.Context(), alert.Notice{Text: alert.Text{RU: "Сбор в зале"}, For: 2 * time.Minute}); err != nil {
					t.Fatal(err)
				}
				<-time.After(30 * time.Second)
				step(by)
				<-time.After(29 * time.Second)
				if a := b.open(t, 1)[0]; a.HelpSteps.Done != 0 || len(b.View().Notices) != 1 {
					t.Errorf("before its time: %d steps, notices %v", a.HelpSteps.Done, b.View().Notices)
				}
				<-time.After(time.Second)
				if a := b.open(t, 1)[0]; a.HelpSteps.Done != 1 {
					t.Errorf("after a minute: %d steps", a.HelpSteps.Done)
				}
				<-time.After(time.Minute)
				synctest.Wait()
				if n := b.View().Notices; len(n) != 0 {
					t.Errorf("after two minutes: %v", n)
				}
				b.Gesture(press.Gesture{Point: "button-gym", Kind: press.Released})
				b.tap("button-204")
				if open := b.open(t, 2); open[0].Key.Place != "gym" {
					t.Errorf("the oldest comes first, not %v", open[0].Key)
				}
			})
		})
	}
}
