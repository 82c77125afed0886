package desk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/command"
	"nabat/sync/dispatch/store"
)

// shown returns what an operator's page is told.
func shown(t *testing.T, s *Server, l alert.Language, me string) state {
	t.Helper()
	p, err := s.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.state(p, l, me)
}

func lines(c card) string {
	list := []cardLine{c.Reach}
	if c.Taken != nil {
		list = append(list, *c.Taken)
	}
	var b strings.Builder
	for _, l := range append(append(list, c.People...), c.Orders...) {
		b.WriteString(l.How + " " + l.Text + "\n")
	}
	return b.String()
}

func TestOfTwoOperatorsOneTakesTheAlert(t *testing.T) {
	w := newTown(t)
	w.press(press{id: "alert-1", number: 7, kind: alert.Intruder, level: alert.LevelEmergency})
	w.heard(school(), time.Now(), 0)
	s := w.desk(nil)
	srv := serve(t, s)
	people := []*visit{enter(t, srv).in("aigerim", testPassword), enter(t, srv).in("boris", otherSecret)}
	names := []string{"Айгерим Сапарова", "Борис Ким"}
	tokens := []string{people[0].token(), people[1].token()}
	status, said := make([]int, 2), make([]string, 2)
	var wg sync.WaitGroup
	for i, v := range people {
		wg.Add(1)
		go func() {
			defer wg.Done()
			req, err := http.NewRequest(http.MethodPost, v.base+one("alert-1")+"/take", strings.NewReader("number=7&token="+tokens[i]))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Accept", "application/json")
			answer, err := v.client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			var body struct{ Text string }
			if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			status[i], said[i] = answer.StatusCode, body.Text
		}()
	}
	wg.Wait()
	winner := 0
	if status[1] == http.StatusOK {
		winner = 1
	}
	if status[winner] != http.StatusOK || status[1-winner] != http.StatusConflict || !strings.Contains(said[1-winner], names[winner]) {
		t.Fatalf("answers %v %q", status, said)
	}
	commands, err := w.store.CommandsOf(t.Context(), school(), "alert-1", 10)
	if err != nil || len(commands) != 1 || commands[0].Claims.Verb != command.Acknowledge || commands[0].Claims.Number != 7 || commands[0].Claims.Who != []string{"aigerim", "boris"}[winner] {
		t.Fatalf("commands %+v, %v", commands, err)
	}
	st := shown(t, s, alert.English, "nobody")
	if c := st.Alerts[0]; c.CanTake || c.Taken == nil || !strings.Contains(c.Taken.Text, names[winner]) {
		t.Errorf("card %+v", c)
	}
	// A press after that is nobody's yet.
	w.press(press{id: "alert-1", number: 8, kind: alert.Intruder, level: alert.LevelEmergency})
	if c := shown(t, s, alert.English, "nobody").Alerts[0]; !c.CanTake || c.Taken.How != "wait" || !strings.Contains(c.Taken.Text, "pressed again") {
		t.Errorf("after another press: %+v", c.Taken)
	}
	loser := people[1-winner]
	if status, body := loser.form(one("alert-1")+"/take", nil, "token", tokens[1-winner], "number", "8"); status != http.StatusOK {
		t.Errorf("take the next press: %d %s", status, body)
	}
}

func TestACommandIsNeverToldAsMoreThanItIs(t *testing.T) {
	w := newTown(t)
	s := w.desk(nil)
	w.press(press{id: "alert-1", number: 1, kind: alert.Fire, level: alert.LevelEmergency})
	v := open(t, s).in("aigerim", testPassword)
	token := v.token()
	if status, body := v.form(one("alert-1")+"/take", nil, "token", token, "number", "1"); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	see := func(want ...string) {
		t.Helper()
		text := ""
		missing := func() bool {
			text = lines(shown(t, s, alert.English, "aigerim").Alerts[0])
			return slices.ContainsFunc(want, func(x string) bool { return !strings.Contains(text, x) })
		}
		// What a link has published is seen at the next look, at most 3 s later.
		tick, deadline := time.NewTicker(20*time.Millisecond), time.NewTimer(30*time.Second)
		defer tick.Stop()
		defer deadline.Stop()
		for missing() {
			select {
			case <-tick.C:
			case <-deadline.C:
				t.Fatalf("want %q in:\n%s", want, text)
			}
		}
		if strings.Contains(text, "the school has it") != strings.Contains(strings.Join(want, ""), "the school has it") {
			t.Errorf("told as known in the school too soon:\n%s", text)
		}
	}
	see("bad The gateway was never heard of", "good Taken by Айгерим", "bad “Taken”: not delivered, the gateway was never heard of")
	w.heard(school(), time.Now().Add(-20*time.Minute), 0)
	see("went silent at", "not yet delivered, the gateway is offline since")
	w.heard(school(), time.Now(), 0)
	see("good The gateway can be reached now", "wait “Taken”: waiting to be sent")
	commands, err := w.store.CommandsOf(t.Context(), school(), "alert-1", 1)
	if err != nil || len(commands) != 1 {
		t.Fatal(err, commands)
	}
	c := commands[0].Claims
	if err := w.store.Published(t.Context(), school(), c.ID, c.Counter); err != nil {
		t.Fatal(err)
	}
	see("wait “Taken”: sent to the school at", "no answer yet")
	w.send(school(), alert.Event{Type: alert.CommandRefused, Subject: c.ID, At: alert.Stamp{Wall: time.Now(), Boot: "boot-1", Mono: time.Hour, Synced: true}, Command: c.ID, Counter: c.Counter, Detail: "expired"})
	see("bad “Taken”: the school refused: ")
	w.send(school(), alert.Event{Type: alert.CommandAccepted, Subject: c.ID, At: alert.Stamp{Wall: time.Now(), Boot: "boot-1", Mono: time.Hour, Synced: true}, Command: c.ID, Counter: c.Counter})
	see("good “Taken”: the school has it")
}

