package alsa

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"nabat/hw/audio/audiotest"
)

// TestASoundThroughAplayIsHeardWhole plays through ALSA's plugin for PulseAudio,
// which takes samples at the pace of a card.
func TestASoundThroughAplayIsHeardWhole(t *testing.T) {
	server := audiotest.Run(t, "pa")
	config := filepath.Join(t.TempDir(), "asound.conf")
	if err := os.WriteFile(config, []byte("pcm.hall { type pulse device pa }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ALSA_CONFIG_PATH", "/usr/share/alsa/alsa.conf:"+config)
	t.Setenv("PULSE_SERVER", server.Address())
	heard := server.Listen(t, "pa")
	d := New(Options{Device: "hall"})
	s := open(t, d)
	sound := audiotest.Rustle(1, time.Second)
	for attempt := 1; ; attempt++ { // a busy machine may let the device run dry
		heard.Forget()
		before := d.Underruns()
		say(t, s, sound)
		if err := s.Drain(within(t)); err != nil {
			t.Fatal(err)
		}
		if err := heard.Quiet(within(t), 200*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if d.Underruns() == before {
			break
		}
		if attempt == 20 {
			t.Fatal("the device ran out of samples 20 times")
		}
	}
	samples := heard.Samples()
	at, alike := audiotest.Find(samples, sound)
	edge := audiotest.Count(50 * time.Millisecond)
	end := audiotest.Alike(samples, sound[len(sound)-edge:], at+len(sound)-edge)
	if alike < 0.95 || end < 0.95 {
		t.Errorf("what was heard resembles what was said by %.4f, its last 50 ms by %.4f; want 0.95", alike, end)
	}
}
