package alert

import (
	"maps"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestJoinIsTheFoldOfBothHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := history(t)
		var one, other []Event
		for _, e := range events {
			switch rapid.IntRange(0, 2).Draw(t, "who knows it") {
			case 0:
				one = append(one, e)
			case 1:
				other = append(other, e)
			default:
				one, other = append(one, e), append(other, e)
			}
		}
		want := fold(events)
		got := fold(one).Join(fold(other))
		if !maps.EqualFunc(got.alerts, want.alerts, func(a, b Alert) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
	})
}

// TestEveryStepIsDoneOnceWhateverWasLost drives an alert of which any part of
// the history is lost through its plan, as the engine does it: the plan comes
// to an end.
func TestEveryStepIsDoneOnceWhateverWasLost(t *testing.T) {
	plan := map[Level][]Step{
		LevelHelp:      {{To: "head"}, {Level: LevelEmergency, To: "dispatch"}},
		LevelEmergency: {{To: "head"}, {To: "city"}},
	}
	rapid.Check(t, func(t *rapid.T) {
		var kept []Event
		for _, e := range history(t) {
			if rapid.Bool().Draw(t, "kept") {
				kept = append(kept, e)
			}
		}
		s := fold(kept)
		for _, a := range s.Open() {
			key := a.Key
			for range 4 { // all steps of both plans
				steps := plan[a.Level()]
				i, _, ok := a.Due(steps, Stamp{})
				if !ok {
					break
				}
				s = s.Next(a.Escalation(i, steps[i]))
				a, _ = s.Alert(key)
			}
			if _, _, ok := a.Due(plan[a.Level()], Stamp{}); ok && a.Level() == LevelEmergency {
				t.Fatalf("the plan does not end: %+v", a)
			}
		}
	})
}
