package web

import (
	"testing"
	"time"

	"nabat/gateway/alert"
)

func TestTimeOfDayFollowsAClockThatWasSet(t *testing.T) {
	const years = 365 * 24 * time.Hour
	truth := time.Date(2026, 11, 21, 8, 15, 0, 0, time.UTC)
	pressed := alert.Stamp{Wall: time.Unix(20, 0).UTC(), Boot: "b", Mono: 20 * time.Second}
	// now is so long after the boot, with a clock that is off by so much.
	now := func(mono, off time.Duration, synced bool) alert.Stamp {
		return alert.Stamp{Wall: truth.Add(mono - 20*time.Second + off), Boot: "b", Mono: mono, Synced: synced}
	}
	var d daytime
	for _, c := range []struct {
		name    string
		now, at alert.Stamp
		want    time.Time
		sure    bool
	}{
		{"not synchronised yet", now(time.Minute, -56*years, false), pressed, pressed.Wall, false},
		{"synchronised", now(2*time.Minute, 0, true), pressed, truth, true},
		{"a breath later: the same text", now(2*time.Minute+time.Second, 300*time.Millisecond, true), pressed, truth, true},
		{"set ten years on", now(time.Hour, 10*years, true), pressed, truth.Add(10 * years), true},
		{"and back", now(2*time.Hour, 0, true), pressed, truth, true},
		{"stamped by a clock that was ten years ahead", now(2*time.Hour, 0, true), alert.Stamp{Wall: truth.Add(10 * years), Boot: "b", Mono: 20 * time.Second, Synced: true}, truth, true},
		{"an earlier boot: nobody knows", now(2*time.Hour, 0, true), alert.Stamp{Wall: pressed.Wall, Boot: "a", Mono: 20 * time.Second}, pressed.Wall, false},
	} {
		if got, sure := d.of(c.now, c.at); !got.Equal(c.want) || sure != c.sure {
			t.Errorf("%s: %v (%v), want %v (%v)", c.name, got, sure, c.want, c.sure)
		}
	}
}
