package announce

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/words"
	"nabat/hw/audio"
)

// says returns how a clip of one of the usual texts is called in a recording.
func says(l alert.Language, key string) string { return string(l) + ": " + words.In(l).Get(key) }

func place(l alert.Language) string {
	return string(l) + ": " + words.In(l).Fill("pa.place", "place", fmt.Sprintf("room-%s, floor-%s", l, l))
}

func fire() []string {
	return []string{
		"<evacuate>",
		says("kk", "pa.kind.fire"), says("kk", "pa.do.Evacuate"), place("kk"),
		says("ru", "pa.kind.fire"), says("ru", "pa.do.Evacuate"), place("ru"),
	}
}

func intruder() []string {
	return []string{
		"<emergency>", says("kk", "pa.kind.intruder"), says("kk", "pa.do.Shelter"),
		says("ru", "pa.kind.intruder"), "ru: shelter-ru",
	}
}

func notice(text string) []string {
	return []string{"<gong>", "kk: " + text + "-kk", "ru: " + text + "-ru"}
}

func north(d *driver) Speaker { return Speaker{ID: "hall", Zones: []string{"north"}, Driver: d} }

func check(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s is\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestAnEmergencyIsSaidAtOnceUntilItIsCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), north(d))()
		wait(time.Minute)
		begin := time.Since(d.begin)
		id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(time.Minute)
		heard := d.heard()
		if len(heard) == 0 || heard[0].at != begin {
			t.Fatalf("pressed at %v, heard %v", begin, heard)
		}
		check(t, "the first time", d.names()[:7], fire())
		check(t, "the second time", d.names()[7:14], fire())
		if list := s.job.Sounding(); len(list) != 2 || list[0].Announcement != id || list[0].Speakers != 1 || list[0].Times < 4 || list[1].Speakers != 0 {
			t.Errorf("sounding is %+v", list)
		}
		s.clear(id)
		cleared := time.Since(d.begin)
		wait(time.Minute)
		heard = d.heard()
		i := slices.IndexFunc(heard, func(s sounded) bool { return s.name == "<all-clear>" })
		if i < 0 {
			t.Fatal("no all-clear")
		}
		if before := heard[i-1]; before.at+before.long > cleared+audio.Frame {
			t.Errorf("cleared at %v, the alarm was heard until %v", cleared, before.at+before.long)
		}
		if after := heard[i].at - cleared; after > audio.Frame {
			t.Errorf("the all-clear came %v after the clear", after)
		}
		check(t, "the end", d.names()[i:], []string{"<all-clear>", says("kk", "pa.over"), says("ru", "pa.over")})
		events := s.events()
		if len(events) != 2 || !strings.HasPrefix(events[0], id+" in north x") || !strings.HasSuffix(events[0], "no longer due") ||
			events[1] != id+" in north x1: said to its end" {
			t.Errorf("the play log is %q", events)
		}
		if d.count().open != 0 {
			t.Error("the output is not given back")
		}
	})
}

func TestADrillSaysThatItIsOneBeforeAndAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), north(d))()
		id := s.raise(alert.Intruder, alert.LevelEmergency, alert.Exercise)
		wait(20 * time.Second)
		check(t, "the drill", d.names()[:9], []string{
			"<emergency>",
			says("kk", "pa.drill"), says("kk", "pa.kind.intruder"), says("kk", "pa.do.Shelter"), says("kk", "pa.drill"),
			says("ru", "pa.drill"), says("ru", "pa.kind.intruder"), "ru: shelter-ru", says("ru", "pa.drill"),
		})
		s.clear(id)
		wait(20 * time.Second)
		names := d.names()
		check(t, "its end", names[len(names)-3:], []string{"<all-clear>", says("kk", "pa.over.drill"), says("ru", "pa.over.drill")})
	})
}

