package announce

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
	"nabat/hw/audio"
)

func TestATestNeverGoesBeforeWhatIsReal(t *testing.T) {
	v := &alert.View{
		At:      stampAt(time.Hour),
		Open:    []alert.Alert{emergency(3, alert.Intruder, alert.Actual, alert.LevelEmergency)},
		Notices: []alert.Notice{{ID: "test", Zones: []string{"*"}, Status: alert.Test, Priority: alert.PriorityEvacuate}},
	}
	check(t, "north", due(v, "north"), []string{"intruder-3 emergency", "test evacuate"})
}

func TestTheEndOfADrillIsNotedAsADrills(t *testing.T) {
	for _, st := range []alert.Status{alert.Actual, alert.Exercise, alert.Test} {
		list := Due(school(), &alert.View{Ended: []alert.Ended{{Alert: emergency(1, alert.Fire, st, alert.LevelEmergency)}}}, nil, "north")
		if len(list) != 1 || list[0].Status != st || list[0].Chime != alert.ChimeAllClear {
			t.Errorf("the end of an alert that is %s: %+v", st, list)
		}
	}
}

// The name of a place that was taken out of the configuration is in the site's
// own language: a voice of another one would garble it.
func TestAPlaceThatIsGoneIsSaidInTheSitesLanguage(t *testing.T) {
	a := emergency(1, alert.Fire, alert.Actual, alert.LevelEmergency)
	a.Place = alert.Location{ID: "gone", Path: []string{"старый корпус", "кабинет"}}
	list := Due(school(), &alert.View{Open: []alert.Alert{a}}, nil, "north")
	kk, ru := list[0].Parts[0], list[0].Parts[1]
	if len(kk.Words) != 2 || len(ru.Words) != 3 || ru.Words[2].Text != "Место: кабинет, старый корпус." {
		t.Errorf("said are %+v and %+v", kk.Words, ru.Words)
	}
}

func TestASilentMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		site := school()
		site.Messages = append(site.Messages, alert.Message{
			ID: "sweep", Silent: true, Text: alert.Text{RU: "shown"}, Chime: alert.ChimeEvacuate, Priority: alert.PriorityNotice,
		})
		d := s.driver()
		defer s.open(site, north(d))()
		n := alert.Notice{ID: "n1", Text: site.Messages[2].Text, Message: "sweep", Zones: []string{"*"}, Began: s.clock.Now(), For: time.Hour, Status: alert.Actual}
		s.notices = []alert.Notice{n}
		s.show()
		wait(10 * time.Second)
		check(t, "a silent message", d.names(), []string{"<evacuate>"})
		n.ID, n.Status = "n2", alert.Test
		s.notices = []alert.Notice{n}
		s.show()
		wait(10 * time.Second)
		check(t, "a test of it", d.names()[1:], []string{"<evacuate>", says("kk", "pa.test"), says("ru", "pa.test")})
	})
}

func TestANoticeThatTakesAnothersPlaceIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), north(d))()
		s.announce("n1", "bus", 0, "north")
		wait(10 * time.Second)
		s.notices = nil
		s.announce("n1", "late", 0, "north")
		wait(10 * time.Second)
		check(t, "heard", d.names(), append(notice("bus"), notice("late")...))
	})
}

// Only the beginning of a spot has a time: what goes on for longer than MaxLate
// is said to its end, whatever else changes meanwhile.
func TestALongSpotIsSaidToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		s.voices.sound("kk: lesson-kk", 2*MaxLate)
		s.table = timetable.Table{Rules: []timetable.Rule{{
			ID: "spot", Days: [7]bool{1: true}, At: 12*time.Hour + time.Minute, Message: "lesson", Zones: []string{"*"},
		}}}
		defer s.open(school(), north(d))()
		wait(time.Minute + MaxLate + 5*time.Second)
		s.announce("n1", "elsewhere", 0, "south")
		wait(time.Minute)
		check(t, "heard", d.names(), []string{"<gong>", "kk: lesson-kk", "ru: lesson-ru"})
	})
}

