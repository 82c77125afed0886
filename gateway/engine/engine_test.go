package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/engine"
	"nabat/gateway/health"
	"nabat/gateway/press"
	"nabat/hw/point"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// disk stands for the journal: it numbers events in order and answers when the
// test lets it. The real journal is used in the end-to-end tests of cmd/nabat.
type disk struct {
	mu      sync.Mutex
	seq     uint64
	stalled bool
	err     error // the answer's error: rows are kept, but not durable
	waiting []func()
	events  []alert.Event
}

func (d *disk) Append(e alert.Event, done func(alert.Ref, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	commit := func() {
		d.seq++
		d.events = append(d.events, e)
		if done != nil {
			go done(alert.Ref{Epoch: "e1", Seq: d.seq}, d.err)
		}
	}
	if d.stalled {
		d.waiting = append(d.waiting, commit)
		return
	}
	commit()
}

func (d *disk) stall() { d.mu.Lock(); d.stalled = true; d.mu.Unlock() }

func (d *disk) flow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stalled = false
	for _, commit := range d.waiting {
		commit()
	}
	d.waiting = nil
}

func (d *disk) recorded() []alert.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.events)
}

func (d *disk) types() []alert.Type {
	d.mu.Lock()
	defer d.mu.Unlock()
	var t []alert.Type
	for _, e := range d.events {
		t = append(t, e.Type)
	}
	return t
}

// bubbleClock is the clock of a synctest bubble.
type bubbleClock struct{ start time.Time }

func (c bubbleClock) Now() alert.Stamp {
	return alert.Stamp{Wall: time.Now().UTC(), Boot: "b1", Mono: time.Since(c.start), Synced: true}
}

type bench struct {
	*engine.Engine
	disk   *disk
	health *health.Registry
	clock  bubbleClock
}

func site() *alert.Site {
	return &alert.Site{
		ID: "school-12", Gateway: "main", Language: alert.English,
		Places: map[string]alert.Place{
			"room-204": {ID: "room-204", Path: []alert.Text{{EN: "Main building"}, {EN: "Room 204"}}},
			"gym":      {ID: "gym", Path: []alert.Text{{EN: "Gym"}}},
		},
		Buttons: []alert.Button{
			{ID: "button-204", Place: "room-204", Tap: alert.Action{Kind: alert.Intruder, Level: alert.LevelHelp}, Hold: alert.Action{Kind: alert.Intruder, Level: alert.LevelEmergency}},
			{ID: "button-204b", Place: "room-204", Tap: alert.Action{Kind: alert.Intruder, Level: alert.LevelEmergency}},
			{ID: "button-gym", Place: "gym", Tap: alert.Action{Kind: alert.Help, Level: alert.LevelHelp}, Hold: alert.Action{Kind: alert.Medical, Level: alert.LevelEmergency}},
		},
		Plans: []alert.Plan{{Kind: alert.Help, Level: alert.LevelHelp, Escalation: []alert.Step{
			{After: time.Minute, To: "head"}, {After: 2 * time.Minute, Level: alert.LevelEmergency, To: "dispatch"},
		}}},
		Zones:    []alert.Zone{{ID: "yard", Name: alert.Text{EN: "Yard"}}},
		Messages: []alert.Message{{ID: "assembly", Text: alert.Text{EN: "Assembly"}, Priority: alert.PriorityEmergency}, {ID: "bell", Silent: true}},
	}
}

// inBubble runs f beside a running engine.
func inBubble(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{disk: &disk{}, health: &health.Registry{}, clock: bubbleClock{start: time.Now()}}
		var err error
		b.Engine, err = engine.New(engine.Options{Site: site(), Journal: b.disk, Clock: b.clock, Numbering: "e1", Health: b.health})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		f(t, b)
		cancel()
		if err := <-ended; err != nil {
			t.Error("Run:", err)
		}
	})
}

func (b *bench) tap(id string) {
	b.Gesture(press.Gesture{Point: id, Kind: press.Tap, At: b.clock.Now().Mono})
	synctest.Wait()
}

func (b *bench) hold(id string) {
	b.Gesture(press.Gesture{Point: id, Kind: press.Hold, At: b.clock.Now().Mono})
	synctest.Wait()
}

func (b *bench) open(t *testing.T, want int) []alert.Alert {
	t.Helper()
	synctest.Wait()
	open := b.View().State.Open()
	if len(open) != want {
		t.Fatalf("%d open alerts, want %d: %+v", len(open), want, open)
	}
	return open
}

func (b *bench) truth(t *testing.T, want alert.Truth) {
	t.Helper()
	a := b.open(t, 1)[0]
	if got := b.View().Truth(a); got != want {
		t.Errorf("truth %v, want %v", got, want)
	}
}

