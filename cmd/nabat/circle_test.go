package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

// mqttSection is the configuration of a plain link to a broker of this machine
// behind which no dispatch gives receipts.
func mqttSection(b *brokertest.Broker) string {
	return fmt.Sprintf("[mqtt]\nurl = \"mqtt://%s\"\nreceipts = false\n", b.Addr())
}

// truth returns the truth of the only open alert, or "".
func truth(s control.Status) string {
	if len(s.Alerts) != 1 {
		return ""
	}
	return s.Alerts[0].Truth
}

func hasTruth(want alert.Truth) func(control.Status) bool {
	return func(s control.Status) bool { return truth(s) == want.String() }
}

func TestPressGoesTheWholeWayAndBack(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{})
	far := subscribe(t, broker.Addr())
	dir := t.TempDir()
	path, pages := writeConfig(t, dir, []string{"gym"}, mqttSection(broker))
	p := start(t, path, dir)
	staff := mustLogin(t, pages)
	p.press(t, "gym")
	p.waitFor(t, "sent", hasTruth(alert.TruthSent))
	if got := far.count(alert.Raised); got != 1 {
		t.Fatalf("%d raised events arrived", got)
	}
	raised := far.seen()[len(far.seen())-1]
	for _, e := range far.seen() {
		if e.Type == alert.Raised {
			raised = e
		}
	}
	e, err := raised.Alert()
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind != alert.Intruder || e.Level != alert.LevelEmergency || e.Status != alert.Actual || e.Place.ID != "place-gym" || e.Point != "gym" || e.Gesture != alert.Tap || e.PressedMono == 0 {
		t.Errorf("the event says %+v", e)
	}
	if lobby := get(t, pages, "/api/v1/state?audience=lobby"); !strings.Contains(lobby, "intruder") {
		t.Errorf("the lobby does not know: %s", lobby)
	}

	topics, err := event.NewTopics("school-12", "main")
	if err != nil {
		t.Fatal(err)
	}
	far.receipt(t, topics, event.Receipt{Epoch: raised.Ref.Epoch, Above: []uint64{raised.Ref.Seq}})
	p.waitFor(t, "received", hasTruth(alert.TruthReceived))

	id, number, err := staff.find(t.Context(), "gym")
	if err != nil {
		t.Fatal(err)
	}
	if err := staff.decide(t.Context(), id, "acknowledge", map[string]any{"number": number}); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, "accepted", hasTruth(alert.TruthAccepted))
	if err := staff.decide(t.Context(), id, "clear", map[string]any{"number": number, "outcome": alert.Resolved}); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, "all clear", func(s control.Status) bool { return len(s.Alerts) == 0 })
	waitUntil(t, "the clear at dispatch", func() bool { return far.count(alert.Cleared) == 1 && far.count(alert.Received) == 1 })
	p.stop(t)
	far.checkOrder(t)
}

func TestPressesOfAnOutageArriveAfterIt(t *testing.T) {
	// The broker takes up the far end's session again, whichever of the two is
	// back first: what the gateway sends before its far end is kept for it.
	broker := brokertest.Start(t, brokertest.Options{Keeps: true})
	far := subscribe(t, broker.Addr())
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a", "b"}, mqttSection(broker))
	p := start(t, path, dir)
	p.waitFor(t, "link", func(s control.Status) bool { return len(s.Links) == 1 && s.Links[0].Up })
	broker.Stop()
	const presses = 10
	for range presses {
		p.press(t, "a")
	}
	p.waitFor(t, "an honest lamp", func(s control.Status) bool { return truth(s) == alert.TruthSaved.String() && !s.Links[0].Up })
	p.stop(t) // a stop while dispatch is away must lose nothing either
	p = start(t, path, dir)
	p.press(t, "b")
	broker.Restart()
	p.waitFor(t, "an empty queue", emptyQueue)
	waitUntil(t, "all presses", func() bool { return far.count(alert.Raised) == presses+1 })
	far.checkOrder(t)
}

func TestSecondGatewayOnTheSameDataIsRefused(t *testing.T) {
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, "")
	start(t, path, dir)
	var out, errs strings.Builder
	if status := Main(t.Context(), []string{"run", "--config", path}, &out, &errs); status != exitFailed || !strings.Contains(errs.String(), "another process uses the journal") {
		t.Errorf("status %d: %s", status, &errs)
	}
}

func TestRestartKeepsOpenAlertsAndWhatWasSent(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{})
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, mqttSection(broker))
	p := start(t, path, dir)
	p.press(t, "a")
	p.waitFor(t, "sent", hasTruth(alert.TruthSent))
	p.stop(t)
	broker.Stop()
	p = start(t, path, dir)
	p.waitFor(t, "sent, as before", hasTruth(alert.TruthSent))
}

func TestDamagedJournalIsNoReasonNotToAlarm(t *testing.T) {
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, "")
	p := start(t, path, dir)
	p.press(t, "a")
	p.stop(t)
	file := dir + "/" + journalFile
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, make([]byte, info.Size()), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	p = start(t, path, dir)
	t.Logf("armed %v after a start with a zeroed journal", time.Since(begun))
	p.press(t, "a")
	p.waitFor(t, "the new press", func(s control.Status) bool { return len(s.Alerts) == 1 && s.Journal.Durable })
}

// get reads a page of the gateway.
func get(t *testing.T, address, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSalvageBringsBackWhatIsOpenAndNothingElse(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{})
	far := subscribe(t, broker.Addr())
	dir := t.TempDir()
	path, pages := writeConfig(t, dir, []string{"open", "cleared"}, mqttSection(broker)+`
[[plan]]
kind = "intruder"
level = "emergency"
escalation = [ { after = "1s", to = "head" } ]
`)
	p := start(t, path, dir)
	staff := mustLogin(t, pages)
	for _, id := range []string{"open", "cleared"} {
		p.press(t, id)
	}
	id, number, err := staff.find(t.Context(), "cleared")
	if err != nil {
		t.Fatal(err)
	}
	if err := staff.decide(t.Context(), id, "clear", map[string]any{"number": number, "outcome": alert.FalsePress}); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, "an empty queue", emptyQueue)
	p.stop(t)
	escalated := far.count(alert.Escalated)
	file := dir + "/" + journalFile
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil { // the first page: header and schema
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p = start(t, path, dir)
	s := p.waitFor(t, "the open alert from the damaged file", func(s control.Status) bool { return len(s.Alerts) > 0 })
	if len(s.Alerts) != 1 || s.Alerts[0].Point != "open" {
		t.Errorf("open after the salvage: %+v", s.Alerts)
	}
	waitUntil(t, "the account of the salvage at dispatch", func() bool { return far.count(alert.JournalRecovered) == 1 })
	p.waitFor(t, "an empty queue", emptyQueue)
	for _, e := range far.seen() {
		if a, err := e.Alert(); err == nil && e.Type == alert.Escalated && a.Place.ID == "place-cleared" && e.Ref.Epoch == s.Journal.Epoch {
			t.Errorf("an alert that was cleared long ago escalates: %+v", a)
		}
	}
	t.Logf("%d escalations before, %d after", escalated, far.count(alert.Escalated))
}

func emptyQueue(s control.Status) bool {
	for _, q := range s.Queue {
		if q.Depth > 0 {
			return false
		}
	}
	return len(s.Queue) > 0
}
