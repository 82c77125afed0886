package desk

import (
	"encoding/csv"
	"strings"
	"testing"

	"nabat/gateway/alert"
)

func TestTheHistoryAsATable(t *testing.T) {
	w := newTown(t)
	w.press(press{id: "alert-1", number: 1, kind: alert.Fire, level: alert.LevelEmergency, place: alert.Location{ID: "gym", Path: []string{`=HYPERLINK("http://evil.example","x")`, "a;b,\"c\""}}})
	w.press(press{id: "alert-2", number: 2, kind: alert.Medical, level: alert.LevelHelp, status: alert.Exercise})
	v := open(t, w.desk(nil)).in("boris", otherSecret)
	for lang, comma := range map[string]rune{"ru": ';', "kk": ';', "en": ','} {
		status, body := v.get("/dispatch/history.csv?lang=" + lang)
		text, marked := strings.CutPrefix(body, "\ufeff")
		r := csv.NewReader(strings.NewReader(text))
		r.Comma = comma
		rows, err := r.ReadAll()
		if status != 200 || !marked || err != nil || len(rows) != 3 || !strings.Contains(text, "\r\n") {
			t.Fatalf("%s: %d, mark %v, %d rows, %v: %s", lang, status, marked, len(rows), err, body)
		}
		cell := ""
		for _, row := range rows[1:] {
			if row[3] == "alert-1" {
				cell = row[8]
			}
		}
		if !strings.HasPrefix(cell, "'=HYPERLINK") {
			t.Errorf("%s: a formula in the table: %q", lang, cell)
		}
	}
	if _, body := v.get("/dispatch/history.csv?kind=medical&lang=en"); strings.Count(body, "\n") != 2 || !strings.Contains(body, "Exercise") {
		t.Errorf("filtered: %s", body)
	}
}

func FuzzACellIsNeverAFormula(f *testing.F) {
	for _, s := range []string{"", "=1+1", " =1", "\t=1", "+7 700", "-1", "@SUM(A1)", "\r\n=1", "plain", "\ufeff=1", "＝1", "\x00=1", "|calc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := harmless(s)
		if rest := strings.TrimLeft(got, " \t\r\n\u00a0\ufeff\x00"); rest != "" && strings.ContainsAny(rest[:1], "=+-@|") {
			t.Errorf("%q became %q", s, got)
		}
		if !strings.HasSuffix(got, strings.ReplaceAll(s, "\x00", "")) {
			t.Errorf("%q lost something: %q", s, got)
		}
	})
}

func FuzzWhatPeopleTypeIsOneLine(f *testing.F) {
	f.Add("a\r\nb\x00\tc")
	f.Fuzz(func(t *testing.T, s string) {
		if got := line(s); strings.ContainsAny(got, "\r\n\t\x00\x1b") || got != strings.TrimSpace(got) {
			t.Errorf("%q became %q", s, got)
		}
	})
}
