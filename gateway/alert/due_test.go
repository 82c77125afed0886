package alert

import (
	"fmt"
	"testing"
	"time"
)

func at(boot string, mono time.Duration) Stamp { return Stamp{Boot: boot, Mono: mono} }

// synced is a stamp whose wall clock can be trusted.
func synced(boot string, mono, wall time.Duration) Stamp {
	return Stamp{Boot: boot, Mono: mono, Wall: time.Unix(1_700_000_000, 0).UTC().Add(wall), Synced: true}
}

func TestSince(t *testing.T) {
	for _, c := range []struct {
		name           string
		earlier, later Stamp
		want           time.Duration
	}{
		{"one boot: the monotonic clock", at("a", 5*time.Second), at("a", 65*time.Second), time.Minute},
		{"one boot, the wall clock stepped by years", synced("a", 0, 0), synced("a", time.Minute, -10*365*24*time.Hour), time.Minute},
		{"a reboot, both synchronised: the wall clock", synced("a", time.Hour, 0), synced("b", time.Second, 90*time.Second), 90 * time.Second},
		{"a reboot, the first not synchronised: what this boot has lasted", at("a", time.Hour), synced("b", 20*time.Second, 0), 20 * time.Second},
		{"a reboot, the second not synchronised", synced("a", time.Hour, 0), at("b", 20*time.Second), 20 * time.Second},
		{"a reboot, a wall clock that was set back: never negative", synced("a", 0, 0), synced("b", 0, -time.Hour), 0},
		{"one boot, told in the wrong order", at("a", time.Minute), at("a", 0), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.later.Since(c.earlier); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestDue(t *testing.T) {
	steps := []Step{{After: time.Minute, To: "head"}, {After: 3 * time.Minute, Level: LevelEmergency, To: "dispatch"}}
	place := &Location{ID: "room-1"}
	ev := func(typ Type, n uint64, change func(*Event)) Event {
		e := Event{Type: typ, Subject: "id", Numbering: "n", Number: n, Kind: Help, Place: place, Level: LevelHelp, Status: Actual, At: at("a", 10*time.Second)}
		if change != nil {
			change(&e)
		}
		return e
	}
	press := ev(Raised, 1, nil)
	step := func(done int, n uint64) Event {
		return ev(Escalated, n, func(e *Event) { e.Step, e.Plan = done, LevelHelp })
	}
	later := func(e Event, mono time.Duration) Event { e.At.Mono = mono; return e }
	for _, c := range []struct {
		name   string
		events []Event
		now    Stamp
		step   int
		in     time.Duration
		ok     bool
	}{
		{"just pressed", []Event{press}, at("a", 10*time.Second), 0, time.Minute, true},
		{"half way", []Event{press}, at("a", 40*time.Second), 0, 30 * time.Second, true},
		{"exactly due", []Event{press}, at("a", 70*time.Second), 0, 0, true},
		{"long due", []Event{press}, at("a", time.Hour), 0, 0, true},
		{"one step done", []Event{press, step(1, 1)}, at("a", 70*time.Second), 1, 2 * time.Minute, true},
		{"a deadline told twice", []Event{press, step(1, 1), step(1, 1)}, at("a", 70*time.Second), 1, 2 * time.Minute, true},
		{"all done", []Event{press, step(2, 1)}, at("a", time.Hour), 0, 0, false},
		{"accepted", []Event{press, ev(Acknowledged, 1, nil)}, at("a", time.Hour), 0, 0, false},
		{"a team on the way", []Event{press, ev(Responding, 1, nil)}, at("a", time.Hour), 0, 0, false},
		{"there already", []Event{press, ev(Arrived, 1, nil)}, at("a", time.Hour), 0, 0, false},
		{"received by a machine only", []Event{press, ev(Received, 1, nil)}, at("a", 40*time.Second), 0, 30 * time.Second, true},
		{"closed", []Event{press, ev(Cleared, 1, nil)}, at("a", time.Hour), 0, 0, false},
		{"pressed again after it was accepted", []Event{press, ev(Acknowledged, 1, nil), later(ev(Raised, 2, nil), 50*time.Second)}, at("a", 50*time.Second), 0, 20 * time.Second, true},
		{"closed and pressed anew: all steps from the start",
			[]Event{press, step(2, 1), ev(Cleared, 1, nil), later(ev(Raised, 2, func(e *Event) { e.Subject = "id2" }), time.Hour)}, at("a", time.Hour), 0, time.Minute, true},
		{"a step of another level's plan does not count",
			[]Event{press, step(2, 1), later(ev(Escalated, 2, func(e *Event) { e.Gesture, e.Level = Hold, LevelEmergency }), 13*time.Second)}, at("a", 20*time.Second), 0, 50 * time.Second, true},
		{"steps of the emergency's own plan do",
			[]Event{press, later(ev(Escalated, 2, func(e *Event) { e.Gesture, e.Level = Hold, LevelEmergency }), 13*time.Second),
				ev(Escalated, 2, func(e *Event) { e.Step, e.Plan, e.Level = 1, LevelEmergency, LevelEmergency })}, at("a", 20*time.Second), 1, 170 * time.Second, true},
		{"after a reboot without a clock: from the start of this boot", []Event{press}, at("b", 15*time.Second), 0, 45 * time.Second, true},
		{"after a reboot with a clock", []Event{ev(Raised, 1, func(e *Event) { e.At = synced("a", time.Hour, 0) })}, synced("b", time.Second, 50*time.Second), 0, 10 * time.Second, true},
		{"after a long time without power", []Event{ev(Raised, 1, func(e *Event) { e.At = synced("a", time.Hour, 0) })}, synced("b", time.Second, 20*time.Hour), 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _ := fold(c.events).Alert(Key{"n", "room-1", Help})
			step, in, ok := a.Due(steps, c.now)
			if step != c.step || in != c.in || ok != c.ok {
				t.Errorf("got step %d in %v (%v), want step %d in %v (%v)", step, in, ok, c.step, c.in, c.ok)
			}
		})
	}
}

func TestAsked(t *testing.T) {
	help := []Step{{To: "duty"}, {Level: LevelEmergency}, {To: "head"}}
	emergency := []Step{{To: "head"}, {To: "dispatch"}}
	for _, c := range []struct {
		name    string
		a       Alert
		want    string
		cleared uint64
	}{
		{"nobody", Alert{}, "[]", 0},
		{"help only, a step that asks nobody", Alert{HelpSteps: Steps{2, 2}}, "[duty]", 1},
		{"both, each once", Alert{HelpSteps: Steps{2, 3}, EmergencySteps: Steps{2, 2}}, "[duty head dispatch]", 1},
		{"before the clear", Alert{HelpSteps: Steps{2, 3}}, "[]", 2},
		{"the plan was made shorter", Alert{HelpSteps: Steps{2, 9}}, "[duty head]", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.a.Cleared.Number = c.cleared
			if got := fmt.Sprint(c.a.Asked(help, emergency)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