func TestTeamsAndTheEndOfAnAlert(t *testing.T) {
	w := newTown(t)
	s := w.desk(nil)
	w.press(press{id: "alert-1", number: 3, kind: alert.Medical, level: alert.LevelEmergency})
	w.heard(school(), time.Now(), 0)
	v := open(t, s).in("boris", otherSecret)
	token := v.token()
	do := func(action string, want int, fields ...string) {
		t.Helper()
		if status, body := v.form(one("alert-1")+"/"+action, nil, append(fields, "token", token)...); status != want {
			t.Errorf("%s %v: %d %s, want %d", action, fields, status, body, want)
		}
	}
	do("take", http.StatusBadRequest)
	do("take", http.StatusBadRequest, "number", "4") // nobody can have seen what did not happen
	do("take", http.StatusBadRequest, "number", "-1")
	do("team", http.StatusBadRequest, "number", "3", "team", "99", "eta", "5")
	do("team", http.StatusBadRequest, "number", "3", "team", "1", "eta", "100000")
	do("arrived", http.StatusBadRequest, "number", "3", "team", "1")
	do("team", http.StatusOK, "number", "3", "team", "1", "eta", "12")
	if text := lines(shown(t, s, alert.Russian, "boris").Alerts[0]); !strings.Contains(text, "Группа 3: в пути, ожидается в") || !strings.Contains(text, "+7 700") {
		t.Errorf("the team: %s", text)
	}
	do("arrived", http.StatusOK, "number", "3", "team", "1")
	do("clear", http.StatusBadRequest, "number", "3", "why", "x")
	do("clear", http.StatusBadRequest, "number", "3", "outcome", "resolved")
	do("clear", http.StatusBadRequest, "number", "3", "outcome", "sabotage", "why", "x")
	do("clear", http.StatusOK, "number", "3", "outcome", "resolved", "why", "the doctor came")
	if len(shown(t, s, alert.Russian, "boris").Alerts) != 1 {
		t.Error("closed here before the school has closed it")
	}
	commands, err := w.store.CommandsOf(t.Context(), school(), "alert-1", 10)
	if err != nil {
		t.Fatal(err)
	}
	verbs := make(map[command.Verb]command.Claims)
	for _, c := range commands {
		verbs[c.Claims.Verb] = c.Claims
	}
	if c := verbs[command.Responding]; c.ETA.IsZero() || c.Why != "Группа 3" || c.Number != 3 || c.Who != "boris" {
		t.Errorf("responding %+v", c)
	}
	if c := verbs[command.Clear]; c.Outcome != alert.Resolved || c.Why != "the doctor came" {
		t.Errorf("clear %+v", c)
	}
	w.send(school(), alert.Event{Type: alert.Cleared, Subject: "alert-1", At: alert.Stamp{Wall: time.Now(), Boot: "boot-1", Mono: time.Hour, Synced: true}, Numbering: "numbering", Number: 3, Kind: alert.Medical,
		Place: &alert.Location{ID: "room-204"}, Outcome: alert.Resolved, Origin: "dispatch", Who: "boris", Why: "the doctor came"})
	if n := len(shown(t, s, alert.Russian, "boris").Alerts); n != 0 {
		t.Errorf("%d alerts open after the school closed it", n)
	}
	do("clear", http.StatusConflict, "number", "3", "outcome", "resolved", "why", "again")
	if status, body := v.get(one("alert-1") + "?lang=en"); status != http.StatusOK || !strings.Contains(body, "the doctor came") || !strings.Contains(body, "cap?message=2") {
		t.Errorf("the alert's page: %d %.300s", status, body)
	}
}

