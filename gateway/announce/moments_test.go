package announce

import (
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/hw/audio"
)

// The output is given silence after the last words, before it is let go. Who
// calls for help in that moment does not wait for the silence to sound.
func TestAnEmergencyWaitsBehindNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		defer s.open(school(), north(d))()
		s.clear(s.raise(alert.Intruder, alert.LevelEmergency, alert.Actual))
		wait(audio.Frame)
		for range 3000 { // until the all-clear has been said
			if len(s.job.Sounding()) == 0 {
				break
			}
			wait(audio.Frame)
		}
		wait(5 * audio.Frame)
		before, at := len(d.heard()), time.Since(d.begin)
		s.raise(alert.Intruder, alert.LevelEmergency, alert.Actual)
		wait(time.Second)
		if late := d.heard()[before].at - at; late > audio.Frame {
			t.Errorf("the emergency began %v after the press", late)
		}
	})
}

// Right after a start no sound is made yet. What is due then waits for one,
// because a round without a sound would count as said.
func TestWhatHasNoSoundYetWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		s.voices.set(func(v *voices) { v.without, v.mute = func(alert.Language, string) bool { return true }, true })
		defer s.open(school(), north(d))()
		id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(3 * time.Second)
		if names, list := d.names(), s.job.Sounding(); len(names) != 0 || len(list) > 0 && list[0].Times > 0 {
			t.Fatalf("without a sound: %q, %+v", names, list)
		}
		at := time.Since(d.begin)
		s.voices.set(func(v *voices) { v.mute = false })
		wait(time.Second)
		if heard := d.heard(); len(heard) == 0 || heard[0].name != "<evacuate>" || heard[0].at-at > 2*audio.Frame {
			t.Errorf("when its chime was there: %+v", heard)
		}
		s.clear(id)
	})
}

// A loudspeaker that comes back long after says no all-clear any more.
func TestALateAllClearIsNotSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		d.set(func(d *driver) { d.absent = audio.ErrAbsent })
		defer s.open(school(), north(d))()
		s.clear(s.raise(alert.Fire, alert.LevelEmergency, alert.Actual))
		wait(overFor + 10*time.Second)
		for _, said := range s.job.Sounding() {
			if said.Speakers+said.Silent > 0 {
				t.Errorf("still said: %+v", said)
			}
		}
		d.set(func(d *driver) { d.absent = nil })
		wait(time.Minute)
		if names := d.names(); len(names) != 0 {
			t.Errorf("heard %q", names)
		}
	})
}
