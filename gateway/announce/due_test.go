package announce

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
)

// stampAt is a moment so long after the start.
func stampAt(d time.Duration) alert.Stamp { return alert.Stamp{Boot: "boot", Mono: d} }

// emergency is an open alert of a kind.
func emergency(n uint64, k alert.Kind, st alert.Status, l alert.Level) alert.Alert {
	return alert.NewState().Next(alert.Event{
		Type: alert.Raised, Subject: fmt.Sprintf("%s-%d", k, n), At: stampAt(time.Duration(n) * time.Minute), Numbering: string(st), Number: n,
		Kind: k, Level: l, Status: st, Place: &alert.Location{ID: "room-204", Path: []string{"floor", "room"}},
	}).Open()[0]
}

func due(v *alert.View, zone string, routine ...Routine) []string {
	var list []string
	for _, a := range Due(school(), v, routine, zone) {
		list = append(list, fmt.Sprintf("%s %v", a.ID, a.Priority))
	}
	return list
}

func TestTheOrderOfWhatIsDue(t *testing.T) {
	v := &alert.View{
		At: stampAt(time.Hour),
		Open: []alert.Alert{
			emergency(9, alert.Fire, alert.Exercise, alert.LevelEmergency), emergency(5, alert.Medical, alert.Actual, alert.LevelEmergency),
			emergency(3, alert.Intruder, alert.Actual, alert.LevelEmergency), emergency(7, alert.Fire, alert.Actual, alert.LevelEmergency),
			emergency(1, alert.Fire, alert.Actual, alert.LevelHelp), emergency(2, alert.Bullying, alert.Actual, alert.LevelEmergency),
		},
		Notices: []alert.Notice{
			{ID: "late", Began: stampAt(50 * time.Minute), Zones: []string{"*"}, Status: alert.Actual},
			{ID: "early", Began: stampAt(40 * time.Minute), Zones: []string{"north"}, Status: alert.Actual},
			{ID: "urgent", Began: stampAt(4 * time.Minute), Zones: []string{"north"}, Status: alert.Actual, Priority: alert.PriorityEmergency},
			{ID: "shown", Began: stampAt(time.Minute), Status: alert.Actual},
		},
	}
	check(t, "north", due(v, "north"), []string{
		"fire-7 evacuate", "intruder-3 emergency", "urgent emergency", "medical-5 emergency", "fire-9 evacuate", "early notice", "late notice",
	})
	check(t, "south", due(v, "south"), []string{"fire-7 evacuate", "intruder-3 emergency", "fire-9 evacuate", "late notice"})
	if got := due(nil, "north"); got != nil {
		t.Errorf("before the state is loaded %q is due", got)
	}
}

func TestWhenItIsOver(t *testing.T) {
	over := func(a alert.Alert, at time.Duration) alert.Ended { return alert.Ended{Alert: a, At: stampAt(at)} }
	real := over(emergency(1, alert.Fire, alert.Actual, alert.LevelEmergency), 20*time.Minute)
	older := over(emergency(2, alert.Intruder, alert.Actual, alert.LevelEmergency), 10*time.Minute)
	drill := over(emergency(3, alert.Fire, alert.Exercise, alert.LevelEmergency), 30*time.Minute)
	north := over(emergency(4, alert.Medical, alert.Actual, alert.LevelEmergency), 40*time.Minute)
	open := []alert.Alert{emergency(5, alert.Intruder, alert.Actual, alert.LevelEmergency)}
	drills := []alert.Alert{emergency(6, alert.Intruder, alert.Exercise, alert.LevelEmergency)}
	for _, c := range []struct {
		name string
		view alert.View
		want []string
	}{
		{"one", alert.View{Ended: []alert.Ended{real}}, []string{"fire-1 emergency"}},
		{"the newest speaks for all", alert.View{Ended: []alert.Ended{real, older}}, []string{"fire-1 emergency"}},
		{"a drill after it", alert.View{Ended: []alert.Ended{drill, real}}, []string{"fire-1 emergency", "fire-3 emergency"}},
		{"a drill before it", alert.View{Ended: []alert.Ended{real, drill}}, []string{"fire-1 emergency"}},
		{"two drills", alert.View{Ended: []alert.Ended{drill, over(emergency(2, alert.Fire, alert.Exercise, alert.LevelEmergency), time.Minute)}}, []string{"fire-3 emergency"}},
		{"another zone's", alert.View{Ended: []alert.Ended{north}}, nil},
		{"another danger", alert.View{Ended: []alert.Ended{real}, Open: open}, []string{"intruder-5 emergency"}},
		{"a drill goes on", alert.View{Ended: []alert.Ended{drill, real}, Open: drills}, []string{"fire-1 emergency", "intruder-6 emergency"}},
	} {
		c.view.At = stampAt(time.Hour)
		check(t, c.name, due(&c.view, "south"), c.want)
	}
}

