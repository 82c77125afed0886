package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/engine"
	"nabat/gateway/health"
	"nabat/gateway/press"
	"nabat/hw/point"
)

func TestMemoryRowThatReachesTheDiskIsSaved(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.disk.err = errors.New("read-only file system")
		b.tap("button-204")
		b.truth(t, alert.TruthRaised)
		e := b.disk.events[0]
		key, _ := e.Key()
		b.Recovered(alert.State{}.Next(e), map[alert.Key]alert.Ref{key: {Epoch: "e1", Seq: 1}})
		b.truth(t, alert.TruthSaved)
	})
}

func TestSalvagedAlertOfAnOldCountStandsBesideTheNew(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		old := b.disk.events[0]
		old.Numbering, old.Number, old.Subject = "e0", 900, "old"
		cleared := old
		cleared.Type = alert.Cleared
		b.Recovered(alert.State{}.Next(old).Next(cleared), nil)
		b.open(t, 1) // press 1 of the new count is not hidden by clear 900 of the old one
	})
}

func TestAlertOfAFileThatCouldNotBeReadAtStartComesBack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.disk.err = errors.New("no such device")
		b.tap("button-204")
		old := b.disk.events[0]
		old.Numbering, old.Subject = "e0", "old"
		key, _ := old.Key()
		b.Recovered(alert.State{}.Next(b.disk.events[0]).Next(old), map[alert.Key]alert.Ref{key: {Epoch: "e0", Seq: 5}})
		if open := b.open(t, 2); b.View().Truth(open[0]) == b.View().Truth(open[1]) {
			t.Errorf("only the alert whose press is on the disk is saved: %+v", open)
		}
	})
}

func TestOnlyTheEventThatWasTakenIsSent(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204") // sequence 1, refused by the far end
		b.Sent(alert.Ref{Epoch: "e1", Seq: 2})
		b.Sent(alert.Ref{Epoch: "other", Seq: 1})
		b.truth(t, alert.TruthSaved)
		b.Sent(alert.Ref{Epoch: "e1", Seq: 1})
		b.truth(t, alert.TruthSent)
	})
}

// none is a journal that takes nothing.
type none struct{}

func (none) Append(_ alert.Event, done func(alert.Ref, error)) {
	if done != nil {
		go done(alert.Ref{}, errors.New("no room"))
	}
}

func TestClearThatIsKeptNowhereDoesNotAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := bubbleClock{start: time.Now()}
		e, err := engine.New(engine.Options{Site: site(), Journal: none{}, Clock: clock, Numbering: "e1"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = e.Run(ctx) }()
		e.Gesture(press.Gesture{Point: "button-204", Kind: press.Tap})
		synctest.Wait()
		a := e.View().State.Open()[0]
		if e.View().Truth(a) != alert.TruthRaised {
			t.Errorf("truth %v of a press that is kept nowhere", e.View().Truth(a))
		}
		if err := e.Clear(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.Resolved}); !errors.Is(err, engine.ErrNotRecorded) {
			t.Errorf("clear: %v", err)
		}
		if len(e.View().State.Open()) != 1 {
			t.Error("the alert was closed by a clear that is kept nowhere")
		}
		cancel()
		<-done
	})
}

func TestEndOfADrillThatIsKeptNowhereDoesNotAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := engine.New(engine.Options{Site: site(), Journal: none{}, Clock: bubbleClock{start: time.Now()}, Numbering: "e1"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = e.Run(ctx) }()
		defer func() { cancel(); <-done }()
		if err := e.StartDrill(t.Context(), fireDrill()); !errors.Is(err, engine.ErrNotRecorded) {
			t.Errorf("start: %v", err)
		}
		if err := e.EndDrill(t.Context(), engine.Drill{}); !errors.Is(err, engine.ErrNotRecorded) {
			t.Errorf("end: %v", err)
		}
		if len(e.View().State.Open()) != 1 {
			t.Error("the drill was ended by an event that is kept nowhere")
		}
	})
}

// TestTheLinkIsFasterThanTheJournalsAnswer: the word that a press was sent comes
// before the one that it was saved.
func TestTheLinkIsFasterThanTheJournalsAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.Sent(alert.Ref{Epoch: "e1", Seq: 1})
		b.tap("button-204")
		b.truth(t, alert.TruthSent)
	})
}

