package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/command"
	"nabat/sync/dispatch/gate"
	"nabat/sync/dispatch/webhook"
	"nabat/sync/event"
)

// eventSchema is the schema of the events of a type.
func eventSchema(t alert.Type) at {
	name := ""
	for _, word := range strings.Split(strings.TrimPrefix(t.Short(), "alert."), ".") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return def(name)
}

// constants returns the text constants of a type in a source file: the words
// that a program can say.
func constants(t *testing.T, file, typ string) (list []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.ValueSpec); ok && len(s.Values) == 1 {
			name, _ := s.Type.(*ast.Ident)
			if lit, ok := s.Values[0].(*ast.BasicLit); ok && name != nil && name.Name == typ {
				text, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, text)
			}
		}
		return true
	})
	if len(list) == 0 {
		t.Fatalf("%s has no constants of the type %s", file, typ)
	}
	return list
}

func eventTypes(t *testing.T) (list []alert.Type) {
	for _, s := range constants(t, "../gateway/alert/event.go", "Type") {
		list = append(list, alert.Type(s))
	}
	return list
}

func TestEveryTypeOfEventHasItsMessage(t *testing.T) {
	c := load(t)
	channel := at{file: asyncAPI}.of("channels", "event", "messages")
	types := eventTypes(t)
	for _, typ := range types {
		m := c.follow(channel.of(typ.Short()))
		ref, _ := c.node(m.of("payload", "schema", "$ref")).(string)
		if got := target(m, ref); got != eventSchema(typ) || c.node(m.of("name")) != string(typ) {
			t.Errorf("the message of %s is %s with the schema %s", typ, m, got)
		}
		if got := c.node(eventSchema(typ).of("properties", "type", "const")); got != string(typ) {
			t.Errorf("the schema of %s is about %v", typ, got)
		}
	}
	if n := len(c.object(channel)); n != len(types) {
		t.Errorf("%d messages, %d types", n, len(types))
	}
	all, _ := c.node(def("Event").of("oneOf")).([]any)
	if len(all) != len(types) {
		t.Errorf("the schema Event is one of %d, there are %d types", len(all), len(types))
	}
}

func TestWordsAreThoseOfTheProgram(t *testing.T) {
	c := load(t)
	text := func(list any) (out []string) {
		for _, v := range reflect.ValueOf(list).Seq2() {
			out = append(out, fmt.Sprint(v))
		}
		return out
	}
	for _, w := range []struct {
		schema string
		words  []string
	}{
		{"Reason", text(command.Reasons())},
		{"Outcome", text(alert.Outcomes())},
		{"Status", constants(t, "../gateway/alert/words.go", "Status")},
		{"Fault", append(constants(t, "../hw/point/point.go", "Fault"), "silent")},
	} {
		want := text(c.node(def(w.schema).of("enum")))
		slices.Sort(want)
		slices.Sort(w.words)
		if !slices.Equal(want, w.words) {
			t.Errorf("%s:\nin the document %v\nin the program  %v", w.schema, want, w.words)
		}
	}
	var verbs []string
	list, _ := c.node(def("CommandClaims").of("oneOf")).([]any)
	for i := range list {
		v := c.object(def("CommandClaims").of("oneOf", strconv.Itoa(i), "properties", "verb"))
		if one, ok := v["const"].(string); ok {
			verbs = append(verbs, one)
		} else {
			verbs = append(verbs, text(v["enum"])...)
		}
	}
	program := constants(t, "../sync/command/claims.go", "Verb")
	slices.Sort(verbs)
	slices.Sort(program)
	if !slices.Equal(verbs, program) {
		t.Errorf("verbs in the document %v\nin the program  %v", verbs, program)
	}
}

// TestEveryFieldIsDescribed compares the names in the schemas with those of the
// Go types that are written, both ways.
func TestEveryFieldIsDescribed(t *testing.T) {
	c := load(t)
	data := make(map[string]at)
	for _, typ := range eventTypes(t) {
		maps.Copy(data, c.names(eventSchema(typ).of("properties", "data")))
	}
	same(t, "data of events", data, alert.Event{})
	for name, v := range map[string]any{
		"Place": alert.Location{}, "Text": alert.Text{}, "Ref": alert.Ref{},
		"StatusDocument": event.Status{}, "Clock": event.Clock{}, "Condition": health.Condition{},
		"Reply": event.Reply{}, "Receipts": gate.Receipts{}, "Commands": gate.Waiting{},
		"CommandClaims": command.Claims{}, "AlertChange": webhook.Message{},
	} {
		same(t, name, c.names(def(name)), v)
	}
	same(t, "rejected", c.names(def("Reply").of("properties", "rejected", "items")), event.Rejection{})
	same(t, "commands", c.names(def("Commands").of("properties", "commands", "items")), gate.Command{})
	for i := range 20 {
		if add := def("CommandClaims").of("oneOf", strconv.Itoa(i), "properties", "add"); c.node(add) != nil {
			same(t, "add", c.names(add), command.Key{})
		}
	}
}