func TestRaiseActsBeforeItIsRecorded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.disk.stall()
		b.tap("button-204")
		b.truth(t, alert.TruthRaised)
		b.disk.flow()
		b.truth(t, alert.TruthSaved)
	})
}

func TestClearIsRecordedBeforeItActs(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		a := b.open(t, 1)[0]
		b.disk.stall()
		cleared := make(chan error, 1)
		go func() {
			cleared <- b.Clear(context.Background(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.Resolved})
		}()
		b.open(t, 1)
		b.disk.flow()
		if err := <-cleared; err != nil {
			t.Fatal(err)
		}
		b.open(t, 0)
	})
}

func TestPressDuringStalledClearStaysOpen(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		a := b.open(t, 1)[0]
		b.disk.stall()
		cleared := make(chan error, 1)
		go func() {
			cleared <- b.Clear(context.Background(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.Resolved})
		}()
		synctest.Wait()
		b.tap("button-204b")
		b.disk.flow()
		if err := <-cleared; err != nil {
			t.Fatal(err)
		}
		left := b.open(t, 1)[0]
		if left.Last.Point != "button-204b" || left.Level() != alert.LevelEmergency {
			t.Errorf("the second press should stand alone: %+v", left)
		}
	})
}

func TestClearTimesOutHonestlyAndStillHappens(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		a := b.open(t, 1)[0]
		b.disk.stall()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := b.Clear(ctx, alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.FalsePress})
		if !errors.Is(err, engine.ErrNotYet) {
			t.Fatalf("got %v, want ErrNotYet", err)
		}
		b.open(t, 1)
		b.disk.flow()
		b.open(t, 0)
	})
}

func TestClearWithoutDiskActsAndSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		a := b.open(t, 1)[0]
		b.disk.err = errors.New("read-only file system")
		err := b.Clear(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.Resolved})
		if !errors.Is(err, alert.ErrNotDurable) {
			t.Fatalf("got %v, want alert.ErrNotDurable", err)
		}
		b.open(t, 0)
	})
}

func TestWithoutDiskThePressIsNeverCalledSaved(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.disk.err = errors.New("read-only file system")
		b.tap("button-204")
		b.truth(t, alert.TruthRaised)
		b.Sent(alert.Ref{Epoch: "e1", Seq: 1})
		b.truth(t, alert.TruthSent)
	})
}

func TestTruthsInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		b.truth(t, alert.TruthSaved)
		b.Sent(alert.Ref{Epoch: "e1", Seq: 1})
		b.truth(t, alert.TruthSent)
		b.Received("other", 99, nil)
		b.truth(t, alert.TruthSent)
		b.Received("e1", 0, []uint64{1})
		b.truth(t, alert.TruthReceived)
		a := b.open(t, 1)[0]
		if err := b.Acknowledge(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Who: "duty"}); err != nil {
			t.Fatal(err)
		}
		b.truth(t, alert.TruthAccepted)
		if got := b.View().Proofs[a.Key]; got != alert.TruthReceived {
			t.Errorf("proof %v of an accepted press that was received", got)
		}
		b.tap("button-204") // a new press is not accepted yet
		b.truth(t, alert.TruthSaved)
	})
}

func TestReceiptBeforeTheCommitWasNoticed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.disk.stall()
		b.tap("button-204")
		b.Sent(alert.Ref{Epoch: "e1", Seq: 1})
		b.Received("e1", 1, nil)
		b.truth(t, alert.TruthRaised)
		b.disk.flow()
		b.truth(t, alert.TruthReceived)
	})
}

func TestHoldEscalatesTheSameAlert(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		b.hold("button-204")
		a := b.open(t, 1)[0]
		if a.Level() != alert.LevelEmergency || a.Last.Gesture != alert.Hold {
			t.Errorf("after a hold: %+v", a)
		}
		if got := b.disk.types(); len(got) != 2 || got[1] != alert.Escalated {
			t.Errorf("journalled %v", got)
		}
	})
}

func TestHoldAfterClearRaisesAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		a := b.open(t, 1)[0]
		if err := b.Clear(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.FalsePress}); err != nil {
			t.Fatal(err)
		}
		b.hold("button-204")
		if again := b.open(t, 1)[0]; again.ID == a.ID || again.Level() != alert.LevelEmergency {
			t.Errorf("the hold must be an alert of its own: %+v", again)
		}
	})
}

