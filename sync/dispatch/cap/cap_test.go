package cap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
)

// validate checks files against every schema in testdata with xmllint.
func validate(t interface {
	Helper()
	Fatalf(string, ...any)
}, names ...string) {
	t.Helper()
	schemas, err := filepath.Glob("testdata/*.xsd")
	if err != nil || len(schemas) == 0 {
		t.Fatalf("no schema in testdata: %v", err)
	}
	for _, schema := range schemas {
		out, err := exec.Command("xmllint", append([]string{"--nonet", "--noout", "--schema", schema}, names...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("xmllint with %s (apt-get install -y libxml2-utils): %v\n%s", schema, err, out)
		}
	}
}

func sample() Message {
	return Message{
		Type: TypeAlert, Sender: "dispatch.example.org", SenderName: "District dispatch", Serial: 1, Sent: time.Date(2026, 11, 21, 8, 15, 4, 0, time.FixedZone("", 5*3600)),
		Alert: Alert{
			ID: "0199e6a4-5c1b-7c3e-9a57-3b1f0c9d2e11", Site: "school-12", Gateway: "main", SiteName: alert.Text{RU: "Школа № 12", KK: "№ 12 мектеп", EN: "School 12"},
			Kind: alert.Intruder, Level: alert.LevelEmergency, Status: alert.Actual, Place: alert.Location{ID: "room-204", Path: []string{"Главное здание", "Кабинет 204"}},
			Point: "button-204", Presses: 2, Pressed: time.Date(2026, 11, 21, 3, 15, 3, 0, time.UTC), Clock: ClockSynchronised, Stage: StageOpen,
		},
	}
}

func write(t *testing.T, dir string, messages ...Message) []string {
	t.Helper()
	var names []string
	for i, m := range messages {
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, fmt.Sprintf("%d.xml", i))
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

func TestTheLifeOfAnAlertIsValid(t *testing.T) {
	first := sample()
	earlier := []Reference{{1, first.Sent}}
	second := first
	second.Type, second.Serial, second.Sent, second.Earlier = TypeUpdate, 2, first.Sent.Add(time.Minute), earlier
	second.Alert.Stage, second.Alert.Late = StageResponding, true
	last := second
	last.Type, last.Serial, last.Earlier = TypeCancel, 3, append(earlier, Reference{2, second.Sent})
	last.Alert.Stage, last.Alert.Outcome = StageClosed, alert.FalsePress
	drill := first
	drill.Alert.Status = alert.Exercise
	unknown := first
	unknown.Alert.Clock, unknown.Alert.Pressed = ClockUnknown, time.Unix(3600, 0)
	names := write(t, t.TempDir(), first, second, last, drill, unknown)
	validate(t, names...)
	for i, want := range [][]string{
		{"<msgType>Alert</msgType>", "<sent>2026-11-21T03:15:04+00:00</sent>", "<onset>2026-11-21T03:15:03+00:00</onset>", "<scope>Restricted</scope>", "<restriction>",
			"<language>ru</language>", "<language>kk</language>", "<language>en</language>", "<category>Security</category>", "<severity>Extreme</severity>", "<event>Вторжение</event>",
			"<areaDesc>School 12, Главное здание, Кабинет 204</areaDesc>", "<identifier>nabat.school-12.main.0199e6a4-5c1b-7c3e-9a57-3b1f0c9d2e11.1</identifier>"},
		{"<msgType>Update</msgType>", "<references>dispatch.example.org,nabat.school-12.main.0199e6a4-5c1b-7c3e-9a57-3b1f0c9d2e11.1,2026-11-21T03:15:04+00:00</references>", "call the school back first"},
		{"<msgType>Cancel</msgType>", "Outcome: false-press", "<responseType>AllClear</responseType>", "<urgency>Past</urgency>", "<certainty>Unlikely</certainty>"},
		{"<status>Exercise</status>", "<note>Exercise ", "DRILL: ", "Send nobody"},
		{"<value>unknown</value>"},
	} {
		b, err := os.ReadFile(names[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(b), w) {
				t.Errorf("message %d does not say %q:\n%s", i, w, b)
			}
		}
		if i == 4 && strings.Contains(string(b), "<onset>") {
			t.Error("a time that nobody knows is told as the onset")
		}
	}
}

func TestTheSchemaRefusesWhatCAPForbids(t *testing.T) {
	b, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a time in Z":          {"+00:00</sent>", "Z</sent>"},
		"a comma in the id":    {"<identifier>nabat", "<identifier>na,bat"},
		"a space in the id":    {"<identifier>nabat", "<identifier>na bat"},
		"no restriction":       {"<restriction>", "<restriction/><!--"},
		"an unknown status":    {"<status>Actual", "<status>Real"},
		"an unknown category":  {"<category>Security", "<category>School"},
		"the wrong order":      {"<msgType>Alert</msgType>\n", ""},
		"another namespace":    {"cap:1.2", "cap:1.1"},
		"something of its own": {"<scope>", "<pupil>name</pupil><scope>"},
	} {
		text := strings.Replace(string(b), change[0], change[1], 1)
		if strings.Contains(change[1], "<!--") {
			text = strings.Replace(text, "</restriction>", "-->", 1)
		}
		if text == string(b) {
			t.Fatalf("%s: nothing was changed", name)
		}
		file := filepath.Join(t.TempDir(), "x.xml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := exec.Command("xmllint", "--nonet", "--noout", "--schema", "testdata/cap.xsd", file).Run(); err == nil {
			t.Errorf("%s is held valid", name)
		}
	}
}

func TestAnyAlertIsValid(t *testing.T) {
	dir := t.TempDir()
	text := rapid.OneOf(rapid.String(), rapid.StringN(0, 3000, -1), rapid.SampledFrom([]string{
		"", "a b,c<d&e>", "\x00\x01\x1f\x7f", "\ufffe\uffff", "👩‍🏫🔥", "]]>", "<!--", "\u202eevil", "\r\n\t", "\xff\xfe", strings.Repeat("я", 5000),
	}))
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
	})
	sane := rapid.Custom(func(t *rapid.T) time.Time { return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), 0) })
	var names []string
	rapid.Check(t, func(t *rapid.T) {
		m := Message{
			Type: rapid.SampledFrom([]Type{TypeAlert, TypeUpdate, TypeCancel}).Draw(t, "type"), Sender: "x" + text.Draw(t, "sender"), SenderName: text.Draw(t, "sender name"),
			Serial: rapid.IntRange(1, 1<<30).Draw(t, "serial"), Sent: sane.Draw(t, "sent"),
			Alert: Alert{
				ID: "x" + text.Draw(t, "id"), Site: text.Draw(t, "site"), Gateway: text.Draw(t, "gateway"), SiteName: alert.Text{RU: text.Draw(t, "ru"), EN: text.Draw(t, "en")},
				Kind: alert.Kind(text.Draw(t, "kind")), KindName: alert.Text{KK: text.Draw(t, "kk")}, Level: alert.Level(rapid.Uint8().Draw(t, "level")),
				Status: rapid.SampledFrom([]alert.Status{alert.Actual, alert.Exercise, alert.Test, "", "Odd"}).Draw(t, "status"),
				Place:  alert.Location{ID: text.Draw(t, "place"), Path: rapid.SliceOfN(text, 0, 6).Draw(t, "path")}, Point: text.Draw(t, "point"), Presses: rapid.Uint64().Draw(t, "presses"),
				Pressed: moment.Draw(t, "pressed"), Clock: Clock(rapid.SampledFrom([]string{"synchronised", "corrected", "unknown", "", "<&"}).Draw(t, "clock")), Late: rapid.Bool().Draw(t, "late"),
				Stage:   Stage(rapid.SampledFrom([]string{"open", "taken", "responding", "arrived", "closed", "", "<&"}).Draw(t, "stage")),
				Outcome: alert.Outcome(rapid.SampledFrom([]string{"resolved", "false-press", "test-complete", "", "<&"}).Draw(t, "outcome")),
			},
		}
		if m.Type != TypeAlert {
			for i := range rapid.IntRange(1, 5).Draw(t, "earlier") {
				m.Earlier = append(m.Earlier, Reference{i + 1, sane.Draw(t, "earlier sent")})
			}
		}
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, fmt.Sprintf("%d.xml", len(names)))
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	})
	validate(t, names...) // all at once: starting a program takes longer than reading a message
}

func TestWhatCAPCannotCarryIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Message){
		"no type": func(m *Message) { m.Type = "" }, "no sender": func(m *Message) { m.Sender = "" }, "no alert": func(m *Message) { m.Alert.ID = "" },
		"no serial": func(m *Message) { m.Serial = 0 }, "an update of nothing": func(m *Message) { m.Type = TypeUpdate }, "a cancel of nothing": func(m *Message) { m.Type = TypeCancel },
		"an alert with a past":   func(m *Message) { m.Earlier = []Reference{{1, m.Sent}} },
		"a year of five figures": func(m *Message) { m.Sent = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a reference to nothing": func(m *Message) { m.Type, m.Earlier = TypeUpdate, []Reference{{0, m.Sent}} },
	} {
		m := sample()
		change(&m)
		if _, err := m.Encode(); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIdentifiersStayDifferent(t *testing.T) {
	text := rapid.String()
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		if a != b && token(a) == token(b) {
			t.Fatalf("%q and %q are both %q", a, b, token(a))
		}
		if id := Identifier(a, b, a+b, 1); strings.ContainsAny(id, " ,<&\t\n") {
			t.Fatalf("identifier %q", id)
		}
	})
}
