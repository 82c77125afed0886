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

// ended returns what the view says is over.
func (b *bench) ended(t *testing.T, want int) []alert.Ended {
	t.Helper()
	synctest.Wait()
	got := b.View().Ended
	if len(got) != want {
		t.Fatalf("%d are over, want %d: %+v", len(got), want, got)
	}
	return got
}

// clear closes an alert for all its presses.
func (b *bench) clear(t *testing.T, a alert.Alert) {
	t.Helper()
	if err := b.Clear(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.Resolved}); err != nil {
		t.Fatal(err)
	}
}

func TestAClearedEmergencyIsOverForAWhile(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204b")
		a := b.open(t, 1)[0]
		b.clear(t, a)
		over := b.ended(t, 1)[0]
		if over.Alert.ID != a.ID || over.Outcome != alert.Resolved || over.Alert.Level() != alert.LevelEmergency {
			t.Errorf("over: %+v", over)
		}
		<-time.After(alert.AllClearFor - time.Second)
		b.ended(t, 1)
		<-time.After(time.Second)
		b.ended(t, 0)
	})
}

func TestANewPressTakesTheAllClearBack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204b")
		b.clear(t, b.open(t, 1)[0])
		before := b.ended(t, 1)
		b.tap("button-204b")
		again := b.open(t, 1)[0]
		b.ended(t, 0)
		if len(before) != 1 {
			t.Error("an old view changed")
		}
		b.clear(t, again)
		b.ended(t, 1)
	})
}

func TestAQuietCallIsNeverOverInPublic(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.tap("button-204")
		a := b.open(t, 1)[0]
		if a.Level() != alert.LevelHelp {
			t.Fatalf("the call is %v", a.Level())
		}
		b.clear(t, a)
		b.ended(t, 0)
	})
}

func TestTheEndOfADrillIsToldAsADrill(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := errors.Join(b.StartDrill(t.Context(), fireDrill()), b.EndDrill(t.Context(), engine.Drill{})); err != nil {
			t.Fatal(err)
		}
		if over := b.ended(t, 1)[0]; over.Alert.Status() != alert.Exercise {
			t.Errorf("over: %+v", over)
		}
	})
}

func TestAnAnnouncementIsEndedByAPerson(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.Announce(t.Context(), alert.Notice{ID: "n1", Text: alert.Text{EN: "x"}, For: time.Hour}); err != nil {
			t.Fatal(err)
		}
		end := alert.Decision{Alert: "n1", Origin: "console", Who: "duty"}
		if err := b.EndAnnouncement(t.Context(), end); err != nil || len(b.View().Notices) != 0 {
			t.Errorf("%v, and %+v stands", err, b.View().Notices)
		}
		if err := b.EndAnnouncement(t.Context(), end); !errors.Is(err, engine.ErrNoNotice) {
			t.Errorf("ended twice: %v", err)
		}
		events := b.disk.recorded()
		if last := events[len(events)-1]; last.Type != alert.AnnouncementEnded || last.Who != "duty" || last.Subject != "n1" {
			t.Errorf("journalled %+v", last)
		}
	})
}

func TestAMessageBringsItsTextAndPriority(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.Announce(t.Context(), alert.Notice{Message: "assembly", Zones: []string{"yard"}, For: time.Minute}); err != nil {
			t.Fatal(err)
		}
		n := b.View().Notices[0]
		if n.Text.EN != "Assembly" || n.Priority != alert.PriorityEmergency {
			t.Errorf("notice %+v", n)
		}
		if ev := b.disk.recorded()[0]; ev.Priority != alert.PriorityEmergency || len(ev.Zones) != 1 {
			t.Errorf("journalled %+v", ev)
		}
		for _, wrong := range []alert.Notice{{Message: "nothing", For: time.Minute}, {Message: "bell", For: time.Minute}, {Text: alert.Text{EN: "x"}, For: time.Minute, Zones: []string{"moon"}}, {Text: alert.Text{EN: "x"}, For: time.Minute, Priority: 9}} {
			if err := b.Announce(t.Context(), wrong); !errors.Is(err, engine.ErrNotice) {
				t.Errorf("%+v: %v", wrong, err)
			}
		}
		if err := b.Announce(context.Background(), alert.Notice{Text: alert.Text{EN: "x"}, For: time.Minute, Zones: []string{alert.Everywhere}}); err != nil || b.View().Notices[0].Priority != alert.PriorityNotice {
			t.Errorf("everywhere: %v, %+v", err, b.View().Notices[0])
		}
	})
}