func TestRoutineWaitsForNothing(t *testing.T) {
	r := Routine{Entry: timetable.Entry{ID: "b", Message: "bell", Zones: []string{"north"}}, Rang: stampAt(time.Hour)}
	v := &alert.View{At: stampAt(time.Hour), Notices: []alert.Notice{{ID: "n", Zones: []string{"*"}, Began: stampAt(0)}}}
	check(t, "with a notice", due(v, "north", r), []string{"n notice", "b routine"})
	check(t, "elsewhere", due(v, "south", r), []string{"n notice"})
	v.Open = []alert.Alert{emergency(6, alert.Intruder, alert.Exercise, alert.LevelEmergency)}
	check(t, "with a drill", due(v, "north", r), []string{"intruder-6 emergency", "n notice"})
}

func TestWordsOfASite(t *testing.T) {
	site := school()
	site.Messages = append(site.Messages, alert.Message{
		ID: "out", Text: alert.Text{RU: "out-ru", KK: "out-kk"}, Recorded: map[alert.Language]string{alert.Kazakh: "/out.wav"}, Chime: alert.ChimeGong,
	})
	site.Plans[0].Message = "out"
	site.Kinds = map[alert.Kind]alert.Text{"gas": {RU: "Газ"}}
	v := &alert.View{At: stampAt(time.Hour), Open: []alert.Alert{
		emergency(1, alert.Fire, alert.Actual, alert.LevelEmergency), emergency(2, "gas", alert.Actual, alert.LevelEmergency),
	}}
	list := Due(site, v, nil, "north")
	if len(list) != 2 {
		t.Fatalf("due are %+v", list)
	}
	out, gas := list[0], list[1]
	if out.Chime != alert.ChimeGong || out.Text.RU != "out-ru Место: room-ru, floor-ru." {
		t.Errorf("the plan's message is %+v", out)
	}
	if want := (Segment{Language: alert.Kazakh, Text: "out-kk", File: "/out.wav", ID: "out"}); out.Parts[0].Words[0] != want {
		t.Errorf("the recording is %+v", out.Parts[0].Words)
	}
	if gas.Parts[1].Words[0].Text != "Внимание! Газ." || gas.Parts[0].Words[0].Text == "" || gas.Parts[0].Words[0].Text == "Газ" {
		t.Errorf("a kind of the site's own is %+v", gas.Parts)
	}
}

// What is due, but for what people write, was foreseen.
func TestEverythingThatIsSaidWasForeseen(t *testing.T) {
	site := school()
	site.Kinds = map[alert.Kind]alert.Text{"gas": {RU: "Газ", KK: "Газ"}}
	table := timetable.Table{Rules: []timetable.Rule{{ID: "r", Words: alert.Text{RU: "words"}}}}
	foreseen := Segments(site, table)
	kinds := append(alert.Kinds(), "gas")
	rapid.Check(t, func(rt *rapid.T) {
		a := emergency(1, rapid.SampledFrom(kinds).Draw(rt, "kind"), rapid.SampledFrom([]alert.Status{alert.Actual, alert.Exercise, alert.Test}).Draw(rt, "status"), alert.LevelEmergency)
		a.Place.ID = rapid.SampledFrom([]string{"room-204", "hall"}).Draw(rt, "place")
		v := &alert.View{At: stampAt(time.Hour)}
		if rapid.Bool().Draw(rt, "over") {
			v.Ended = []alert.Ended{{Alert: a}}
		} else {
			v.Open = []alert.Alert{a}
		}
		v.Notices = []alert.Notice{{ID: "n", Message: "lesson", Zones: []string{"*"}, Status: a.Status()}}
		routine := []Routine{{Entry: timetable.Entry{ID: "b", Words: alert.Text{RU: "words"}, Zones: []string{"*"}}}}
		for _, d := range Due(site, v, routine, "north") {
			for _, p := range d.Parts {
				for _, s := range append([]Segment{p.Around}, p.Words...) {
					if s != (Segment{}) && !slices.ContainsFunc(foreseen, func(f Segment) bool { f.ID = s.ID; return f == s }) {
						rt.Fatalf("%+v was not foreseen", s)
					}
				}
			}
		}
	})
	if len(foreseen) != len(unique(foreseen)) {
		t.Error("something is foreseen twice")
	}
}
