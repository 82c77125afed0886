package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/control"
)

// drill starts or ends one at the console.
func (s *staffMember) drill(t *testing.T, verb, body string) (status int, said string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/api/v1/drills/"+verb, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 2000))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// statuses are those of the open alerts, in the order in which people see them.
func statuses(s control.Status) string {
	var list []string
	for _, a := range s.Alerts {
		list = append(list, string(a.Status)+" "+a.Truth)
	}
	return strings.Join(list, ", ")
}

func TestRealPressBreaksThroughADrillAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	path, pages := writeConfig(t, dir, []string{"a"}, "")
	p := start(t, path, dir)
	const intruder = `{"kind":"intruder","place":"place-a","level":"emergency"}`
	if status, said := mustLogin(t, pages).drill(t, "start", intruder); status != http.StatusOK {
		t.Fatalf("start of the drill: %d %s", status, said)
	}
	p.waitFor(t, "the drill", func(s control.Status) bool { return statuses(s) == "Exercise saved" })
	p.press(t, "a")
	both := func(s control.Status) bool { return statuses(s) == "Actual saved, Exercise saved" }
	p.waitFor(t, "the real press before the drill", both)
	p.stop(t)
	p = start(t, path, dir)
	p.waitFor(t, "both after a restart", both)
	staff := mustLogin(t, pages)
	if lobby := get(t, pages, "/api/v1/state?audience=lobby"); !strings.Contains(lobby, string(alert.Actual)) || strings.Contains(lobby, string(alert.Exercise)) {
		t.Errorf("the lobby does not show the real alert alone: %s", lobby)
	}
	if status, said := staff.drill(t, "start", intruder); status != http.StatusConflict || !strings.Contains(said, "real-alert") {
		t.Errorf("another drill beside a real alert: %d %s", status, said)
	}
	if status, said := staff.drill(t, "end", "{}"); status != http.StatusOK {
		t.Fatalf("end of the drill: %d %s", status, said)
	}
	p.waitFor(t, "the real alert, still open", func(s control.Status) bool { return statuses(s) == "Actual saved" })
}
