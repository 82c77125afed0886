package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
)

func TestDecodeRefuses(t *testing.T) {
	good := string(Append(nil, "/sites/a/gateways/b", sample()))
	if _, err := Decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	swap := func(old, repl string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the sample has no %s", old)
		}
		return strings.Replace(good, old, repl, 1)
	}
	for name, in := range map[string]string{
		"nothing":                   ``,
		"an array":                  `[]`,
		"a cut event":               good[:len(good)-1],
		"two events":                good + good,
		"another version":           swap(`"1.0"`, `"0.3"`),
		"an id that disagrees":      swap(`68-42"`, `68-43"`),
		"a short sequence":          swap(`"00000000000000000042"`, `"42"`),
		"a number as sequence":      swap(`"00000000000000000042"`, `42`),
		"a sequence with a sign":    swap(`"00000000000000000042"`, `"+0000000000000000042"`),
		"a foreign type":            swap(`"nabat.alert`, `"other.alert`),
		"a type that is two topics": swap(`alert.raised`, `alert/raised`),
		"a missing epoch":           swap(`"epoch"`, `"epoch2"`),
		"a name in capitals":        swap(`"epoch"`, `"Epoch"`),
		"an attribute twice":        swap(`"epoch":`, `"subject":"x","epoch":`),
		"an empty subject":          swap(`"0199e6a4-5c1b-7c3e-9a57-3b1f0c9d2e11"`, `""`),
		"a nested extension":        swap(`"epoch":`, `"extra":{},"epoch":`),
		"a bad time":                swap(`2026-11-21T`, `2026-13-21T`),
		"a text as clocksynced":     swap(`true`, `"true"`),
		"other data":                swap(`"application/json"`, `"text/plain"`),
		"bytes that are not UTF-8":  swap(`main`[:0]+`intruder`, "\xff"),
		"too much":                  swap(`"intruder"`, `"`+strings.Repeat("x", MaxBytes)+`"`),
		"a long subject":            swap(`0199e6a4`, strings.Repeat("x", maxText)),
	} {
		if e, err := Decode([]byte(in)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %+v, %v; want ErrMalformed", name, e, err)
		}
	}
	if _, err := Decode([]byte(swap(`"epoch":`, `"traceparent":"00-1","epoch":`))); err != nil {
		t.Errorf("an unknown extension attribute must be allowed: %v", err)
	}
}

func TestDataComesBackInTheGatewaysWords(t *testing.T) {
	in := alert.Event{
		Type: alert.Raised, Subject: "s", Numbering: "n", Number: 7, Kind: alert.Intruder,
		Level: alert.LevelEmergency, Status: alert.Actual, Gesture: alert.Hold,
	}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	row := sample()
	row.Type, row.Subject, row.Data = in.Type, in.Subject, data
	in.At = row.At
	e, err := Decode(Append(nil, "/s", row))
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Alert()
	if err != nil || !reflect.DeepEqual(got, in) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, in)
	}
	e.Data = json.RawMessage(`{"level":"loud"}`)
	if _, err := e.Alert(); !errors.Is(err, ErrMalformed) || !errors.Is(err, alert.ErrUnknownWord) {
		t.Errorf("got %v, want ErrMalformed because of an unknown word", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, "/sites/a/gateways/b", sample()))
	f.Add([]byte(`{"specversion":"1.0","id":"e-1","source":"/s","type":"nabat.a","epoch":"e","sequence":"00000000000000000001","data":[1e400]}`))
	f.Add([]byte(`{"data":` + strings.Repeat("[", 2000)))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("unclassified error %v", err)
			}
			return
		}
		again, err := Decode(Append(nil, e.Source, journal.Row{Ref: e.Ref, Type: e.Type, Subject: e.Subject, At: e.At, Data: e.Data}))
		if err != nil {
			t.Fatalf("decoded once, not twice: %v", err)
		}
		if again.Ref != e.Ref || again.Type != e.Type || again.Subject != e.Subject || !bytes.Equal(again.Data, e.Data) {
			t.Fatalf("got %+v, want %+v", again, e)
		}
	})
}