func TestEveryActionIsInTheAuditLog(t *testing.T) {
	w := newTown(t)
	w.press(press{id: "alert-1", number: 1, kind: alert.Fire, level: alert.LevelEmergency})
	v := open(t, w.desk(nil)).in("aigerim", testPassword)
	token := v.token()
	gw := "/dispatch/gateways/school-12/main"
	for _, f := range [][]string{
		{one("alert-1") + "/take", "number", "1"}, {one("alert-1") + "/team", "number", "1", "team", "1", "eta", "5"}, {one("alert-1") + "/arrived", "number", "1", "team", "1"},
		{one("alert-1") + "/clear", "number", "1", "outcome", "false-press", "why", "a mistake"},
		{gw + "/announce", "en", "Stay in the classrooms", "minutes", "15"}, {gw + "/drill", "do", "start", "kind", "fire", "place", "gym", "sure", "yes"}, {gw + "/drill", "do", "end"},
		{gw + "/config", "toml", "[site]\nid = \"school-12\"\n"},
		{"/dispatch/operators", "do", "add", "id", "clara", "name", "Clara", "password", "0123456789"}, {"/dispatch/operators", "do", "change", "id", "clara", "disabled", "yes"}, {"/dispatch/teams", "name", "Group 4"},
	} {
		if status, body := v.form(f[0], nil, append(f[1:], "token", token)...); status != http.StatusOK {
			t.Errorf("%v: %d %s", f, status, body)
		}
	}
	list, err := w.store.AuditLog(t.Context(), 0, 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"login", "acknowledge", "responding", "arrived", "clear", "announce", "drill-start", "drill-end", "config-pull", "operator", "team"} {
		found := false
		for _, e := range list {
			found = found || e.What == what && e.Who == "aigerim" && strings.Contains(e.Detail, "from 127.0.0.1")
		}
		if !found {
			t.Errorf("%q is not in the audit log with who and where from", what)
		}
	}
	// What must not happen by a slip.
	for _, f := range [][]string{
		{gw + "/drill", "do", "start", "kind", "fire", "place", "gym"}, {gw + "/announce", "minutes", "15"}, {gw + "/announce", "en", strings.Repeat("x", 501), "minutes", "5"}, {gw + "/announce", "en", "x", "minutes", "0"},
		{gw + "/config", "toml", " "}, {gw + "/config", "toml", strings.Repeat("#", maxConfig+1)}, {"/dispatch/operators", "do", "add", "id", "dan", "password", "short"}, {"/dispatch/operators", "do", "change", "id", "aigerim", "role", "operator"},
	} {
		if status, body := v.form(f[0], nil, append(f[1:], "token", token)...); status < 400 || status >= 500 {
			t.Errorf("%.80v: %d %.200s", f, status, body)
		}
	}
}

func TestWhatAnOperatorMustNotOverlook(t *testing.T) {
	w := newTown(t)
	w.busy()
	w.press(press{id: "alert-5", number: 5, kind: "gas", level: alert.LevelEmergency, unsynced: true, place: alert.Location{ID: "lab"}})
	s := w.desk(nil)
	byID := make(map[string]card)
	st := shown(t, s, alert.English, "boris")
	for _, c := range st.Alerts {
		byID[c.URL[strings.LastIndex(c.URL, "/")+1:]] = c
	}
	if c := byID["alert-2"]; !strings.HasPrefix(c.Late, "LATE by 1") || !strings.Contains(c.Late, "do not send blindly") {
		t.Errorf("17 minutes late: %q", c.Late)
	}
	if c := byID["alert-1"]; c.Late != "" || c.Presses != "2 presses" || c.Number != 2 || c.Place[2] != "Кабинет 204" || len(c.Times) != 3 {
		t.Errorf("in time: %+v", c)
	}
	if c := byID["alert-3"]; c.Status != alert.Exercise {
		t.Errorf("a drill: %+v", c)
	}
	if c := byID["alert-5"]; c.Clock == "" || c.Kind != "gas" || c.Icon != "other" || strings.Contains(fmt.Sprint(c.Times), "1970") {
		t.Errorf("a clock that is not synchronised: %+v", c)
	}
	if g := st.Gateways[0]; g.Online || !strings.Contains(g.Reach.Text, "went silent") || g.Clock.How == "good" || strings.Contains(g.Links, "✓") {
		t.Errorf("the silent gateway first, and nothing told of it as present: %+v", g)
	}
	for _, l := range alert.Languages() {
		b, err := json.Marshal(shown(t, s, l, "boris"))
		if m := regexp.MustCompile(`\{\w+\}|"(reach|clock|order|taken|late|queue)\.[a-z]+"`).Find(b); err != nil || m != nil {
			t.Errorf("%s: a text is not filled in: %s %v", l, m, err)
		}
	}
}