func TestHoldOfAnotherKindRaisesASecondAlert(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-gym")
		b.hold("button-gym")
		open := b.open(t, 2)
		if open[0].Kind != alert.Medical || open[1].Kind != alert.Help {
			t.Errorf("emergencies come first: %v, %v", open[0].Kind, open[1].Kind)
		}
	})
}

func TestEscalationByDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-gym")
		<-time.After(time.Minute)
		if a := b.open(t, 1)[0]; a.HelpSteps.Done != 1 || a.Level() != alert.LevelHelp {
			t.Errorf("after a minute: %+v", a)
		}
		<-time.After(time.Minute)
		if a := b.open(t, 1)[0]; a.HelpSteps.Done != 2 || a.Level() != alert.LevelEmergency {
			t.Errorf("after two minutes: %+v", a)
		}
		<-time.After(time.Hour)
		steps := 0
		for _, typ := range b.disk.types() {
			if typ == alert.Escalated {
				steps++
			}
		}
		if steps != 2 {
			t.Errorf("journalled %v: a step is done once", b.disk.types())
		}
	})
}

func TestAcceptedAlertDoesNotEscalate(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-gym")
		a := b.open(t, 1)[0]
		if err := b.Acknowledge(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		if a := b.open(t, 1)[0]; a.HelpSteps.Done != 0 {
			t.Errorf("escalated although accepted: %+v", a)
		}
	})
}

func TestFaultIsNamedAndIsNoPress(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.Gesture(press.Gesture{Point: "button-204", Kind: press.Faulted, Fault: point.FaultLost, Detail: "the chip is gone"})
		b.open(t, 0)
		if c := b.health.List(); len(c) != 1 || c[0].Name != "point-lost:button-204" {
			t.Fatalf("conditions %+v", c)
		}
		if p := b.View().Points["button-204"]; p.Armed || p.Fault != "lost" {
			t.Errorf("point %+v", p)
		}
		b.Gesture(press.Gesture{Point: "button-204", Kind: press.Restored})
		synctest.Wait()
		if c := b.health.List(); len(c) != 0 {
			t.Errorf("conditions %+v", c)
		}
		if got := b.disk.types(); len(got) != 2 || got[0] != alert.PointFault || got[1] != alert.PointRestored {
			t.Errorf("journalled %v", got)
		}
	})
}

func TestDecisionsAboutNothingAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		a := b.open(t, 1)[0]
		for name, d := range map[string]alert.Decision{
			"unknown alert":   {Alert: "nobody", Number: 1, Outcome: alert.Resolved},
			"press to come":   {Alert: a.ID, Number: a.Last.Number + 1, Outcome: alert.Resolved},
			"no press":        {Alert: a.ID, Outcome: alert.Resolved},
			"unknown outcome": {Alert: a.ID, Number: a.Last.Number, Outcome: "gone"},
		} {
			if err := b.Clear(t.Context(), d); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		b.open(t, 1)
	})
}

func TestDecisionAfterTheEndIsRefused(t *testing.T) {
	eng, err := engine.New(engine.Options{Site: site(), Journal: &disk{}, Clock: bubbleClock{start: time.Now()}, Numbering: "e1"})
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := eng.Run(over); err != nil {
		t.Fatal(err)
	}
	if err := eng.Acknowledge(t.Context(), alert.Decision{Alert: "x", Number: 1}); !errors.Is(err, engine.ErrStopped) {
		t.Errorf("got %v", err)
	}
}

func TestStateOfTheJournalIsShownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := alert.Event{Type: alert.Raised, Subject: "a1", Numbering: "e1", Number: 41, Kind: alert.Fire, Level: alert.LevelEmergency, Status: alert.Actual, Place: &alert.Location{ID: "gym"}}
		state := alert.State{}.Next(e)
		key, _ := e.Key()
		clock := bubbleClock{start: time.Now()}
		eng, err := engine.New(engine.Options{
			Site: site(), Journal: &disk{}, Clock: clock, Numbering: "e1",
			State: state, Saved: map[alert.Key]alert.Ref{key: {Epoch: "e1", Seq: 7}},
		})
		if err != nil {
			t.Fatal(err)
		}
		v := eng.View()
		if open := v.State.Open(); len(open) != 1 || v.Truth(open[0]) != alert.TruthSaved {
			t.Errorf("view before Run: %+v", v)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = eng.Run(ctx) }()
		eng.Gesture(press.Gesture{Point: "button-gym", Kind: press.Tap})
		synctest.Wait()
		for _, a := range eng.View().State.Open() {
			if a.Kind == alert.Help && a.Last.Number <= 41 {
				t.Errorf("press number %d does not go on after 41", a.Last.Number)
			}
		}
		cancel()
		<-done
	})
}
