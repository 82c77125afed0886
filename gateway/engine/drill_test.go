package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/engine"
)

func fireDrill() engine.Drill {
	return engine.Drill{Kind: alert.Fire, Level: alert.LevelEmergency, Place: "gym", Who: "head", Origin: "console", Command: "cmd-1"}
}

// intruderDrill pretends what button-204b says in earnest.
func intruderDrill() engine.Drill {
	return engine.Drill{Kind: alert.Intruder, Level: alert.LevelEmergency, Place: "room-204", Who: "op-7", Origin: "dispatch"}
}

func TestDrillBeginsAndEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.StartDrill(t.Context(), fireDrill()); err != nil {
			t.Fatal(err)
		}
		a := b.open(t, 1)[0]
		if a.Status() != alert.Exercise || a.Level() != alert.LevelEmergency || a.Last.Point != "" {
			t.Errorf("the drill is %+v", a)
		}
		if err := b.EndDrill(t.Context(), engine.Drill{Origin: "console", Who: "head", Command: "cmd-2"}); err != nil {
			t.Fatal(err)
		}
		b.open(t, 0)
		want := []alert.Type{alert.DrillStarted, alert.Raised, alert.Cleared, alert.DrillEnded}
		for i, e := range b.disk.recorded() {
			if i >= len(want) || e.Type != want[i] || e.Subject != a.ID || e.Status != alert.Exercise {
				t.Fatalf("event %d is %+v, want the types %v", i, e, want)
			}
		}
		if c := b.disk.recorded()[2]; c.Outcome != alert.TestComplete || c.Command != "cmd-2" || b.disk.recorded()[0].Command != "cmd-1" {
			t.Errorf("cleared as %+v", c)
		}
		if err := b.EndDrill(t.Context(), engine.Drill{}); !errors.Is(err, alert.ErrNoDrill) {
			t.Errorf("ended twice: %v", err)
		}
	})
}

func TestRealPressBreaksThroughADrillOfItsOwnPlaceAndKind(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.StartDrill(t.Context(), intruderDrill()); err != nil {
			t.Fatal(err)
		}
		drill := b.open(t, 1)[0]
		if err := b.Arrive(t.Context(), alert.Decision{Alert: drill.ID, Number: drill.Last.Number, Who: "crew"}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		b.tap("button-204b")
		open := b.open(t, 2)
		real := open[0]
		if real.Status() != alert.Actual || real.ID == drill.ID || real.Accepted() || b.View().Truth(real) != alert.TruthSaved {
			t.Fatalf("the real press is %+v (%v)", real, b.View().Truth(real))
		}
		if real.First.Number != real.Last.Number || real.First.Point != "button-204b" {
			t.Errorf("the real alert begins with the drill: %+v", real)
		}
		if err := b.EndDrill(t.Context(), engine.Drill{}); err != nil {
			t.Fatal(err)
		}
		if left := b.open(t, 1)[0]; left.ID != real.ID || left.Status() != alert.Actual {
			t.Errorf("the end of the drill took %+v", left)
		}
	})
}

// A history in which a real press and an exercise share a key does not come
// from this engine; whatever wrote it, the end of a drill clears no real press.
func TestEndOfADrillNeverClearsARealPress(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		e := alert.Event{Type: alert.Raised, Subject: "x", Numbering: "e0", Number: 1, Kind: alert.Fire, Level: alert.LevelEmergency, Status: alert.Actual, Place: &alert.Location{ID: "gym"}}
		pretended := e
		pretended.Number, pretended.Status = 2, alert.Exercise
		b.Recovered(alert.State{}.Next(e).Next(pretended), nil)
		if err := b.EndDrill(t.Context(), engine.Drill{}); !errors.Is(err, alert.ErrNoDrill) {
			t.Errorf("ended: %v", err)
		}
		b.open(t, 1)
	})
}