// A notice whose time runs out while it is said is not cut off; one that a person
// ends is.
func TestANoticeIsNotCutOffByTheClock(t *testing.T) {
	for _, c := range []struct {
		name string
		at   time.Duration // when it is gone
		want []string
	}{
		{"its time is over", 2 * time.Second, notice("bus")},
		{"a person ends it", 1500 * time.Millisecond, []string{"<gong>", "kk: bus-kk"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t)
				d := s.driver()
				defer s.open(school(), north(d))()
				s.notices = []alert.Notice{{
					ID: "n1", Text: alert.Text{RU: "bus-ru", KK: "bus-kk"}, Zones: []string{"*"}, Began: s.clock.Now(), For: 2 * time.Second, Status: alert.Actual,
				}}
				s.show()
				wait(c.at)
				s.end("n1")
				wait(10 * time.Second)
				check(t, "heard", d.names(), c.want)
				if list := s.job.Sounding(); len(list) != 0 {
					t.Errorf("afterwards %+v sounds", list)
				}
			})
		})
	}
}

func TestNothingIsKeptAboutWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		job, err := New(Options{Site: school(), Source: s.src, Clock: s.clock})
		if err != nil {
			t.Fatal(err)
		}
		p := job.players()[0]
		p.times["old"], p.turn["old"], p.waiting["old"], p.done["old"] = 1, 1, time.Now(), time.Now()
		wait(alert.AllClearFor)
		p.list()
		if len(p.done) != 1 {
			t.Error("an all-clear that may only rest is forgotten, and would be said again")
		}
		wait(time.Second)
		p.list()
		if len(p.times)+len(p.turn)+len(p.waiting)+len(p.done) != 0 {
			t.Errorf("kept are %v, %v, %v, %v", p.times, p.turn, p.waiting, p.done)
		}
		now := s.clock.Now()
		job.bells.known["old"], job.bells.known["new"] = now.Wall.Add(-49*time.Hour), now.Wall
		job.bells.last = now.Wall
		job.bells.look(now)
		if len(job.bells.known) != 1 {
			t.Errorf("bells that are known are %v", job.bells.known)
		}
	})
}

func TestWhatWasLeftOutIsInThePlayLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.voices.without = func(l alert.Language, _ string) bool { return l == alert.Kazakh }
		d, other := s.driver(), s.driver()
		defer s.open(school(), north(d), Speaker{ID: "yard", Zones: []string{"north"}, Driver: other})()
		s.announce("n1", "bus", 0, "north")
		wait(20 * time.Second)
		id := s.raise(alert.Fire, alert.LevelEmergency, alert.Exercise)
		wait(25 * time.Second)
		s.clear(id)
		wait(20 * time.Second)
		check(t, "the play log", s.events(), []string{
			"n1 in north x1: said to its end; without words in kk",
			id + " in north x2: no longer due; without words in kk", id + " in north x1: said to its end; without words in kk",
		})
	})
}

// Two loudspeakers of a zone that do not end at the same moment are one line,
// with how often it was said and not with the sum.
func TestALineOfThePlayLogIsAZones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		b := newBoard(school(), s.clock)
		a := Announcement{ID: "n1", key: "n1"}
		zones := []string{"north"}
		b.enter("hall", a, zones)
		b.enter("yard", a, zones)
		for times := range 2 {
			b.said(a, zones, times+1, nil)
			b.said(a, zones, times+1, nil)
		}
		b.leave("hall", a, zones, "no longer due")
		b.leave("yard", a, zones, "no longer due")
		if list := b.closed(false); len(list) != 0 {
			t.Errorf("written before the others could come: %+v", list)
		}
		b.enter("hall", a, zones)
		b.leave("hall", a, zones, "said to its end")
		wait(settle)
		list := b.closed(false)
		if len(list) != 1 || list[0].Count != 2 || list[0].Detail != "said to its end" {
			t.Errorf("the lines are %+v", list)
		}
	})
}

func TestOfSeveralAnnouncementsAPageShowsTheHighest(t *testing.T) {
	b := newBoard(school(), newStamps())
	b.show("hall", &voice{said: Announcement{ID: "n1", Priority: alert.PriorityNotice, key: "n1"}, zones: []string{"north"}})
	b.show("yard", &voice{said: Announcement{ID: "fire", Priority: alert.PriorityEvacuate, key: "fire"}, zones: []string{"north"}})
	if list := b.sounding(); len(list) != 1 || list[0].Announcement != "fire" || list[0].Speakers != 1 {
		t.Errorf("sounding are %+v", list)
	}
}

