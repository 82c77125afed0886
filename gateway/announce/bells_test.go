package announce

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
)

// bellAt is a rule of every day: a bell so long after noon.
func bellAt(id string, after time.Duration) timetable.Rule {
	return timetable.Rule{
		ID: id, Days: [7]bool{true, true, true, true, true, true, true}, At: 12*time.Hour + after,
		Name: alert.Text{RU: id}, Message: "bell", Zones: []string{"north"}, Bell: true,
	}
}

func TestABellRingsAtItsTimeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		s.table = timetable.Table{Rules: []timetable.Rule{
			bellAt("b1", time.Minute),
			{ID: "spot", Days: [7]bool{1: true}, At: 12*time.Hour + 2*time.Minute, Message: "lesson", Zones: []string{"*"}},
			{ID: "words", Days: [7]bool{1: true}, At: 12*time.Hour + 3*time.Minute, Words: alert.Text{RU: "own"}, Chime: alert.ChimeNone, Zones: []string{"*"}},
		}}
		defer s.open(school(), north(d))()
		wait(time.Hour)
		check(t, "the hour", d.names(), []string{"<bell>", "<gong>", "kk: lesson-kk", "ru: lesson-ru", "ru: own"})
		if at := d.heard()[0].at; at != time.Minute {
			t.Errorf("the bell rang at %v", at)
		}
		check(t, "the play log", s.events(), []string{
			"b1/2026-03-02 in north x1: said to its end", "spot/2026-03-02 in north x1: said to its end", "words/2026-03-02 in north x1: said to its end",
		})
		wait(24*time.Hour - 30*time.Minute)
		if names := d.names(); len(names) != 6 {
			t.Errorf("a day later %q", names[5:])
		}
	})
}

func TestABellIsDroppedWhere(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*stage, *driver)
		want int // bells heard within two minutes after
	}{
		{"nothing is in the way", func(*stage, *driver) {}, 1},
		{"hours are quiet", func(s *stage, _ *driver) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.table.Quiet = []timetable.Hours{{From: 12 * time.Hour, To: 13 * time.Hour}}
		}, 0},
		{"an emergency is open", func(s *stage, _ *driver) { s.raise(alert.Fire, alert.LevelEmergency, alert.Actual) }, 0},
		{"a drill is open", func(s *stage, _ *driver) { s.raise(alert.Fire, alert.LevelEmergency, alert.Exercise) }, 0},
		{"an emergency is open elsewhere", func(s *stage, _ *driver) { s.announce("n1", "far", alert.PriorityEmergency, "south") }, 1},
		{"the loudspeaker is away for a moment", func(_ *stage, d *driver) {
			d.set(func(d *driver) { d.slow = true })
			go func() {
				<-time.After(80 * time.Second)
				d.set(func(d *driver) { d.slow = false })
			}()
		}, 1},
		{"the loudspeaker is away for too long", func(_ *stage, d *driver) {
			d.set(func(d *driver) { d.slow = true })
			go func() {
				<-time.After(91 * time.Second)
				d.set(func(d *driver) { d.slow = false })
			}()
		}, 0},
		{"the loudspeaker is away for too long, and the clock is set back meanwhile", func(s *stage, d *driver) {
			d.set(func(d *driver) { d.slow = true })
			go func() {
				<-time.After(80 * time.Second)
				s.clock.set(func(c *stamps) { c.wall -= 15 * time.Second })
				<-time.After(15 * time.Second)
				d.set(func(d *driver) { d.slow = false })
			}()
		}, 0},
		{"the machine slept through it", func(s *stage, _ *driver) {
			s.clock.set(func(c *stamps) { c.wall += 91 * time.Second })
		}, 0},
		{"the machine slept until just after it", func(s *stage, _ *driver) {
			s.clock.set(func(c *stamps) { c.wall += 70 * time.Second })
		}, 1},
		{"the clock was set back after it had not rung", func(s *stage, _ *driver) {
			s.clock.set(func(c *stamps) { c.wall -= 30 * time.Second; c.synced = false })
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t)
				d := s.driver()
				s.table = timetable.Table{Rules: []timetable.Rule{bellAt("b1", time.Minute)}}
				defer s.open(school(), north(d))()
				wait(100 * time.Millisecond)
				c.do(s, d)
				wait(2 * time.Minute)
				bells := slices.DeleteFunc(d.names(), func(n string) bool { return n != "<bell>" })
				if len(bells) != c.want {
					t.Errorf("rang %d times, want %d: %q, conditions %q", len(bells), c.want, d.names(), s.conditions())
				}
			})
		})
	}
}

func TestABellRingsOnceWhateverTheClockDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		s.table = timetable.Table{Rules: []timetable.Rule{bellAt("b1", time.Minute)}}
		defer s.open(school(), north(d))()
		wait(20 * time.Minute)
		s.clock.set(func(c *stamps) { c.wall -= 20 * time.Minute })
		wait(20 * time.Minute)
		check(t, "heard", d.names(), []string{"<bell>"})
	})
}

func TestAnInterruptedBellIsNotRungAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		s.table = timetable.Table{Rules: []timetable.Rule{{
			ID: "spot", Days: [7]bool{1: true}, At: 12*time.Hour + time.Minute, Message: "lesson", Zones: []string{"*"},
		}}}
		defer s.open(school(), north(d))()
		wait(time.Minute + time.Second)
		s.announce("n1", "bus", 0, "north")
		wait(time.Minute)
		check(t, "heard", d.names(), append([]string{"<gong>", "kk: lesson-kk"}, notice("bus")...))
		check(t, "the play log", s.events(), []string{"spot/2026-03-02 in north x0: interrupted by n1", "n1 in north x1: said to its end"})
	})
}

func TestBellsNeedABelievableClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		s.table = timetable.Table{Rules: []timetable.Rule{bellAt("b1", time.Minute), bellAt("b2", 10*time.Minute)}}
		s.clock.set(func(c *stamps) { c.synced = false; c.wall -= 40 * 365 * 24 * time.Hour })
		defer s.open(school(), north(d))()
		wait(20 * time.Minute)
		if names, got := d.names(), s.conditions(); len(names) != 0 || got != "bells-clock" {
			t.Errorf("by a clock of long ago %q was heard, the conditions are %q", names, got)
		}
		s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(10 * time.Second)
		if len(d.names()) < 7 {
			t.Error("an emergency asked what time it is")
		}
		s.clear("fire-1")
		// It is set, to twenty past twelve less a moment after the bell was due.
		s.clock.set(func(c *stamps) { c.synced = true; c.wall += 40*365*24*time.Hour - 10*time.Minute - 5*time.Second })
		wait(time.Minute)
		if names, got := d.names(), s.conditions(); slices.Contains(names, "<bell>") || got != "" {
			t.Errorf("the clock was set, and %q was heard; conditions %q", names, got)
		}
		// Back by an hour, and nobody says that it is right.
		s.clock.set(func(c *stamps) { c.synced = false; c.wall -= time.Hour })
		wait(2 * time.Hour)
		if names, got := d.names(), s.conditions(); slices.Contains(names, "<bell>") || got != "bells-clock" {
			t.Errorf("set back, %q was heard; conditions %q", names, got)
		}
	})
}

// What was due before a start is not said after it.
func TestAStartReplaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		first := s.driver()
		s.table = timetable.Table{Rules: []timetable.Rule{bellAt("b1", time.Minute)}}
		stop := s.open(school(), north(first))
		gone := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		stays := s.raise(alert.Medical, alert.LevelEmergency, alert.Actual)
		s.announce("n1", "bus", 0, "north")
		wait(50 * time.Second)
		stop()
		wait(15 * time.Second) // the bell was due 5 s ago
		s.notices = nil        // as the engine forgets them
		s.clear(gone)
		s.ended = nil
		second := s.driver()
		defer s.open(school(), north(second))()
		wait(time.Second)
		if names := second.names(); len(names) == 0 || names[0] != "<emergency>" {
			t.Errorf("%s is open, and after a start %q is said", stays, names)
		}
		s.clear(stays)
		wait(time.Minute)
		for _, n := range second.names() {
			if n == "<bell>" || n == "<gong>" || n == "<evacuate>" {
				t.Errorf("%q was said again after a start", n)
			}
		}
	})
}
