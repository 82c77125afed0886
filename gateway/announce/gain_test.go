package announce

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
)

func TestGainIsQuieterAndLeavesTheClipAlone(t *testing.T) {
	clip := []int16{0, 1000, -1000, 32767, -32768}
	if got, want := gainOf(-6.0206).of(clip), []int16{0, 500, -500, 16383, -16384}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if clip[3] != 32767 {
		t.Error("the clip was changed: others play it as well")
	}
	if got := gainOf(0).of(clip); !slices.Equal(got, clip) || gainOf(6) != unity {
		t.Error("0 dB changes something, or more than 0 dB is allowed")
	}
}

// A school wants quiet bells and full alarms.
func TestAQuietLoudspeakerIsLoudInAnEmergency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		d := s.driver()
		north := north(d)
		north.Gain = -40
		defer s.open(school(), north)()
		loudest := func() (most int16) {
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, take := range d.takes {
				most = max(most, slices.Max(take.samples))
			}
			d.takes = nil
			return most
		}
		s.announce("n1", "bus", 0, "north")
		wait(20 * time.Second)
		if got := loudest(); got != 0 { // the doubles' sounds are small numbers
			t.Errorf("a notice reaches %d", got)
		}
		s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		wait(5 * time.Second)
		if got := loudest(); got == 0 {
			t.Error("the emergency is as quiet as a bell")
		}
	})
}