func TestAClipIsNeverWrittenTo(t *testing.T) {
	v := newVoices()
	long := slices.Repeat([]int16{7}, 3*audio.FrameSamples)
	short := long[:audio.FrameSamples/2]
	v.clips["kk: a"], v.values["kk: a"] = short, 7
	part := Part{Language: alert.Kazakh, Words: []Segment{{Language: alert.Kazakh, Text: "a"}}}
	for r := newReel(Announcement{Chime: alert.ChimeNone, Parts: []Part{part}}, v, false); ; {
		if _, ok := r.next(); !ok {
			break
		}
	}
	if slices.ContainsFunc(long, func(s int16) bool { return s != 7 }) {
		t.Error("what follows a clip in memory was written over")
	}
}

func TestARecordingThatIsNotThereIsSynthesised(t *testing.T) {
	v := newVoices()
	v.without = func(_ alert.Language, text string) bool { return text == "words/gone.wav" }
	if find(v, Segment{Language: alert.Russian, Text: "words", File: "/gone.wav"}) == nil {
		t.Error("nothing stands in for a recording")
	}
	if find(v, Segment{Language: alert.Russian, Text: "words/gone.wav"}) != nil {
		t.Error("something is found for what has no sound")
	}
}

// odd is a driver that does what it is told in one place.
type odd struct {
	*driver
	onOpen  func(audio.Stream) (audio.Stream, error)
	onCheck func(context.Context) error
}

func (o odd) Open(ctx context.Context) (audio.Stream, error) {
	s, err := o.driver.Open(ctx)
	if err != nil || o.onOpen == nil {
		return s, err
	}
	return o.onOpen(s)
}

func (o odd) Check(ctx context.Context) error {
	if o.onCheck == nil {
		return o.driver.Check(ctx)
	}
	return o.onCheck(ctx)
}

type oddStream struct {
	audio.Stream
	onWrite func() error
	onDrain func(context.Context) error
}

func (o oddStream) Write(ctx context.Context, samples []int16) error {
	if o.onWrite != nil {
		if err := o.onWrite(); err != nil {
			return err
		}
	}
	return o.Stream.Write(ctx, samples)
}

func (o oddStream) Drain(ctx context.Context) error {
	if o.onDrain != nil {
		return o.onDrain(ctx)
	}
	return o.Stream.Drain(ctx)
}

// A stream that comes with an error, or too late, is not left open: most outputs
// have one at a time.
func TestAStreamThatNobodyUsesIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		fails := odd{driver: d, onOpen: func(s audio.Stream) (audio.Stream, error) { return s, errors.New("half open") }}
		defer s.open(school(), Speaker{ID: "hall", Zones: []string{"north"}, Driver: fails})()
		s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(20 * time.Second)
		if n := d.count(); n.opened < 2 || n.open != 0 {
			t.Errorf("%d of %d streams are open", n.open, n.opened)
		}
	})
}

// The longest lead of an amplifier that a configuration may have is waited for.
func TestAnAmplifierMayTakeTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		warm := odd{driver: d, onOpen: func(s audio.Stream) (audio.Stream, error) {
			<-time.After(2 * time.Second)
			return s, nil
		}}
		defer s.open(school(), Speaker{ID: "hall", Zones: []string{"north"}, Driver: warm})()
		s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(20 * time.Second)
		if n := d.count(); n.opened != 1 || n.open != 1 {
			t.Errorf("%d of %d streams are open", n.open, n.opened)
		}
	})
}

