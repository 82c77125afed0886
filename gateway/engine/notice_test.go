package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/engine"
)

func TestAnnouncementStandsForItsTimeAndIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		text := alert.Text{RU: "Сбор в зале", KK: "Залға жиналу", EN: "Meet in the gym"}
		n := alert.Notice{ID: "n1", Text: text, For: time.Minute, Origin: "dispatch", Who: "op-7", Command: "c1", Screens: []string{"hall"}}
		if err := b.Announce(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if got := b.View().Notices; len(got) != 1 || got[0].Text != text || got[0].Status != alert.Actual {
			t.Fatalf("notices %+v", got)
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if got := b.View().Notices; len(got) != 0 {
			t.Errorf("after its time: %+v", got)
		}
		started, ended := b.disk.recorded()[0], b.disk.recorded()[1]
		if started.Type != alert.AnnouncementStarted || ended.Type != alert.AnnouncementEnded {
			t.Fatalf("journalled %v", b.disk.types())
		}
		for _, e := range []alert.Event{started, ended} {
			if e.Subject != "n1" || e.Text == nil || *e.Text != text || e.Command != "c1" || e.Who != "op-7" {
				t.Errorf("event %+v", e)
			}
		}
		if !started.Until.Equal(started.At.Wall.Add(time.Minute)) {
			t.Errorf("until %v", started.Until)
		}
	})
}

func TestNewestAnnouncementFirstAndOnlySoMany(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for i := range 20 {
			n := alert.Notice{ID: string(rune('a' + i)), Text: alert.Text{EN: "x"}, For: engine.MaxNotice}
			if err := b.Announce(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		before := b.View()
		if err := b.Announce(t.Context(), alert.Notice{ID: "t", Text: alert.Text{EN: "corrected"}, For: time.Minute}); err != nil {
			t.Fatal(err)
		}
		got := b.View().Notices
		if len(got) != 8 || got[0].Text.EN != "corrected" || got[1].ID != "s" {
			t.Errorf("notices %+v", got)
		}
		if before.Notices[0].Text.EN != "x" {
			t.Error("an old view changed")
		}
	})
}

// What is urgent does not give way to what is not.
func TestTheLeastUrgentAnnouncementGivesWay(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for i := range 20 {
			n := alert.Notice{ID: string(rune('a' + i)), Text: alert.Text{EN: "x"}, For: engine.MaxNotice, Priority: alert.PriorityNotice}
			switch i {
			case 0:
				n.Priority = alert.PriorityEvacuate
			case 1, 19:
				n.Priority = alert.PriorityRoutine
			}
			if err := b.Announce(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		ids := ""
		for _, n := range b.View().Notices {
			ids += n.ID
		}
		if ids != "tsrqpona" {
			t.Errorf("%s stand", ids)
		}
	})
}

func TestAnnouncementsEndWithTheGateway(t *testing.T) {
	var d *disk
	inBubble(t, func(t *testing.T, b *bench) {
		d = b.disk
		if err := b.Announce(t.Context(), alert.Notice{Text: alert.Text{EN: "x"}, For: time.Hour}); err != nil {
			t.Fatal(err)
		}
	})
	if got := d.types(); len(got) != 2 || got[1] != alert.AnnouncementEnded {
		t.Errorf("journalled %v", got)
	}
}

func TestWhatIsNoAnnouncement(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for name, n := range map[string]alert.Notice{
			"no text":       {For: time.Minute},
			"blank":         {Text: alert.Text{RU: "  "}, For: time.Minute},
			"endless":       {Text: alert.Text{RU: "x"}},
			"too long":      {Text: alert.Text{RU: "x"}, For: 2 * time.Hour},
			"a novel":       {Text: alert.Text{KK: strings.Repeat("ә", engine.MaxNoticeText+1)}, For: time.Minute},
			"control codes": {Text: alert.Text{EN: "a\x1b[2J"}, For: time.Minute},
			"bytes":         {Text: alert.Text{EN: "\xff"}, For: time.Minute},
			"screens":       {Text: alert.Text{EN: "x"}, For: time.Minute, Screens: make([]string, 65)},
		} {
			if err := b.Announce(t.Context(), n); !errors.Is(err, engine.ErrNotice) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := b.disk.types(); len(got) != 0 {
			t.Errorf("journalled %v", got)
		}
	})
}
