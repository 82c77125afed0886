package alert

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// stampGen draws stamps that are often equal, so that ties are met.
func stampGen(t *rapid.T) Stamp {
	return Stamp{
		Wall:   time.Unix(int64(rapid.IntRange(0, 2).Draw(t, "wall")), 0).UTC(),
		Boot:   rapid.SampledFrom([]string{"", "boot-1", "boot-2"}).Draw(t, "boot"),
		Mono:   time.Duration(rapid.IntRange(0, 2).Draw(t, "mono")) * time.Second,
		Synced: rapid.Bool().Draw(t, "synced"),
	}
}

var (
	somePlaces = []string{"room-1", "room-2"}
	someKinds  = []Kind{Help, Fire}
)

// history draws the events of a gateway: presses counted over all points, an id
// for every run of presses, and all that people and machines say about them,
// also about presses that were never seen here.
func history(t *rapid.T) []Event {
	ids := make(map[Key]string)
	number := uint64(0)
	var events []Event
	for range rapid.IntRange(0, 25).Draw(t, "events") {
		place := rapid.SampledFrom(somePlaces).Draw(t, "place")
		e := Event{
			Numbering: rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "numbering"),
			Kind:      rapid.SampledFrom(someKinds).Draw(t, "kind"),
			Place:     &Location{ID: place, Path: []string{"Main building", place}},
			Level:     rapid.SampledFrom([]Level{0, LevelHelp, LevelEmergency}).Draw(t, "level"),
			Status:    rapid.SampledFrom([]Status{Actual, Exercise, Test, ""}).Draw(t, "status"),
			At:        stampGen(t),
		}
		key := Key{e.Numbering, place, e.Kind}
		e.Type = rapid.SampledFrom([]Type{
			Raised, Raised, Raised, Escalated, Escalated, Received, Acknowledged, Responding, Arrived, Cleared, Cleared,
			PointFault, LinkUp, "nabat.alert.unheard-of",
		}).Draw(t, "type")
		if e.Type == Escalated && rapid.Bool().Draw(t, "by hand") {
			e.Gesture = Hold
		}
		if e.Type == Raised || e.Gesture == Hold {
			number++
			e.Number, e.Point = number, rapid.SampledFrom([]string{"b1", "b2"}).Draw(t, "point")
			if ids[key] == "" || rapid.IntRange(0, 2).Draw(t, "new id") == 0 {
				ids[key] = fmt.Sprintf("id-%03d", number)
			}
			e.Subject = ids[key]
		} else {
			e.Number = rapid.Uint64Range(0, number+2).Draw(t, "number")
			e.Subject = ids[key]
			e.Who = rapid.SampledFrom([]string{"", "duty", "head"}).Draw(t, "who")
			e.Why = rapid.SampledFrom([]string{"", "drill", "mistake"}).Draw(t, "why")
			e.Origin = rapid.SampledFrom([]string{"console", "dispatch"}).Draw(t, "origin")
			e.Step = rapid.IntRange(0, 3).Draw(t, "step")
			e.Plan = e.Level
			if e.Type == Cleared {
				e.Outcome = rapid.SampledFrom(Outcomes()).Draw(t, "outcome")
			}
			if e.Type == Responding {
				e.ETA = time.Unix(int64(rapid.IntRange(0, 1).Draw(t, "eta")), 0).UTC()
				e.Revision = rapid.Uint64Range(0, 2).Draw(t, "revision")
			}
		}
		events = append(events, e)
	}
	return events
}

func fold(events []Event) State {
	var s State
	for _, e := range events {
		s = s.Next(e)
	}
	return s
}

func TestOrderAndRepetitionChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := history(t)
		want := fold(events)
		heap := slices.Clone(events)
		if len(events) > 0 {
			heap = append(heap, rapid.SliceOfN(rapid.SampledFrom(events), 0, 20).Draw(t, "repeated")...)
		}
		got := fold(rapid.Permutation(heap).Draw(t, "order"))
		if !maps.EqualFunc(got.alerts, want.alerts, func(a, b Alert) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatalf("in order  %+v\nas a heap %+v", want.alerts, got.alerts)
		}
		if a, b := want.Open(), got.Open(); !reflect.DeepEqual(a, b) {
			t.Fatalf("open in order  %+v\nopen as a heap %+v", a, b)
		}
	})
}

