package alert

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// tie draws words about the same one or two presses of one key, alike in nearly
// everything, where a fold that leans on the order would show it.
func tie(t *rapid.T, differs string) []Event {
	few := rapid.IntRange(1, 2)
	typ := rapid.SampledFrom([]Type{Escalated, Responding, Cleared}).Draw(t, "type")
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Event {
		e := Event{
			Type: typ, Numbering: "n", Number: uint64(few.Draw(t, "number")), Kind: Help, Status: Actual,
			Place: &Location{ID: "room-1"}, Level: LevelHelp, Plan: LevelHelp,
		}
		switch differs {
		case "step":
			e.Step = few.Draw(t, "step")
			e.Plan = rapid.SampledFrom([]Level{LevelHelp, LevelEmergency}).Draw(t, "plan")
		case "eta":
			e.ETA = time.Unix(int64(few.Draw(t, "eta")), 0).UTC()
		case "wall":
			e.At.Wall = time.Unix(int64(few.Draw(t, "wall")), 0).UTC()
		case "mono":
			e.At.Mono = time.Duration(few.Draw(t, "mono"))
		case "boot":
			e.At.Boot = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "boot")
		case "synced":
			e.At.Synced = rapid.Bool().Draw(t, "synced")
		case "who":
			e.Who = rapid.SampledFrom([]string{"duty", "head"}).Draw(t, "who")
		case "why":
			e.Why, e.Origin = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "why"), rapid.SampledFrom([]string{"console", "dispatch"}).Draw(t, "origin")
		case "outcome":
			e.Outcome = rapid.SampledFrom(Outcomes()).Draw(t, "outcome")
		}
		return e
	}), 2, 5).Draw(t, "events")
}

func TestTiesDoNotDependOnTheOrder(t *testing.T) {
	for _, differs := range []string{"step", "eta", "wall", "mono", "boot", "synced", "who", "why", "outcome"} {
		t.Run(differs, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				events := tie(t, differs)
				want, got := fold(events), fold(rapid.Permutation(events).Draw(t, "order"))
				if !reflect.DeepEqual(got.alerts, want.alerts) {
					t.Fatalf("in order %+v\nturned   %+v", want.alerts, got.alerts)
				}
			})
		})
	}
}

func TestTheFirstPersonsWordStands(t *testing.T) {
	ack := func(number uint64, who string, wall int64) Event {
		return Event{Type: Acknowledged, Numbering: "n", Number: number, Kind: Help, Place: &Location{ID: "room-1"},
			Who: who, At: Stamp{Wall: time.Unix(wall, 0).UTC()}}
	}
	for name, c := range map[string]struct {
		events []Event
		want   string
	}{
		"two take the same press":        {[]Event{ack(3, "head", 20), ack(3, "duty", 10)}, "duty"},
		"one of them saw a later press":  {[]Event{ack(3, "duty", 10), ack(4, "head", 20)}, "head"},
		"told late, about an older one":  {[]Event{ack(4, "head", 20), ack(3, "duty", 10)}, "head"},
		"one of them takes it once more": {[]Event{ack(3, "duty", 10), ack(3, "duty", 30)}, "duty"},
	} {
		a, _ := fold(c.events).Alert(Key{"n", "room-1", Help})
		if a.Acknowledged.Who != c.want {
			t.Errorf("%s: accepted by %q, want %q", name, a.Acknowledged.Who, c.want)
		}
	}
}

func TestALostStatusIsARealCall(t *testing.T) {
	a, _ := State{}.Next(Event{Type: Raised, Numbering: "n", Number: 1, Kind: Help, Place: &Location{ID: "room-1"}}).Alert(Key{"n", "room-1", Help})
	if a.Status() != Actual || a.Level() != LevelHelp {
		t.Errorf("a press without status and level is %v, %v", a.Status(), a.Level())
	}
}

func TestNothingCoversWhatWasNeverPressed(t *testing.T) {
	var a Alert
	if a.Covers(Mark{}) || a.Accepted() || a.Open() {
		t.Error("an empty alert was accepted or is open")
	}
}

// A step of the quiet plan that makes an emergency of the alert is done in the
// quiet plan; the emergency's own plan begins at its first step.
func TestAStepThatRaisesTheLevelCountsInItsOwnPlan(t *testing.T) {
	e := Event{Type: Raised, Subject: "id", Numbering: "n", Number: 1, Kind: Help, Level: LevelHelp, Status: Actual, Place: &Location{ID: "room-1"}}
	s := State{}.Next(e)
	e.Type, e.Level, e.Plan, e.Step = Escalated, LevelEmergency, LevelHelp, 1
	s = s.Next(e)
	a, _ := s.Alert(Key{"n", "room-1", Help})
	if a.Level() != LevelEmergency || a.HelpSteps != (Steps{1, 1}) || a.EmergencySteps != (Steps{}) {
		t.Errorf("%+v", a)
	}
	if step, _, ok := a.Due([]Step{{After: time.Minute}}, Stamp{}); step != 0 || !ok {
		t.Errorf("the emergency's plan begins at step %d (%v)", step, ok)
	}
}
