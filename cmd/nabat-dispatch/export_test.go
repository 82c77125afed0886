package main

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// raw is one event of school-12/main on the wire.
func raw(t *testing.T, seq uint64, kind, subject, data string) store.Arrival {
	t.Helper()
	b := fmt.Appendf(nil, `{"specversion":"1.0","id":"e1-%d","source":%q,"type":"nabat.alert.%s","subject":%q,"time":"2026-11-21T10:00:00Z","datacontenttype":"application/json","epoch":"e1","sequence":"%020d","clocksynced":true,"data":%s}`,
		seq, event.Source("school-12", "main"), kind, subject, seq, data)
	e, err := event.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return store.Arrival{Gateway: store.Gateway{Site: "school-12", ID: "main"}, Event: e, Raw: b, Link: "http", At: time.Now()}
}

// TestAClosedAlertIsExportedAsWhatItWas: an emergency that is over was an
// emergency all the same, and a drill a drill.
func TestAClosedAlertIsExportedAsWhatItWas(t *testing.T) {
	config := begin(t)
	must(t, "gateway", "add", "school-12/main", "-c", config, "--token-file", t.TempDir()+"/token")
	s, err := loadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	db, err := openStore(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var list []store.Arrival
	for i, status := range []string{"Actual", "Exercise", "Test"} {
		at := fmt.Sprintf(`"numbering":"n%d","number":1,"kind":"fire","place":{"id":"gym","path":[" =gym()"]}`, i)
		list = append(list, raw(t, uint64(2*i+1), "raised", "alert-"+status, "{"+at+`,"level":"emergency","status":"`+status+`","gesture":"hold"}`),
			raw(t, uint64(2*i+2), "cleared", "alert-"+status, "{"+at+`,"outcome":"resolved","who":"anna"}`))
	}
	if _, err := db.Ingest(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	out, _ := must(t, "export", "csv", "alerts", "-c", config)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%v:\n%s", err, out)
	}
	column := func(row []string, name string) string { return row[slices.Index(rows[0], name)] }
	for _, row := range rows[1:] {
		if want := strings.TrimPrefix(column(row, "alert"), "alert-"); column(row, "level") != "emergency" || column(row, "status") != want {
			t.Errorf("an emergency with status %s is exported as %v", want, row)
		}
		if column(row, "open") != "false" || column(row, "outcome") != "resolved" || column(row, "closed_by") != "anna" {
			t.Errorf("its end is exported as %v", row)
		}
		if place := column(row, "place"); !strings.HasPrefix(place, "'") {
			t.Errorf("a spreadsheet computes the place %q", place)
		}
	}
}

// TestAnAlarmThatIsInNoAlertCanBeSeen: its gateway has a receipt for it, so that
// nothing else would ever tell of it.
func TestAnAlarmThatIsInNoAlertCanBeSeen(t *testing.T) {
	config := begin(t)
	must(t, "gateway", "add", "school-12/main", "-c", config, "--token-file", t.TempDir()+"/token")
	s, err := loadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	db, err := openStore(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const data = `{"numbering":"n","number":%d,"kind":"fire","place":{"id":"gym"},"level":%q}`
	for _, list := range [][]store.Arrival{
		{raw(t, 1, "raised", "known", fmt.Sprintf(data, 1, "help"))},
		{raw(t, 1, "raised", "copied", fmt.Sprintf(data, 1, "help"))},
		{raw(t, 2, "raised", "loud", fmt.Sprintf(data, 2, "deafening"))},
	} {
		if _, err := db.Ingest(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	out, _ := must(t, "export", "csv", "refused", "-c", config)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%v:\n%s", err, out)
	}
	var alerts []string
	for _, row := range rows[1:] {
		alerts = append(alerts, row[slices.Index(rows[0], "alert")])
		if row[slices.Index(rows[0], "reason")] == "" {
			t.Errorf("no reason: %v", row)
		}
	}
	if slices.Sort(alerts); !slices.Equal(alerts, []string{"copied", "loud"}) {
		t.Errorf("put aside: %v", alerts)
	}
}
