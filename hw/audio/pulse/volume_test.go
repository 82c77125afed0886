package pulse

import (
	"strings"
	"testing"

	"nabat/hw/audio/audiotest"
)

// With flat volumes a stream that is louder than its sink turns the sink up. Ours
// is as loud as the sink is: a zone that somebody has turned down stays so, and
// what somebody once did to an earlier stream is not restored.
func TestTheZoneStaysAsLoudAsItWasSet(t *testing.T) {
	server := audiotest.Run(t, "pa", "module-stream-restore", "flat-volumes = yes")
	pactl := func(words ...string) string {
		t.Helper()
		said, err := server.Pactl(within(t), words...)
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	d := driver(t, server, "pa")
	first := open(t, d)
	input, _, _ := strings.Cut(pactl("list", "short", "sink-inputs"), "\t")
	pactl("set-sink-input-volume", input, "90%")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	pactl("set-sink-volume", "pa", "40%")
	open(t, d)
	if volume := pactl("get-sink-volume", "pa"); strings.Count(volume, " 40%") != 2 {
		t.Errorf("the sink was set to 40%% and is at %s", volume)
	}
	if list := pactl("list", "sink-inputs"); strings.Count(list, " 40%") != 1 {
		t.Errorf("the stream is not as loud as the sink, or there are no flat volumes: %s", list)
	}
}