func TestADrillThatCannotBeCalledOneIsNotSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), north(d))()
		s.voices.set(func(v *voices) {
			v.without = func(l alert.Language, text string) bool {
				return l == alert.Kazakh && text == words.In(l).Get("pa.drill")
			}
		})
		id := s.raise(alert.Intruder, alert.LevelEmergency, alert.Exercise)
		wait(8 * time.Second)
		if names := d.names(); len(names) < 5 || names[1] != says("ru", "pa.drill") || slices.Contains(names, says("kk", "pa.kind.intruder")) {
			t.Errorf("heard %q", names)
		}
		if got := s.conditions(); got != "unspoken:kk" {
			t.Errorf("conditions are %q", got)
		}
		s.clear(id)
		s.voices.set(func(v *voices) {
			v.without = func(l alert.Language, text string) bool { return text == words.In(l).Get("pa.drill") }
		})
		wait(20 * time.Second)
		before := len(d.heard())
		s.raise(alert.Intruder, alert.LevelEmergency, alert.Exercise)
		wait(time.Minute)
		if names := d.names()[before:]; len(names) != 0 {
			t.Errorf("a drill without the words of a drill says %q", names)
		}
	})
}

func TestAnEmergencyInterruptsANoticeWhichBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), north(d))()
		s.announce("n1", "bus", 0, "north")
		wait(time.Second)
		at := time.Since(d.begin)
		id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(10 * time.Second)
		heard := d.heard()
		check(t, "what was heard", d.names()[:9], append([]string{"<gong>", "kk: bus-kk"}, fire()...))
		if late := heard[2].at - at; late > audio.Frame {
			t.Errorf("the emergency began %v after the press", late)
		}
		s.ended = nil
		s.clear(id)
		wait(time.Minute)
		names := d.names()
		check(t, "the end", names[len(names)-3:], notice("bus"))
		if got := len(slices.DeleteFunc(names, func(n string) bool { return n != "<gong>" })); got != 2 {
			t.Errorf("the gong was heard %d times, want twice: a notice is said once", got)
		}
		check(t, "the play log", s.events(), []string{
			"n1 in north x0: interrupted by " + id, id + " in north x1: no longer due", id + " in north x1: said to its end", "n1 in north x1: said to its end",
		})
	})
}

func TestARealEmergencyGoesBeforeTheDrillOfAWorseOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), north(d))()
		s.raise(alert.Fire, alert.LevelEmergency, alert.Exercise)
		wait(3 * time.Second)
		before := len(d.heard())
		s.raise(alert.Intruder, alert.LevelEmergency, alert.Actual)
		wait(30 * time.Second)
		for i, n := range d.names()[before:] {
			if n != intruder()[i%5] {
				t.Fatalf("sound %d is %q, want %q", i, n, intruder()[i%5])
			}
		}
	})
}

func TestEmergenciesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), north(d))()
		s.raise(alert.Intruder, alert.LevelEmergency, alert.Actual)
		wait(30 * time.Second)
		s.raise(alert.Medical, alert.LevelEmergency, alert.Actual)
		before := len(d.heard())
		wait(time.Minute)
		var turns []string
		for _, n := range d.names()[before:] {
			if n == says("ru", "pa.kind.medical") || n == says("ru", "pa.kind.intruder") {
				turns = append(turns, n)
			}
		}
		if len(turns) < 6 {
			t.Fatalf("%d turns in a minute", len(turns))
		}
		for i := 2; i < len(turns); i++ {
			if turns[i] == turns[i-1] {
				t.Errorf("turns are %q", turns)
				break
			}
		}
		if events := s.events(); len(events) != 0 {
			t.Errorf("nothing has ended, and the play log is %q", events)
		}
	})
}

func TestNothingIsSaidOfAQuietAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		site := school()
		site.Plans = append(site.Plans, alert.Plan{Kind: alert.Bullying, Level: alert.LevelHelp, Zones: []string{"*"}, ShowPlace: true})
		d := s.driver()
		defer s.open(site, north(d))()
		id := s.raise(alert.Bullying, alert.LevelHelp, alert.Actual)
		wait(time.Minute)
		s.clear(id)
		s.ended = []alert.Ended{{Alert: func() alert.Alert { a, _ := s.state.Find(id); a.Cleared = alert.Mark{}; return a }(), At: s.clock.Now()}}
		s.show()
		wait(time.Minute)
		if names := d.names(); len(names) != 0 || len(s.job.Sounding()) != 0 || len(s.events()) != 0 {
			t.Errorf("a quiet alert was said: %q", names)
		}
	})
}

