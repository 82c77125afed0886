package timetable

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzReadCalendar: it never panics, never takes long, and what it returns is
// within the window, in order, without a name twice, and safe to print.
func FuzzReadCalendar(f *testing.F) {
	for _, name := range []string{"google.ics", "outlook.ics", "plain.ics"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	for _, rule := range []string{"FREQ=SECONDLY", "FREQ=YEARLY;BYMONTH=12;BYDAY=-53MO", "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU", "FREQ=DAILY;INTERVAL=999;BYEASTER=9999", "FREQ=WEEKLY;UNTIL=99991231;WKST=SU", "FREQ=YEARLY;BYWEEKNO=-1,53;BYHOUR=1,2"} {
		f.Add(calendar(event1("DTSTART;TZID=Europe/Berlin:20260329T023000", "SUMMARY:a", "RRULE:"+rule)))
	}
	f.Add(calendar(event1("DTSTART;TZID=\"a\"b", "X", "EXDATE:,,", "DURATION:-P", "RECURRENCE-ID:1", "SEQUENCE:-9")))
	o := schoolYear(f)
	f.Fuzz(func(t *testing.T, text string) {
		feed, err := ReadCalendar(strings.NewReader(text), o)
		if err != nil {
			var p Problem
			if !errors.As(err, &p) {
				t.Fatalf("not a Problem: %v", err)
			}
			feed.Problems = append(feed.Problems, p)
		}
		last := strings.Count(text, "\n") + 1
		for _, p := range feed.Problems {
			if p.Line < 1 || p.Line > last || p.What == "" || p.Remedy == "" || strings.ContainsAny(p.Error(), "\n\r\x1b") {
				t.Fatalf("bad problem %+v in a file of %d lines", p, last)
			}
		}
		seen := map[string]bool{}
		for i, e := range feed.Entries {
			switch {
			case e.At.Before(o.From) || !e.At.Before(o.To) || i > 0 && e.At.Before(feed.Entries[i-1].At):
				t.Fatalf("%+v is outside the window or out of order", e)
			case seen[e.ID]:
				t.Fatalf("%+v is there twice", e)
			case e.Message == "" && e.Words.RU == "" && e.Chime == "" || len(e.Zones) == 0:
				t.Fatalf("%+v says nothing, or nowhere", e)
			case strings.ContainsAny(e.Words.RU, "\n\r\x1b\u202e"):
				t.Fatalf("%+v is not one plain line", e)
			}
			seen[e.ID] = true
		}
		for _, h := range feed.Holidays {
			if h.Last.Before(h.First) {
				t.Fatalf("holiday %+v", h)
			}
		}
	})
}
