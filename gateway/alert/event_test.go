package alert

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAnEventSurvivesJSON(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abcёқ\"\\\n<")), 0, 6, -1)
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "none") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
	ref := rapid.Custom(func(t *rapid.T) *Ref {
		if rapid.Bool().Draw(t, "none") {
			return nil
		}
		return &Ref{Epoch: text.Draw(t, "epoch"), Seq: rapid.Uint64().Draw(t, "seq")}
	})
	rapid.Check(t, func(t *rapid.T) {
		want := Event{
			Numbering: text.Draw(t, "numbering"), Number: rapid.Uint64().Draw(t, "number"),
			Kind: Kind(text.Draw(t, "kind")), Level: rapid.SampledFrom([]Level{0, LevelHelp, LevelEmergency}).Draw(t, "level"),
			Status: rapid.SampledFrom([]Status{"", Actual, Exercise, Test}).Draw(t, "status"),
			Point:  text.Draw(t, "point"), Gesture: Gesture(text.Draw(t, "gesture")),
			PressedAt: moment.Draw(t, "pressed"), PressedMono: time.Duration(rapid.Int64().Draw(t, "mono")),
			Step: rapid.Int().Draw(t, "step"), Plan: rapid.SampledFrom([]Level{0, LevelHelp, LevelEmergency}).Draw(t, "plan"), To: text.Draw(t, "to"),
			Outcome: Outcome(text.Draw(t, "outcome")), Origin: text.Draw(t, "origin"), Who: text.Draw(t, "who"), Why: text.Draw(t, "why"),
			ETA: moment.Draw(t, "eta"), Fault: text.Draw(t, "fault"), Detail: text.Draw(t, "detail"), LastProven: moment.Draw(t, "proven"),
			From: ref.Draw(t, "from"), Through: ref.Draw(t, "through"), Count: rapid.Uint64().Draw(t, "count"),
		}
		if rapid.Bool().Draw(t, "place") {
			want.Place = &Location{ID: text.Draw(t, "place id"), Path: rapid.SliceOfN(text, 1, 3).Draw(t, "path")}
		}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Event
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\n got %+v\nwant %+v", data, got, want)
		}
	})
}

// The envelope carries these; twice on the wire they could disagree.
func TestTheEnvelopeIsNotPartOfTheData(t *testing.T) {
	data, err := json.Marshal(Event{Type: Raised, Subject: "the-subject", At: Stamp{Boot: "the-boot", Mono: 1, Synced: true, Wall: time.Unix(1, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != "{}" {
		t.Errorf("an event without data is %s", data)
	}
}

func TestTheWireLooksAsTheContractSays(t *testing.T) {
	e := Event{
		Number: 7, Kind: Intruder, Level: LevelEmergency, Status: Actual, Point: "button-204", Gesture: Hold,
		Place:     &Location{ID: "room-204", Path: []string{"Main building", "2nd floor", "Room 204"}},
		PressedAt: time.Date(2026, 11, 21, 8, 15, 3, 121_000_000, time.UTC),
	}
	const want = `{"number":7,"kind":"intruder","level":"emergency","status":"Actual",` +
		`"place":{"id":"room-204","path":["Main building","2nd floor","Room 204"]},` +
		`"point":"button-204","gesture":"hold","pressed_at":"2026-11-21T08:15:03.121Z"}`
	data, err := json.Marshal(e)
	if err != nil || string(data) != want {
		t.Errorf("got  %s (%v)\nwant %s", data, err, want)
	}
}

func TestAlarmsAreUrgentAndOthersAreNot(t *testing.T) {
	urgent := []Type{Raised, Escalated, Acknowledged, Responding, Arrived, Cleared, DrillStarted, DrillEnded}
	routine := []Type{Received, PointFault, PointRestored, AnnouncementStarted, AnnouncementEnded, GatewayStarted, GatewayStopped,
		LinkUp, LinkDown, ConfigApplied, JournalGap, JournalParked, JournalRecovered, "nabat.unheard-of"}
	for _, typ := range urgent {
		if !typ.Urgent() {
			t.Errorf("%s waits behind routine events", typ)
		}
	}
	for _, typ := range routine {
		if typ.Urgent() {
			t.Errorf("%s travels with the alarms", typ)
		}
	}
	for _, typ := range append(urgent, routine...) {
		if s := typ.Short(); "nabat."+s != string(typ) {
			t.Errorf("%s is short for %s", s, typ)
		}
	}
}

func TestKeyNeedsAPlaceAKindAndANumber(t *testing.T) {
	full := Event{Numbering: "n", Number: 1, Kind: Help, Place: &Location{ID: "room-1"}}
	if key, ok := full.Key(); !ok || key != (Key{"n", "room-1", Help}) {
		t.Errorf("key is %v, %v", key, ok)
	}
	for name, change := range map[string]func(*Event){
		"place":  func(e *Event) { e.Place = nil },
		"kind":   func(e *Event) { e.Kind = "" },
		"number": func(e *Event) { e.Number = 0 },
	} {
		e := full
		change(&e)
		if _, ok := e.Key(); ok {
			t.Errorf("an event without a %s has a key", name)
		}
	}
}

// FuzzEventJSON: data of an event comes back from a disk that may be damaged.
func FuzzEventJSON(f *testing.F) {
	f.Add(`{"number":7,"kind":"intruder","level":"emergency","status":"Actual","place":{"id":"room-204"}}`)
	f.Add(`{"level":"Emergency"}`)
	f.Add(`{"number":-1}`)
	f.Fuzz(func(t *testing.T, data string) {
		var e Event
		if json.Unmarshal([]byte(data), &e) != nil {
			return
		}
		out, err := json.Marshal(e)
		if err != nil {
			if strings.Contains(err.Error(), "year outside") {
				return
			}
			t.Fatalf("read, but cannot be written: %v", err)
		}
		var again Event
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		e.Type = Raised
		_ = State{}.Next(e).Open()
	})
}
