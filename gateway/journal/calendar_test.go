package journal

import (
	"testing"
	"time"

	"nabat/gateway/alert"
)

const years = 365 * 24 * time.Hour

// TestRetentionDoesNotBelieveAClockThatJumps: rows of an earlier boot, half of
// them delivered, on a machine whose clock is set by ten years and back.
func TestRetentionDoesNotBelieveAClockThatJumps(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}, Keep: 90 * 24 * time.Hour}
	r := start(t, o)
	r.fill(64) // in boot "b"
	c := r.Cursor("mqtt", Alarm)
	c.Advance(drain(t, c)[31])
	r.stop()

	now := alert.Stamp{Wall: time.Unix(1_800_000_000, 0).UTC().Add(24 * time.Hour), Boot: "c", Mono: time.Minute, Synced: true}
	o.Now = func() alert.Stamp { return now }
	o.Ballast = -1
	j, err := Open(o)
	must(t, err)
	defer j.Close()
	pass := func(d time.Duration) { now.Wall, now.Mono = now.Wall.Add(d), now.Mono+d }
	rows := func(when string, want int64) {
		t.Helper()
		must(t, j.retain())
		if n := j.Stats().Rows["alarm"]; n != want {
			t.Errorf("%s: %d alarm rows stand, want %d", when, n, want)
		}
	}
	rows("a day old", 64)
	now.Synced = false
	now.Wall = time.Unix(60, 0).UTC()
	rows("1970", 64)
	now.Synced = true
	now.Wall = time.Unix(1_800_000_000, 0).UTC().Add(24 * time.Hour)
	pass(2 * time.Hour)
	rows("synchronised", 64)
	now.Wall = now.Wall.Add(10 * years)
	rows("set ten years on", 64)
	pass(50 * time.Minute)
	rows("soon after", 64)
	now.Wall = now.Wall.Add(-10 * years)
	pass(50 * time.Minute)
	rows("corrected", 64)
	pass(20 * time.Minute)
	rows("an hour after the correction", 64)
	now.Wall = now.Wall.Add(-10 * years)
	pass(2 * time.Hour)
	rows("set ten years back", 64)
	now.Wall = now.Wall.Add(10*years + 100*24*time.Hour)
	rows("a hundred days later, just set", 64)
	pass(time.Hour)
	rows("and nobody has corrected it: what is delivered goes, nothing else", 32)
}

func TestAgeWithinABootIsCertain(t *testing.T) {
	var c calendar
	at := alert.Stamp{Boot: "c", Mono: time.Hour, Wall: time.Unix(0, 0)}
	now := alert.Stamp{Boot: "c", Mono: 3 * time.Hour, Wall: time.Unix(0, 0).Add(56 * years), Synced: true}
	c.look(now)
	if age := c.age(now, at); age != 2*time.Hour {
		t.Errorf("a row of two hours is %v old", age)
	}
	at.Boot, at.Synced = "b", true
	if age := c.age(now, at); age != 3*time.Hour {
		t.Errorf("a row of an earlier boot is %v old, and this boot has lasted three hours", age)
	}
}
