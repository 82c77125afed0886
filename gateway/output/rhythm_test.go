package output

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
)

func TestShow(t *testing.T) {
	quiet := &alert.Site{Plans: []alert.Plan{{Kind: alert.Bullying, Level: alert.LevelHelp, Lamps: false}}}
	for _, c := range []struct {
		name   string
		site   *alert.Site
		truths map[alert.Kind]alert.Truth
		lamp   alert.Lamp
		want   string
	}{
		{"nothing is open", quiet, nil, theLamp, "dark"},
		{"one alert", quiet, map[alert.Kind]alert.Truth{alert.Help: alert.TruthSent}, theLamp, "sent"},
		{"the worst of two", quiet, map[alert.Kind]alert.Truth{alert.Help: alert.TruthAccepted, alert.Fire: alert.TruthSaved}, theLamp, "saved"},
		{"a plan without lamps stays dark", quiet, map[alert.Kind]alert.Truth{alert.Bullying: alert.TruthRaised}, theLamp, "dark"},
		{"and takes no part in the worst", quiet, map[alert.Kind]alert.Truth{alert.Bullying: alert.TruthRaised, alert.Fire: alert.TruthReceived}, theLamp, "received"},
		{"another place", quiet, map[alert.Kind]alert.Truth{alert.Help: alert.TruthSent}, alert.Lamp{ID: "x", Place: "hall"}, "dark"},
		{"an unknown truth promises least", quiet, map[alert.Kind]alert.Truth{alert.Help: 77}, theLamp, "raised"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Show(c.site, view(c.truths), c.lamp); got.Name != c.want {
				t.Errorf("shows %s, want %s", got.Name, c.want)
			}
		})
	}
}

func TestEveryRhythmCanBeToldFromEveryOther(t *testing.T) {
	all := Rhythms()
	if len(all) != int(alert.TruthAccepted)+2 || all[0].Name != Dark().Name {
		t.Fatalf("%d rhythms, want dark and one for each truth", len(all))
	}
	lit := func(r Rhythm) (share float64) {
		on, sum := 0, 0
		for i, d := range r.MS {
			sum += d
			if i%2 == 0 {
				on += d
			}
		}
		if sum == 0 {
			return map[bool]float64{true: 1}[r.On]
		}
		return float64(on) / float64(sum)
	}
	for i, r := range all {
		if i > 0 && r.Name != alert.Truth(i-1).String() {
			t.Errorf("rhythm %d is %s, want %s", i, r.Name, alert.Truth(i-1))
		}
		for _, l := range alert.Languages() {
			if r.Meaning.In(l) == "" || slices.ContainsFunc(all[:i], func(o Rhythm) bool { return o.Meaning.In(l) == r.Meaning.In(l) }) {
				t.Errorf("%s has no meaning of its own in %s", r.Name, l)
			}
		}
		if r.Steady != (len(r.MS) == 0) || len(r.MS)%2 != 0 {
			t.Errorf("%s: %v is no rhythm", r.Name, r.MS)
		}
		for _, d := range r.MS {
			if time.Duration(d)*ms < MinLevel {
				t.Errorf("%s has a step of %d ms, shorter than %v", r.Name, d, MinLevel)
			}
		}
		if on, _ := r.At(0); i > 0 && !on {
			t.Errorf("%s does not begin with light", r.Name)
		}
		for _, o := range all[:i] {
			if !r.Steady && !o.Steady && len(r.MS) == len(o.MS) && i > 2 {
				t.Errorf("%s and %s have the same number of flashes", r.Name, o.Name)
			}
		}
		// Except for the flicker, which is over in a moment, more light means more.
		if i > 2 && lit(r) <= lit(all[i-1]) {
			t.Errorf("%s is lit less than %s", r.Name, all[i-1].Name)
		}
	}
}

// Whatever happens to the alerts, a lamp never flashes more than three times
// in a second, and answers a press within 200 ms.
func TestNeverMoreThanThreeFlashesInASecond(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type step struct {
			after time.Duration
			truth int // -1 is nothing open
		}
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				time.Duration(rapid.OneOf(rapid.IntRange(0, 400), rapid.IntRange(0, 4000)).Draw(t, "after")) * ms,
				rapid.IntRange(-1, 4).Draw(t, "truth"),
			}
		}), 1, 25).Draw(rt, "steps")
		type press struct{ from, until time.Duration }
		var presses []press
		var changes []told
		synctest.Test(t, func(t *testing.T) {
			s, l := newSource(), newLamp()
			stop := run(t, s, nil, map[string]Lamp{theLamp.ID: l}, theLamp)
			before := -1
			for _, st := range steps {
				now := time.Since(l.begin)
				if n := len(presses); n > 0 && st.truth < 0 {
					presses[n-1].until = min(presses[n-1].until, now)
				}
				if before < 0 && st.truth >= 0 {
					presses = append(presses, press{now, time.Hour})
				}
				before = st.truth
				if st.truth < 0 {
					s.show(view(nil))
				} else {
					s.show(one(alert.Truth(st.truth)))
				}
				wait(st.after)
			}
			wait(200 * ms)
			stop()

			changes = l.changes()
		})
		var rises []time.Duration
		for i, c := range changes[:len(changes)-1] { // the last one is the end
			if i > 0 && c.at-changes[i-1].at < MinLevel {
				rt.Fatalf("a level of only %v: %v", c.at-changes[i-1].at, changes)
			}
			if c.on {
				rises = append(rises, c.at)
			}
		}
		for i := 3; i < len(rises); i++ {
			if rises[i]-rises[i-3] < time.Second {
				rt.Fatalf("four flashes in %v: %v", rises[i]-rises[i-3], changes)
			}
		}
		for _, p := range presses {
			if p.until-p.from < 200*ms {
				continue // cleared before anybody could have seen it
			}
			lit := slices.ContainsFunc(changes, func(c told) bool { return c.on && c.at >= p.from-MinLevel && c.at <= p.from+200*ms })
			if !lit {
				rt.Fatalf("the press at %v has no light: %v", p.from, changes)
			}
		}
	})
}
