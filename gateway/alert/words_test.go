package alert

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
)

func TestLevelsOnTheWire(t *testing.T) {
	for level, want := range map[Level]string{0: `""`, LevelHelp: `"help"`, LevelEmergency: `"emergency"`} {
		data, err := json.Marshal(level)
		if err != nil || string(data) != want {
			t.Errorf("level %d is %s (%v), want %s", level, data, err, want)
		}
		var back Level
		if err := json.Unmarshal(data, &back); err != nil || back != level {
			t.Errorf("%s is read as %d (%v)", data, back, err)
		}
	}
	if _, err := json.Marshal(Level(3)); !errors.Is(err, ErrUnknownWord) {
		t.Errorf("level 3 is written: %v", err)
	}
	for _, word := range []string{`"Help"`, `"level(2)"`, `"panic"`} {
		var l Level
		if err := json.Unmarshal([]byte(word), &l); !errors.Is(err, ErrUnknownWord) {
			t.Errorf("%s is read as %d (%v)", word, l, err)
		}
	}
}

func TestVocabularies(t *testing.T) {
	if !Kind("fire").Known() || Kind("flood").Known() || !Kind("flood").Known("flood") {
		t.Error("a kind is known if it is one of ours or of the site's")
	}
	for _, k := range []Kind{Intruder, Violence, Bullying, Medical, Fire, Stranger, MissingChild, Help, Technical} {
		if !slices.Contains(Kinds(), k) {
			t.Errorf("pages do not list %s", k)
		}
	}
	for _, s := range []Status{Actual, Exercise, Test} {
		if !s.Valid() {
			t.Errorf("%s is no status", s)
		}
	}
	if Status("actual").Valid() || Outcome("solved").Valid() || Outcome("").Valid() {
		t.Error("a word outside of its vocabulary is valid")
	}
	for _, o := range Outcomes() {
		if !o.Valid() {
			t.Errorf("%s is no outcome", o)
		}
	}
	words := make(map[string]bool)
	for truth := TruthRaised; truth <= TruthAccepted; truth++ {
		text, err := truth.MarshalText()
		if err != nil || string(text) == "unknown" || words[string(text)] {
			t.Errorf("truth %d is %q (%v)", truth, text, err)
		}
		words[string(text)] = true
	}
	if Truth(99).String() != "unknown" {
		t.Error("truth 99 has a word")
	}
}

func TestTextFallsBackToAnyLanguage(t *testing.T) {
	if got := (Text{RU: "р", KK: "қ", EN: "e"}).In(Kazakh); got != "қ" {
		t.Errorf("got %q", got)
	}
	for _, text := range []Text{{RU: "x"}, {KK: "x"}, {EN: "x"}} {
		for _, l := range append(Languages(), "tt") {
			if got := text.In(l); got != "x" {
				t.Errorf("%+v in %s is %q: a blank place", text, l, got)
			}
		}
	}
	if got := (Text{}).In(English); got != "" {
		t.Errorf("got %q", got)
	}
	p := Place{ID: "room-1", Path: []Text{{RU: "Корпус", EN: "Building"}, {RU: "Комната 1"}}}
	if loc := p.In(English); loc.ID != "room-1" || !slices.Equal(loc.Path, []string{"Building", "Комната 1"}) {
		t.Errorf("location is %+v", loc)
	}
}

func TestPlans(t *testing.T) {
	s := Site{
		Buttons: []Button{{ID: "b1", Place: "room-1"}},
		Plans:   []Plan{{Kind: Fire, Level: LevelEmergency, Screens: []string{"hall"}}},
	}
	if p := s.Plan(Fire, LevelEmergency); !slices.Equal(p.Screens, []string{"hall"}) || p.Lamps {
		t.Errorf("the site's own plan is %+v", p)
	}
	if p := s.Plan(Help, LevelHelp); len(p.Screens) != 0 || p.ShowPlace || !p.Lamps {
		t.Errorf("without a plan a quiet alert is shown: %+v", p)
	}
	if p := s.Plan(Intruder, LevelEmergency); !slices.Equal(p.Screens, []string{"*"}) || !p.ShowPlace || !p.Lamps {
		t.Errorf("without a plan an emergency is not shown everywhere: %+v", p)
	}
	if b, ok := s.Button("b1"); !ok || b.Place != "room-1" {
		t.Errorf("button is %+v, %v", b, ok)
	}
	if _, ok := s.Button("b2"); ok {
		t.Error("there is no button b2")
	}
}

func TestRealOnesThenEmergenciesThenTheOldestComeFirst(t *testing.T) {
	var events []Event
	for i, e := range []Event{
		{Subject: "2", Kind: Help, Level: LevelHelp}, {Subject: "3", Kind: Fire, Level: LevelEmergency},
		{Subject: "1", Kind: Medical, Level: LevelHelp}, {Subject: "4", Kind: Violence, Level: LevelEmergency},
		{Subject: "0", Kind: Intruder, Level: LevelEmergency, Status: Test}, {Subject: "5", Kind: Stranger, Level: LevelEmergency, Status: Exercise},
	} {
		e.Type, e.Numbering, e.Number, e.Place = Raised, "n", uint64(i+1), &Location{ID: "room-1"}
		events = append(events, e)
	}
	var got []string
	for _, a := range fold(events).Open() {
		got = append(got, a.ID)
	}
	if !slices.Equal(got, []string{"3", "4", "2", "1", "5", "0"}) {
		t.Errorf("order is %v", got)
	}
}