func TestReceiptsAreAsDescribed(t *testing.T) {
	c := load(t)
	long := make([]uint64, 600) // more than one receipt carries
	for i := range long {
		long[i] = math.MaxUint64 - 600 + uint64(i)
	}
	for _, above := range [][]uint64{nil, {9}, long} {
		b := event.Receipt{Epoch: "3f9c2a7e51d04b68", Through: 7, Above: above}.Encode()
		must(t, c.checkJSON(def("Receipt"), b))
		must(t, c.checkJSON(def("Receipts"), fmt.Appendf(nil, `{"receipts":[%s]}`, b)))
		b, err := json.Marshal(event.Reply{Epoch: "3f9c2a7e51d04b68", Received: 7, Above: above, Rejected: []event.Rejection{}})
		must(t, err)
		must(t, c.checkJSON(def("Reply"), b))
	}
}

// only returns the event with nothing but the fields of these names.
func only(e alert.Event, names map[string]bool) (out alert.Event) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[alert.Event]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); names[name] {
			reflect.ValueOf(&out).Elem().FieldByIndex(f.Index).Set(reflect.ValueOf(e).FieldByIndex(f.Index))
		}
	}
	return out
}

func same(t *testing.T, what string, described map[string]at, v any) {
	t.Helper()
	fields := make(map[string]bool)
	for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			fields[name] = true
		}
	}
	for name := range fields {
		if _, ok := described[name]; !ok {
			t.Errorf("%s: %T writes %q, which no schema describes", what, v, name)
		}
	}
	for name, a := range described {
		if !fields[name] {
			t.Errorf("%s: %s describes %q, which %T does not have", what, a, name, v)
		}
	}
}

// TestEventsOfEveryType encodes events of each type as the programs do: with
// every field that the document allows they are valid, with any other they are
// not. The session shows what is really sent; this covers types and fields that
// it does not bring about.
func TestEventsOfEveryType(t *testing.T) {
	c := load(t)
	now := time.Date(2026, 11, 21, 8, 15, 3, 123456789, time.UTC)
	const id = "0199e6a4-5c1b-7c3e-9a57-3b1f0c9d2e11"
	sample := alert.Event{
		Numbering: "3f9c2a7e51d04b68", Number: 7, Kind: alert.Fire, Level: alert.LevelHelp, Status: alert.Actual,
		Place: &alert.Location{ID: "gym", Path: []string{"Gym"}}, Point: "a", Gesture: alert.Hold, PressedAt: now, PressedMono: 1,
		Step: 1, Plan: alert.LevelHelp, To: "head", Outcome: alert.TestComplete, Who: "anna", Why: "checked",
		ETA: now, Revision: 1, Command: id, Counter: 1, Text: &alert.Text{RU: "а", KK: "ә", EN: "a"}, Until: now,
		Detail: "words", LastProven: now, From: &alert.Ref{Epoch: "3f9c2a7e51d04b68", Seq: 1}, Through: &alert.Ref{Epoch: "3f9c2a7e51d04b68", Seq: 1}, Count: 1,
		Zones: []string{"yard"}, Screens: []string{"lobby"}, Priority: alert.PriorityNotice,
	}
	for _, typ := range eventTypes(t) {
		sample := sample
		sample.Fault, sample.Origin = "digest", "dispatch"
		data := eventSchema(typ).of("properties", "data")
		forms := []at{data}
		if list, _ := c.node(data.of("oneOf")).([]any); len(list) > 0 {
			forms = nil
			for i := range list {
				forms = append(forms, data.of("oneOf", strconv.Itoa(i)))
			}
		}
		for _, form := range forms {
			allowed := c.names(form)
			s := sample
			// Where the document allows one word only, it is that.
			set := func(field *string, name string) {
				if word, ok := c.node(allowed[name].of("const")).(string); ok && allowed[name].file != "" {
					*field = word
				}
			}
			set((*string)(&s.Status), "status")
			set(&s.Origin, "origin")
			if strings.HasPrefix(string(typ), "nabat.point.") {
				s.Fault = "lost"
			}
			if typ == alert.LinkUp || typ == alert.LinkDown {
				s.Count = 2
			}
			encode := func(names map[string]bool) error {
				e := only(s, names)
				e.Type, e.Subject = typ, id
				raw, err := json.Marshal(e)
				if err != nil {
					return err
				}
				row := journal.Row{
					Ref: alert.Ref{Epoch: "3f9c2a7e51d04b68", Seq: 42}, Type: typ, Subject: id, Data: raw,
					At: alert.Stamp{Wall: now, Boot: "7b1f5c1e-0f1d-4b9a-a2b7-6f0a5f0f7f11", Mono: time.Hour},
				}
				return c.checkJSON(eventSchema(typ), event.Append(nil, event.Source("school-12", "main"), row))
			}
			names := make(map[string]bool)
			for name := range allowed {
				names[name] = true
			}
			if err := encode(names); err != nil {
				t.Errorf("%s as %s describes it: %v", typ, form, err)
			}
			for _, f := range reflect.VisibleFields(reflect.TypeFor[alert.Event]()) {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if name == "-" || names[name] {
					continue
				}
				more := maps.Clone(names)
				more[name] = true
				if encode(more) == nil {
					t.Errorf("%s with %q, which %s does not describe, is not refused", typ, name, form)
				}
			}
		}
	}
}