func TestAcknowledgementActsBeforeItIsRecorded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		a := b.open(t, 1)[0]
		b.disk.stall()
		answered := make(chan error, 1)
		go func() {
			answered <- b.Acknowledge(context.Background(), alert.Decision{Alert: a.ID, Number: a.Last.Number})
		}()
		b.truth(t, alert.TruthAccepted)
		select {
		case err := <-answered:
			t.Errorf("answered before it was recorded: %v", err)
		default:
		}
		b.disk.flow()
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

func TestPressIsStampedWithTheSourcesOwnTime(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		<-time.After(time.Minute)
		edge := b.clock.Now()
		<-time.After(5 * time.Second) // the signals came late
		b.Gesture(press.Gesture{Point: "button-204", Kind: press.Tap, At: edge.Mono})
		b.open(t, 1)
		e := b.disk.events[0]
		if e.PressedMono != edge.Mono || !e.PressedAt.Equal(edge.Wall) || e.At.Mono == edge.Mono {
			t.Errorf("pressed at %v (%v), made at %v; the edge was at %v", e.PressedAt, e.PressedMono, e.At.Wall, edge.Wall)
		}
	})
}

func TestPointThatIsNotHeardOfIsNotArmed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		proven := press.Gesture{Point: "button-204", Kind: press.Proven}
		b.Gesture(proven)
		synctest.Wait()
		if !b.View().Points["button-204"].Armed {
			t.Fatal("a proven point is armed")
		}
		<-time.After(4 * time.Minute)
		synctest.Wait()
		if p := b.View().Points["button-204"]; p.Armed || p.Fault != "silent" {
			t.Errorf("after four silent minutes: %+v", p)
		}
		b.Gesture(proven)
		synctest.Wait()
		if p := b.View().Points["button-204"]; !p.Armed || len(b.health.List()) != 0 {
			t.Errorf("proven again: %+v, %v", p, b.health.List())
		}
	})
}

func TestFaultsReplaceEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.Gesture(press.Gesture{Point: "button-204", Kind: press.Faulted, Fault: point.FaultTamper})
		b.tap("button-204") // an open housing is no reason not to hear a press
		b.open(t, 1)
		if b.View().Points["button-204"].Armed {
			t.Error("armed in spite of its fault")
		}
		b.Gesture(press.Gesture{Point: "button-204", Kind: press.Faulted, Fault: point.FaultStuck})
		synctest.Wait()
		if c := b.health.List(); len(c) != 1 || c[0].Name != "point-stuck:button-204" || !b.View().Points["button-204"].Active {
			t.Errorf("conditions %+v, point %+v", c, b.View().Points["button-204"])
		}
	})
}

func TestIdleEngineProvesThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &health.Registry{}
		clock := bubbleClock{start: time.Now()}
		e, err := engine.New(engine.Options{Site: site(), Journal: &disk{}, Clock: clock, Numbering: "e1", Pulse: h.Pulse("engine", 5*time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = e.Run(ctx) }()
		<-time.After(time.Minute)
		if s := h.Stalled(); len(s) != 0 {
			t.Errorf("stalled: %v", s)
		}
		cancel()
		<-done
		<-time.After(time.Minute)
		if s := h.Stalled(); len(s) != 1 {
			t.Errorf("an ended engine still beats: %v", s)
		}
	})
}

func TestStrangersReceiptsTakeNoMemoryAndNoEffect(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		b.Received("stranger", 1<<40, []uint64{1})
		b.truth(t, alert.TruthSaved)
		a := b.open(t, 1)[0]
		if err := b.Clear(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.Resolved}); err != nil {
			t.Fatal(err)
		}
		before := len(b.disk.types())
		b.Received("e1", 1, nil) // about a closed alert: nobody needs to know
		synctest.Wait()
		if after := len(b.disk.types()); after != before {
			t.Errorf("a receipt about a closed alert made events: %v", b.disk.types()[before:])
		}
	})
}

func TestPressHeardBeforeTheEndReachesTheJournal(t *testing.T) {
	d := &disk{}
	e, err := engine.New(engine.Options{Site: site(), Journal: d, Clock: bubbleClock{start: time.Now()}, Numbering: "e1"})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // handed over, and then the end comes
		e.Gesture(press.Gesture{Point: "button-204", Kind: press.Tap})
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Run(over); err != nil {
		t.Fatal(err)
	}
	if got := len(d.types()); got != 100 {
		t.Errorf("%d of 100 presses reached the journal", got)
	}
}