func TestRealPressWhileTheEndOfADrillWaitsForTheDisk(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.StartDrill(t.Context(), intruderDrill()); err != nil {
			t.Fatal(err)
		}
		b.disk.stall()
		ended := make(chan error, 1)
		go func() { ended <- b.EndDrill(context.Background(), engine.Drill{}) }()
		b.open(t, 1) // recorded first
		b.tap("button-204b")
		b.disk.flow()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if left := b.open(t, 1)[0]; left.Status() != alert.Actual {
			t.Errorf("left is %+v", left)
		}
	})
}

func TestDrillsThatCannotBe(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for name, change := range map[string]func(*engine.Drill){
			"kind":  func(d *engine.Drill) { d.Kind = "dragon" },
			"level": func(d *engine.Drill) { d.Level = 0 },
			"place": func(d *engine.Drill) { d.Place = "moon" },
		} {
			d := fireDrill()
			change(&d)
			if err := b.StartDrill(t.Context(), d); !errors.Is(err, alert.ErrDrill) {
				t.Errorf("unknown %s: %v", name, err)
			}
		}
		if err := b.StartDrill(t.Context(), fireDrill()); err != nil {
			t.Fatal(err)
		}
		if err := b.StartDrill(t.Context(), fireDrill()); !errors.Is(err, alert.ErrDrillRuns) {
			t.Errorf("twice: %v", err)
		}
		b.tap("button-204b")
		d := fireDrill()
		d.Place = "room-204"
		if err := b.StartDrill(t.Context(), d); !errors.Is(err, alert.ErrRealAlert) {
			t.Errorf("beside a real emergency: %v", err)
		}
		b.open(t, 2)
	})
}

func TestStepsOfADrillSayThatItIsOne(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.StartDrill(t.Context(), engine.Drill{Kind: alert.Help, Level: alert.LevelHelp, Place: "gym"}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if err := b.EndDrill(t.Context(), engine.Drill{Kind: alert.Help, Place: "gym"}); err != nil {
			t.Fatal(err)
		}
		steps := 0
		for _, e := range b.disk.recorded() {
			if e.Status != alert.Exercise {
				t.Errorf("%s of a drill is %s", e.Type, e.Status)
			}
			if e.Type == alert.Escalated {
				steps++
			}
		}
		b.tap("button-gym")
		<-time.After(time.Minute)
		if a := b.open(t, 1)[0]; steps != 2 || a.HelpSteps.Done != 1 {
			t.Errorf("%d steps of the drill; the real call after it: %+v", steps, a)
		}
	})
}

// again is an engine that starts with what the bench's has come to.
func (b *bench) again(t *testing.T) (e *engine.Engine, stop func()) {
	t.Helper()
	e, err := engine.New(engine.Options{Site: site(), Journal: b.disk, Clock: b.clock, Numbering: "e1", State: b.View().State})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = e.Run(ctx) }()
	return e, func() { cancel(); <-done }
}

func TestDrillGoesOnAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.StartDrill(t.Context(), fireDrill()); err != nil {
			t.Fatal(err)
		}
		b.tap("button-204")
		again, stop := b.again(t)
		defer stop()
		if err := again.EndDrill(t.Context(), engine.Drill{}); err != nil {
			t.Fatal(err)
		}
		if open := again.View().State.Open(); len(open) != 1 || open[0].Status() != alert.Actual {
			t.Errorf("left are %+v", open)
		}
	})
}

func TestDrillAfterARestartIsNotBornEnded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.StartDrill(t.Context(), fireDrill()); err != nil {
			t.Fatal(err)
		}
		if err := b.EndDrill(t.Context(), engine.Drill{}); err != nil {
			t.Fatal(err)
		}
		again, stop := b.again(t)
		defer stop()
		if err := again.StartDrill(t.Context(), fireDrill()); err != nil {
			t.Fatal(err)
		}
		if open := again.View().State.Open(); len(open) != 1 {
			t.Errorf("open are %+v", open)
		}
	})
}