// What was said last about the team of a press holds, in whatever order it is
// folded and whatever the clock said.
func TestLastWordAboutATeamHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		place := &Location{ID: "room-1"}
		var said []Event
		for i := range rapid.IntRange(1, 6).Draw(t, "words") {
			said = append(said, Event{
				Type: Responding, Numbering: "n", Number: 7, Kind: Help, Place: place, At: stampGen(t), Revision: uint64(i),
				Who: rapid.SampledFrom([]string{"crew 7", "crew 8"}).Draw(t, "who"),
				ETA: time.Unix(rapid.Int64Range(0, 3).Draw(t, "eta"), 0).UTC(),
			})
		}
		last := said[len(said)-1]
		a, _ := fold(rapid.Permutation(said).Draw(t, "order")).Alert(Key{"n", "room-1", Help})
		if a.Responding.Revision != last.Revision || !a.Responding.ETA.Equal(last.ETA) || a.Responding.Who != last.Who {
			t.Fatalf("the last word was %+v, kept is %+v", last, a.Responding)
		}
		var one, other State // and in whichever half of a history it stands
		for _, e := range said {
			if rapid.Bool().Draw(t, "in the one half") {
				one = one.Next(e)
			} else {
				other = other.Next(e)
			}
		}
		if b, _ := one.Join(other).Alert(a.Key); b.Responding != a.Responding {
			t.Fatalf("joined: %+v, want %+v", b.Responding, a.Responding)
		}
	})
}

// A journal that keeps the folded state and a tail of events may fold some of
// them a second time.
func TestAStateReadBackGoesOnAsTheOldOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := history(t)
		cut := rapid.IntRange(0, len(events)).Draw(t, "cut")
		again := rapid.IntRange(0, cut).Draw(t, "again")
		kept := slices.Collect(maps.Values(fold(events[:cut]).alerts))
		data, err := json.Marshal(kept)
		if err != nil {
			t.Fatal(err)
		}
		var read []Alert
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		s := NewState(read...)
		for _, e := range events[again:] {
			s = s.Next(e)
		}
		if want := fold(events); !reflect.DeepEqual(want.Open(), s.Open()) {
			t.Fatalf("want %+v\ngot  %+v", want.Open(), s.Open())
		}
	})
}

func TestNextLeavesTheOldStateAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := history(t)
		var s State
		for _, e := range events {
			before := maps.Clone(s.alerts)
			next := s.Next(e)
			if !reflect.DeepEqual(before, s.alerts) {
				t.Fatalf("folding %+v changed the old state", e)
			}
			s = next
		}
	})
}

// An alert is open if and only if its highest press exceeds its highest clear,
// told without any fold.
func TestOpenMeansAPressAboveEveryClear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := history(t)
		press, clear := make(map[Key]uint64), make(map[Key]uint64)
		for _, e := range events {
			key, ok := e.Key()
			switch {
			case !ok:
			case e.Type == Raised, e.Type == Escalated && e.Gesture != "":
				press[key] = max(press[key], e.Number)
			case e.Type == Cleared:
				clear[key] = max(clear[key], e.Number)
			}
		}
		s := fold(events)
		var want []Key
		for key, n := range press {
			if n > clear[key] {
				want = append(want, key)
			}
			if h := s.HighestNumber(key.Numbering); h < n {
				t.Fatalf("the next press after %d would be %d", n, h+1)
			}
		}
		var got []Key
		for _, a := range s.Open() {
			got = append(got, a.Key)
			if b, ok := s.Alert(a.Key); !ok || !reflect.DeepEqual(a, b) {
				t.Fatalf("Alert(%v) is %+v", a.Key, b)
			}
			if b, ok := s.Find(a.ID); !ok || b.Key != a.Key {
				t.Fatalf("Find(%s) is %+v", a.ID, b)
			}
		}
		order := func(a, b Key) int {
			return slices.Compare([]string{a.Numbering, a.Place, string(a.Kind)}, []string{b.Numbering, b.Place, string(b.Kind)})
		}
		slices.SortFunc(want, order)
		slices.SortFunc(got, order)
		if !slices.Equal(got, want) {
			t.Fatalf("open are %v, want %v", got, want)
		}
	})
}

func TestANumberThatOnlyAMarkKnowsIsNotGivenAgain(t *testing.T) {
	place := &Location{ID: "room-1"}
	for _, typ := range []Type{Raised, Escalated, Received, Acknowledged, Responding, Arrived, Cleared} {
		s := State{}.Next(Event{Type: typ, Numbering: "n", Number: 7, Kind: Help, Place: place, Status: Test, Level: LevelHelp})
		if n := s.HighestNumber("n"); n != 7 {
			t.Errorf("after %s of press 7 the highest number is %d", typ, n)
		}
		if n := s.HighestNumber("another"); n != 0 {
			t.Errorf("another numbering knows number %d", n)
		}
	}
}
