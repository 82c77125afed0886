package store

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
)

// TestATimelineIsBounded: whoever looks at an alert of countless presses gets
// its beginning and its end.
func TestATimelineIsBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := ready(t, Options{URL: url})
		at := stamp(time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), "b1", time.Hour, true)
		sent := uint64(0)
		for _, c := range []struct {
			all, kept int
		}{{1, 1}, {1500, 1500}, {1501, 1501}, {2000, 2000}, {2001, 2000}, {2100, 2000}} {
			var list []Arrival
			for sent < uint64(c.all) {
				sent++
				list = append(list, said(school, "e1", sent, about(alert.Raised, "a1", sent, at), "http", at.Wall))
			}
			ingest(t, s, list...)
			got, err := s.Timeline(context.Background(), school, "a1")
			if err != nil || len(got) != c.kept {
				t.Fatalf("of %d events %d are returned, want %d; %v", c.all, len(got), c.kept, err)
			}
			if got[0].Event.Ref.Seq != 1 || got[len(got)-1].Event.Ref.Seq != uint64(c.all) {
				t.Errorf("of %d events it begins with %d and ends with %d", c.all, got[0].Event.Ref.Seq, got[len(got)-1].Event.Ref.Seq)
			}
			for i := 1; i < len(got); i++ {
				if a, b := got[i-1].Event.Ref.Seq, got[i].Event.Ref.Seq; b != a+1 && (c.all <= 2000 || i != timelineFirst) {
					t.Fatalf("of %d events %d follows %d", c.all, b, a)
				}
			}
		}
	})
}

// TestAnAlarmOfManyKilobytesIsInNoAlert: it is kept for a person to see, and
// nobody who looks at an alert has to read it.
func TestAnAlarmOfManyKilobytesIsInNoAlert(t *testing.T) {
	s := ready(t, Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "dispatch.db")})
	at := stamp(time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), "b1", time.Hour, true)
	large := about(alert.Raised, "a1", 2, at)
	large.Detail = strings.Repeat("x", maxAlarm)
	if b, err := json.Marshal(large); err != nil || len(b) <= maxAlarm {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	r := ingest(t, s, said(school, "e1", 1, about(alert.Raised, "a1", 1, at), "http", at.Wall), said(school, "e1", 2, large, "http", at.Wall))
	if len(r.Refusals) != 1 || !r.Refusals[0].Kept || r.Receipts[0].Through != 2 {
		t.Errorf("%+v", r)
	}
	a, err := s.Alert(context.Background(), school, "a1")
	if err != nil || a.Last.Number != 1 {
		t.Errorf("the alert has %d presses, %v", a.Last.Number, err)
	}
	if list, err := s.Timeline(context.Background(), school, "a1"); err != nil || len(list) != 1 {
		t.Errorf("%d events, %v", len(list), err)
	}
}
