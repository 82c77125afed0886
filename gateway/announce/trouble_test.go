package announce

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/hw/audio"
)

// obstacles are the ways in which an output can be broken.
func obstacles() map[string]struct {
	condition  string
	begin, end func(*driver)
} {
	type way = struct {
		condition  string
		begin, end func(*driver)
	}
	fails := func(err error) func(*driver) { return func(d *driver) { d.absent = err } }
	return map[string]way{
		"absent":        {"speaker-absent:hall", fails(fmt.Errorf("no card: %w", audio.ErrAbsent)), fails(nil)},
		"fails":         {"speaker-failed:hall", fails(errors.New("input/output error")), fails(nil)},
		"does not hear": {"speaker-hung:hall", func(d *driver) { d.slow = true }, func(d *driver) { d.slow = false }},
		"hangs for ever": {"speaker-hung:hall", func(d *driver) { d.deaf = make(chan struct{}) }, func(d *driver) {
			close(d.deaf)
			d.deaf = nil
		}},
	}
}

// Each way of breaking, while an emergency is said: a condition within five
// seconds, the loudspeaker beside it says on, and what is due is said when the
// output is back.
func TestAnOutputThatBreaksWhileItSounds(t *testing.T) {
	for name, way := range obstacles() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t)
				bad, good := s.driver(), s.driver()
				defer s.open(school(), north(bad), Speaker{ID: "yard", Zones: []string{"north"}, Driver: good})()
				id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
				wait(3 * time.Second)
				bad.set(way.begin)
				wait(5 * time.Second)
				if got := s.conditions(); got != way.condition {
					t.Errorf("5 s later the conditions are %q, want %q", got, way.condition)
				}
				if list := s.job.Sounding(); list[0].Speakers != 1 || list[0].Silent != 1 {
					t.Errorf("sounding is %+v", list[0])
				}
				wait(time.Minute)
				broken := time.Since(bad.begin)
				bad.set(way.end)
				wait(10 * time.Second)
				if got := s.conditions(); got != "" {
					t.Errorf("back for 10 s, the conditions are %q", got)
				}
				heard, i := bad.heard(), 0
				for i < len(heard) && heard[i].at < broken {
					i++
				}
				if i == len(heard) || heard[i].name != "<evacuate>" || heard[i].at > broken+lastRetry+writeLimit {
					t.Errorf("back at %v, heard %v", broken, heard[i:])
				}
				if bad.count().most != 1 {
					t.Errorf("%d calls were under way at once", bad.count().most)
				}
				s.clear(id)
				wait(time.Minute)
				undisturbed(t, good)
				if events := s.events(); len(events) != 2 || !strings.Contains(events[0], "no longer due") {
					t.Errorf("the play log is %q", events)
				}
			})
		})
	}
}

// undisturbed checks that a loudspeaker said one thing after the other, with no
// gap but the pauses.
func undisturbed(t *testing.T, d *driver) {
	t.Helper()
	heard := d.heard()
	if len(heard) < 30 {
		t.Errorf("the other loudspeaker said only %d things", len(heard))
	}
	for i := 1; i < len(heard); i++ {
		if gap := heard[i].at - heard[i-1].at - heard[i-1].long; gap > beforeRepeat+afterSegment+audio.Frame {
			t.Errorf("the other loudspeaker was silent for %v before %s", gap, heard[i].name)
		}
	}
}

// Each way of breaking while nothing is said is found by the proof.
func TestAnOutputThatBreaksWhileItRests(t *testing.T) {
	for name, way := range obstacles() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t)
				d := s.driver()
				defer s.open(school(), north(d))()
				wait(10*time.Second + 100*time.Millisecond)
				if d.count().checked < 4 || d.count().opened != 0 {
					t.Errorf("checked %d times and opened %d times in 10 s", d.count().checked, d.count().opened)
				}
				d.set(way.begin)
				wait(5 * time.Second)
				if got := s.conditions(); got != way.condition {
					t.Errorf("5 s later the conditions are %q, want %q", got, way.condition)
				}
				wait(time.Minute)
				if s.src.looked() > 500 {
					t.Errorf("it looked %d times in a minute", s.src.looked())
				}
				d.set(way.end)
				wait(6 * time.Second)
				if got := s.conditions(); got != "" {
					t.Errorf("back for 6 s, the conditions are %q", got)
				}
			})
		})
	}
}

func TestAnOutputThatIsBrokenFromTheStartIsOneLineOfTheLog(t *testing.T) {
	for name, way := range obstacles() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t)
				d := s.driver()
				d.set(way.begin)
				defer s.open(school(), north(d))()
				defer func() {
					if name == "hangs for ever" {
						d.set(way.end)
					}
				}()
				wait(time.Minute)
				id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
				wait(time.Second)
				if list := s.job.Sounding(); len(list) != 2 || list[0].Silent != 1 || list[0].Speakers != 0 || list[0].Text.RU == "" {
					t.Errorf("sounding is %+v", list)
				}
				wait(10 * time.Minute)
				if events := s.events(); len(events) != 1 || !strings.HasPrefix(events[0], id+" in north x0: nobody could hear it; hall was silent: ") {
					t.Errorf("the play log is %q", events)
				}
				if n := d.count().calls; n > 150 {
					t.Errorf("%d attempts in ten minutes", n)
				}
				if s.src.looked() > 3000 {
					t.Errorf("it looked %d times in eleven minutes", s.src.looked())
				}
			})
		})
	}
}

// A check that is under way must not hold up an emergency.
func TestAnEmergencyDoesNotWaitForAProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		d.slow = true
		defer s.open(school(), north(d))() // the first proof hangs
		d.set(func(d *driver) { d.slow = false })
		at := time.Since(d.begin)
		s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(time.Second)
		if heard := d.heard(); len(heard) == 0 || heard[0].at != at {
			t.Errorf("raised at %v, heard %v", at, heard)
		}
	})
}

// An output that takes a stream and never a sample must not be a line of the
// log each time that it is tried.
func TestAnOutputThatOpensAndHangsIsTriedWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), Speaker{ID: "hall", Zones: []string{"north"}, Driver: halfOpen{d}})()
		id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(10 * time.Minute)
		if got := s.conditions(); got != "speaker-hung:hall" {
			t.Errorf("conditions are %q", got)
		}
		if d.count().opened > 100 || d.count().opened < 50 {
			t.Errorf("opened %d times in ten minutes", d.count().opened)
		}
		if events := s.events(); len(events) != 1 {
			t.Errorf("the play log is %q", events)
		}
		s.clear(id)
	})
}

// halfOpen opens streams that take nothing.
type halfOpen struct{ *driver }

func (h halfOpen) Open(ctx context.Context) (audio.Stream, error) {
	s, err := h.driver.Open(ctx)
	if err != nil {
		return nil, err
	}
	return halfStream{s.(*stream)}, nil
}

type halfStream struct{ *stream }

func (h halfStream) Write(ctx context.Context, _ []int16) error {
	return h.wait(ctx, time.Hour)
}
