package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/sync/sms/modemtest"
)

// A press that nobody takes goes, through the real program, to whom the plan
// asks, by text message; once it is taken nobody else is asked; and the end is
// told to who was asked, also after a kill in between.
func TestAPressThatNobodyTakesAsksByTextMessage(t *testing.T) {
	modem := modemtest.New(t)
	dir := t.TempDir()
	path, pages := writeConfig(t, dir, []string{"gym"}, fmt.Sprintf(`
[sms]
device = %q
[[contact]]
id = "head-1"
role = "head"
phone = "+77010000001"
language = "kk"
[[contact]]
id = "guard-1"
role = "guard"
phone = "+77010000002"
language = "en"
[[plan]]
kind = "intruder"
level = "emergency"
escalation = [ { after = "0s", to = "head" }, { after = "2s", to = "guard" }, { after = "10m", to = "head" } ]
`, modem.Device()))
	p := start(t, path, dir)
	p.press(t, "gym")
	// The kill may hit the moment between a hand-over and its answer: then a
	// summary tells of the doubt, which is right and not counted here.
	came := func() []modemtest.Message {
		return slices.DeleteFunc(modem.Messages(), func(m modemtest.Message) bool {
			return strings.HasPrefix(m.Text, "School: ") || strings.HasPrefix(m.Text, "Мектеп: ")
		})
	}
	messages := func(n int) func(control.Status) bool {
		return func(control.Status) bool { return len(came()) >= n }
	}
	p.waitFor(t, "two messages", messages(2))
	p.kill()
	p = start(t, path, dir)
	staff := mustLogin(t, pages)
	id, number, err := staff.find(t.Context(), "gym")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct{ verb, outcome string }{{"acknowledge", ""}, {"clear", string(alert.Resolved)}} {
		if err := staff.decide(t.Context(), id, d.verb, map[string]any{"number": number, "outcome": d.outcome}); err != nil {
			t.Fatal(d.verb, err)
		}
	}
	p.waitFor(t, "the end is told to both", messages(4))
	p.stop(t)
	want := []string{
		`\+77010000001 ДАБЫЛ\. Басып кіру: Орын gym, ~?\d\d:\d\d\. Шақыруды ешкім қабылдаған жоқ\. Мектеп`,
		`\+77010000002 EMERGENCY\. Intruder: Place gym, ~?\d\d:\d\d\. Nobody has taken the call\. School`,
		`\+7701000000[12] (Дабыл аяқталды|All clear)\. .*`,
		`\+7701000000[12] (Дабыл аяқталды|All clear)\. .*`,
	}
	got := came()
	if len(got) != len(want) || got[2].Number == got[3].Number {
		t.Fatalf("messages %v", got)
	}
	for i, m := range got {
		if text := m.Number + " " + m.Text; !regexp.MustCompile("^" + want[i] + "$").MatchString(text) {
			t.Errorf("message %d: %s, want %s", i, text, strings.ReplaceAll(want[i], `\`, ""))
		}
	}
}