func TestWordsThatAreMissingAreLeftOut(t *testing.T) {
	for _, c := range []struct {
		name    string
		without func(alert.Language, string) bool
		want    []string
		set     string
	}{
		{"one language", func(l alert.Language, _ string) bool { return l == alert.Kazakh },
			[]string{"<evacuate>", says("ru", "pa.kind.fire"), says("ru", "pa.do.Evacuate"), place("ru"), "<evacuate>"}, "unspoken:kk"},
		{"one text", func(_ alert.Language, text string) bool { return strings.Contains(text, "room-kk") },
			append([]string{"<evacuate>", says("kk", "pa.kind.fire"), says("kk", "pa.do.Evacuate")}, fire()[4:]...), "unspoken:kk"},
		{"all", func(alert.Language, string) bool { return true }, []string{"<evacuate>", "<evacuate>", "<evacuate>"}, "unspoken:kk unspoken:ru"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t)
				s.voices.without = c.without
				d := s.driver()
				defer s.open(school(), north(d))()
				id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
				wait(15 * time.Second)
				check(t, "heard", d.names()[:min(len(c.want), len(d.names()))], c.want)
				if got := s.conditions(); got != c.set {
					t.Errorf("conditions are %q, want %q", got, c.set)
				}
				if len(s.voices.asked) == 0 {
					t.Error("nobody asked for the words")
				}
				s.clear(id)
				wait(20 * time.Minute)
				s.ended = nil
				s.show()
				wait(10 * time.Second)
				if got := s.conditions(); got != "" {
					t.Errorf("conditions afterwards are %q", got)
				}
			})
		})
	}
}

func TestANoticeWaitsForItsWordsAndAnEmergencyDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), north(d))()
		s.voices.set(func(v *voices) {
			v.without = func(_ alert.Language, text string) bool { return strings.HasPrefix(text, "new") }
		})
		s.announce("n1", "new", alert.PriorityNotice, "north")
		wait(2 * time.Second)
		if names := d.names(); len(names) != 0 {
			t.Errorf("a notice without words said %q", names)
		}
		if got := s.conditions(); got != "" {
			t.Errorf("words that are on their way are the condition %q", got)
		}
		s.voices.set(func(v *voices) { v.without = func(alert.Language, string) bool { return false } })
		wait(20 * time.Second)
		check(t, "the notice", d.names(), notice("new"))

		s.voices.set(func(v *voices) {
			v.without = func(_ alert.Language, text string) bool { return strings.HasPrefix(text, "new2") }
		})
		s.announce("n2", "new2", alert.PriorityNotice, "north")
		wait(renderFor + time.Second)
		check(t, "one whose words never come", d.names()[3:], []string{"<gong>"})

		s.announce("n3", "new2", alert.PriorityEmergency, "north")
		wait(time.Second)
		check(t, "an emergency's", d.names()[4:], []string{"<emergency>"})
		s.voices.set(func(v *voices) { v.without = func(alert.Language, string) bool { return false } })
		wait(5 * time.Second)
		if names := d.names(); !slices.Contains(names, "kk: new2-kk") || !slices.Contains(names, "ru: new2-ru") {
			t.Errorf("once its words are there it says %q", names)
		}
	})
}

func TestAZoneWithoutLoudspeakersShowsWhatItWouldSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.voices.without = func(alert.Language, string) bool { return true }
		stop := s.open(school())
		defer stop()
		s.announce("n1", "bus", 0, "south")
		synctest.Wait()
		list := s.job.Sounding()
		if len(list) != 1 || list[0].Zone != "south" || list[0].Text.RU != "bus-ru" || list[0].Text.KK != "bus-kk" || list[0].Speakers+list[0].Silent != 0 {
			t.Fatalf("sounding is %+v", list)
		}
		changed := s.job.Changed()
		wait(20 * time.Second)
		select {
		case <-changed:
		default:
			t.Error("nobody was told of the end")
		}
		if list := s.job.Sounding(); len(list) != 0 {
			t.Errorf("a notice that would be over by now still stands: %+v", list)
		}
		stop()
		if events := s.events(); len(events) != 0 {
			t.Errorf("nobody could hear it, and the play log says %q", events)
		}
		if got := s.conditions(); got != "" {
			t.Errorf("conditions are %q", got)
		}
	})
}

func TestTheEndIsSilentAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		stop := s.open(school(), north(d))
		id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(5 * time.Second)
		at := time.Since(d.begin)
		stop()
		heard := d.heard()
		if last := heard[len(heard)-1]; last.at+last.long > at+time.Millisecond {
			t.Errorf("stopped at %v, heard until %v", at, last.at+last.long)
		}
		if d.count().open != 0 || d.count().closed != 1 {
			t.Errorf("%d streams open, the driver closed %d times", d.count().open, d.count().closed)
		}
		check(t, "the play log", s.events(), []string{id + " in north x0: the gateway stops"})
	})
}

func TestAnEmergencyHasADriverOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		usual, urgent := s.driver(), s.driver()
		defer s.open(school(), Speaker{ID: "hall", Zones: []string{"*"}, Driver: usual, Emergency: urgent})()
		s.announce("n1", "bus", 0, "north")
		wait(time.Second)
		id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(10 * time.Second)
		check(t, "the usual group", usual.names(), []string{"<gong>", "kk: bus-kk"})
		check(t, "the group for emergencies", urgent.names()[:7], fire())
		s.clear(id)
		wait(20 * time.Second)
		check(t, "the usual group afterwards", usual.names()[2:], notice("bus"))
		if usual.count().open+urgent.count().open != 0 {
			t.Error("an output is not given back")
		}
	})
}

func TestALoudspeakerOfTwoZones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), Speaker{ID: "hall", Zones: []string{"*"}, Driver: d})()
		id := s.raise(alert.Medical, alert.LevelEmergency, alert.Actual)
		s.announce("n1", "bus", 0, "*")
		wait(5 * time.Second)
		if list := s.job.Sounding(); len(list) != 1 || list[0].Zone != "north" {
			t.Errorf("sounding is %+v", list)
		}
		s.clear(id)
		wait(20 * time.Second)
		names := d.names()
		check(t, "the end", names[len(names)-3:], notice("bus"))
		check(t, "the play log", s.events(), []string{
			id + " in north x0: no longer due", id + " in north x1: said to its end", "n1 in north x1: said to its end", "n1 in south x1: said to its end",
		})
	})
}

// An all-clear that gave way to another emergency is not said a second time.
func TestAnAllClearIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), north(d))()
		s.clear(s.raise(alert.Fire, alert.LevelEmergency, alert.Actual))
		wait(10 * time.Second)
		s.announce("n1", "urgent", alert.PriorityEmergency, "north")
		wait(10 * time.Second)
		s.end("n1")
		wait(time.Minute)
		if n := len(slices.DeleteFunc(d.names(), func(n string) bool { return n != "<all-clear>" })); n != 1 {
			t.Errorf("the all-clear was heard %d times: %q", n, d.names())
		}
	})
}

func TestAnEmergencyWithoutAnySoundHasItsUsualChime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		site := school()
		site.Messages = append(site.Messages, alert.Message{ID: "out", Text: alert.Text{RU: "out"}, Chime: alert.ChimeNone})
		site.Plans[0].Message, site.Plans[0].ShowPlace = "out", false
		s.voices.without = func(alert.Language, string) bool { return true }
		d := s.driver()
		defer s.open(site, north(d))()
		s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(time.Second)
		check(t, "heard", d.names(), []string{"<evacuate>"})
	})
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	site, clock, src := school(), newStamps(), newSource()
	for _, c := range []struct {
		name     string
		speakers []Speaker
	}{
		{"no driver", []Speaker{{ID: "a", Zones: []string{"north"}}}},
		{"twice", []Speaker{north(newDriver(nil)), north(newDriver(nil))}},
		{"no zone", []Speaker{{ID: "a", Driver: newDriver(nil)}}},
		{"unknown zone", []Speaker{{ID: "a", Driver: newDriver(nil), Zones: []string{"moon"}}}},
	} {
		if _, err := New(Options{Site: site, Clock: clock, Source: src, Speakers: c.speakers}); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("nothing at all: no error")
	}
}