// A device that answers after nobody waits for it any more is let go.
func TestAStreamThatComesTooLateIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		late := odd{driver: d, onOpen: func(s audio.Stream) (audio.Stream, error) {
			if d.count().opened == 1 {
				<-time.After(2 * openLimit)
			}
			return s, nil
		}}
		defer s.open(school(), Speaker{ID: "hall", Zones: []string{"north"}, Driver: late})()
		id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(20 * time.Second)
		if n := d.count(); n.opened != 2 || n.open != 1 {
			t.Errorf("%d of %d streams are open", n.open, n.opened)
		}
		s.clear(id)
		wait(time.Minute)
		if n := d.count(); n.open != 0 {
			t.Errorf("afterwards %d streams are open", n.open)
		}
	})
}

// Receivers keep sound back, so that a stream takes a while to end. An emergency
// that goes another way does not wait for that.
func TestAnEmergencyWaitsForNoOtherStreamToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		usual, urgent := s.driver(), s.driver()
		slow := odd{driver: usual, onOpen: func(under audio.Stream) (audio.Stream, error) {
			return oddStream{Stream: under, onDrain: func(ctx context.Context) error {
				<-time.After(200 * time.Millisecond)
				return under.Drain(ctx)
			}}, nil
		}}
		defer s.open(school(), Speaker{ID: "hall", Zones: []string{"*"}, Driver: slow, Emergency: urgent})()
		s.announce("n1", "bus", 0, "north")
		wait(time.Second)
		at := time.Since(urgent.begin)
		s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(time.Second)
		if heard := urgent.heard(); len(heard) == 0 || heard[0].at-at > audio.Frame {
			t.Errorf("raised at %v, heard %v", at, heard)
		}
		if usual.count().open != 0 {
			t.Error("the other stream is not given back")
		}
	})
}

func TestADriverThatBreaksDownIsAConditionAndNoMore(t *testing.T) {
	for name, way := range map[string]func(*driver) odd{
		"at Open": func(d *driver) odd {
			return odd{driver: d, onOpen: func(audio.Stream) (audio.Stream, error) { panic("index out of range") }}
		},
		"at Write": func(d *driver) odd {
			return odd{driver: d, onOpen: func(s audio.Stream) (audio.Stream, error) {
				return oddStream{Stream: s, onWrite: func() error { panic("index out of range") }}, nil
			}}
		},
		"at Check": func(d *driver) odd {
			return odd{driver: d, onCheck: func(context.Context) error { panic("index out of range") }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t)
				bad, good := s.driver(), s.driver()
				defer s.open(school(), Speaker{ID: "hall", Zones: []string{"north"}, Driver: way(bad)},
					Speaker{ID: "yard", Zones: []string{"north"}, Driver: good})()
				if name != "at Check" {
					s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
				}
				wait(time.Minute)
				if got := s.conditions(); got != "speaker-failed:hall" {
					t.Errorf("conditions are %q", got)
				}
				if name != "at Check" {
					undisturbedFor(t, good)
				}
			})
		})
	}
}

func undisturbedFor(t *testing.T, d *driver) {
	t.Helper()
	if heard := d.heard(); len(heard) < 10 {
		t.Errorf("the other loudspeaker said %v", heard)
	}
}

// An output that takes a few samples before it fails each time is not mended in
// between.
func TestAConditionDoesNotFlutter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		few := odd{driver: d, onOpen: func(under audio.Stream) (audio.Stream, error) {
			taken := 0
			return oddStream{Stream: under, onWrite: func() error {
				if taken++; taken > 20 {
					return errors.New("input/output error")
				}
				return nil
			}}, nil
		}}
		defer s.open(school(), Speaker{ID: "hall", Zones: []string{"north"}, Driver: few})()
		s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(time.Second)
		for range 600 {
			wait(50 * time.Millisecond)
			if got := s.conditions(); got != "speaker-failed:hall" {
				t.Fatalf("conditions are %q", got)
			}
		}
	})
}

// A proof that was cut short by an announcement says nothing about the output.
func TestAProofThatWasCutShortIsNoCondition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		d.slow = true
		defer s.open(school(), north(d))() // the first proof hangs
		d.set(func(d *driver) { d.slow = false })
		s.announce("n1", "bus", 0, "north")
		for range 400 {
			wait(50 * time.Millisecond)
			if got := s.conditions(); got != "" {
				t.Fatalf("conditions are %q", got)
			}
		}
		check(t, "heard", d.names(), notice("bus"))
	})
}