func TestTheCAPMessagesAreValid(t *testing.T) {
	w := newTown(t)
	w.press(press{id: "alert-1", number: 1, kind: alert.Fire, level: alert.LevelEmergency, place: alert.Location{ID: "gym", Path: []string{"<Gym> & \x01 hall"}}})
	w.press(press{id: "alert-1", number: 2, kind: alert.Fire, level: alert.LevelEmergency, place: alert.Location{ID: "gym"}})
	w.send(school(), alert.Event{Type: alert.Cleared, Subject: "alert-1", At: alert.Stamp{Wall: time.Now(), Boot: "boot-1", Mono: time.Hour, Synced: true}, Numbering: "numbering", Number: 2, Kind: alert.Fire,
		Place: &alert.Location{ID: "gym"}, Outcome: alert.FalsePress, Origin: "dispatch", Who: "boris", Why: "Ivanov of 5A pressed it"})
	v := open(t, w.desk(nil)).in("boris", otherSecret)
	dir := t.TempDir()
	for i, want := range []string{"<msgType>Alert</msgType>", "<msgType>Update</msgType>", "<msgType>Cancel</msgType>"} {
		status, body := v.get(fmt.Sprintf("%s/cap?message=%d", one("alert-1"), i+1))
		if status != http.StatusOK || !strings.Contains(body, want) || strings.Contains(body, "Ivanov") || strings.Contains(body, "boris") {
			t.Errorf("message %d: %d %s", i+1, status, body)
		}
		file := filepath.Join(dir, fmt.Sprint(i, ".xml"))
		if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("xmllint", "--nonet", "--noout", "--schema", "../cap/testdata/cap.xsd", file).CombinedOutput(); err != nil {
			t.Errorf("xmllint (apt-get install -y libxml2-utils): %v\n%s\n%s", err, out, body)
		}
	}
	if status, _ := v.get(one("alert-1") + "/cap?message=4"); status != http.StatusNotFound {
		t.Errorf("a message that does not exist: %d", status)
	}
}

func TestAPageOfEachKindIsMade(t *testing.T) {
	w := newTown(t)
	w.busy()
	v := open(t, w.desk(nil)).in("aigerim", testPassword)
	for _, path := range []string{"/dispatch", one("alert-1"), one("alert-3"), "/dispatch/gateways", "/dispatch/gateways/library/hall", "/dispatch/history", "/dispatch/history?kind=fire&status=Exercise&from=2020-01-01&to=2099-01-01&gateway=school-12/main", "/dispatch/audit?verify=1", "/dispatch/people"} {
		for _, l := range alert.Languages() {
			sep := "?"
			if strings.Contains(path, "?") {
				sep = "&"
			}
			status, body := v.get(path + sep + "lang=" + string(l))
			if status != http.StatusOK || !strings.Contains(body, `<html lang="`+string(l)+`"`) || strings.Contains(body, "<script>") || strings.Contains(body, "style=") {
				t.Errorf("%s in %s: %d %.200s", path, l, status, body)
			}
		}
	}
	for path, want := range map[string]int{"/dispatch/history?from=yesterday": 400, "/dispatch/history?before=x": 400, "/dispatch/audit?before=-1": 400, one("nothing"): 404, "/dispatch/gateways/no/where": 404} {
		if status, _ := v.get(path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

func TestARevokedGatewayIsNotTakenForABrokenDatabase(t *testing.T) {
	w := newTown(t)
	w.press(press{id: "alert-1", number: 1, kind: alert.Fire, level: alert.LevelEmergency})
	if err := w.store.Revoke(t.Context(), school(), "test"); err != nil {
		t.Fatal(err)
	}
	s := w.desk(nil)
	v := open(t, s).in("boris", otherSecret)
	token := v.token()
	if status, body := v.form(one("alert-1")+"/take", nil, "token", token, "number", "1"); status != http.StatusConflict || !strings.Contains(body, `"revoked"`) {
		t.Errorf("%d %s", status, body)
	}
	if c := shown(t, s, alert.English, "boris").Alerts[0]; !c.Mine || !c.CanTake || len(c.Orders) != 0 {
		t.Errorf("taken here, the school not told, to be tried again: %+v", c)
	}
}

var _ store.Signer = signer{}
