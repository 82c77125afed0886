package timetable

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
)

// tables makes timetables with rules, terms, holidays and dated entries around
// the autumn and the spring in which clocks change.
func tables(t *rapid.T) Table {
	days := rapid.Custom(func(t *rapid.T) time.Time {
		return day("2025-09-01").AddDate(0, 0, rapid.IntRange(0, 500).Draw(t, "day"))
	})
	spans := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Span {
		first := days.Draw(t, "first")
		return Span{First: first, Last: first.AddDate(0, 0, rapid.IntRange(0, 90).Draw(t, "length"))}
	}), 0, 4)
	table := Table{Terms: spans.Draw(t, "terms"), Holidays: spans.Draw(t, "holidays")}
	for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
		r := Rule{ID: string(rune('a' + i)), Anyway: rapid.Bool().Draw(t, "anyway"), Bell: rapid.Bool().Draw(t, "bell")}
		for d := range r.Days {
			r.Days[d] = rapid.Bool().Draw(t, "on")
		}
		r.At = time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "at")) * time.Minute
		table.Rules = append(table.Rules, r)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "dated") {
		at := days.Draw(t, "day").Add(time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "minute")) * time.Minute)
		table.Dated = append(table.Dated, Entry{ID: "dated" + string(rune('a'+i)), At: at, Bell: true})
	}
	return table
}

func zones1(t *rapid.T, all []*time.Location) *time.Location {
	return rapid.SampledFrom(all).Draw(t, "zone")
}

func TestProperties(t *testing.T) {
	var all []*time.Location
	for _, name := range []string{"UTC", "Asia/Almaty", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "America/Nuuk"} {
		all = append(all, zone(t, name))
	}
	moment := func(t *rapid.T, name string, loc *time.Location) time.Time {
		return day("2025-09-01").Add(time.Duration(rapid.IntRange(0, 400*24*60).Draw(t, name)) * time.Minute).In(loc)
	}
	ids := func(list []Entry) []string {
		var ids []string
		for _, e := range list {
			ids = append(ids, e.ID+e.At.String())
		}
		return ids
	}
	rapid.Check(t, func(t *rapid.T) {
		table, loc := tables(t), zones1(t, all)
		from := moment(t, "from", loc)
		whole := table.Between(from, from.Add(30*24*time.Hour))

		// Adjacent windows add up to the whole, wherever the cuts are.
		var parts []Entry
		at := from
		for end := from.Add(30 * 24 * time.Hour); at.Before(end); {
			next := at.Add(time.Duration(rapid.IntRange(1, 5*24*60).Draw(t, "cut")) * time.Minute)
			if next.After(end) {
				next = end
			}
			parts = append(parts, table.Between(at, next)...)
			at = next
		}
		if !slices.Equal(ids(parts), ids(whole)) {
			t.Fatalf("windows have %v, the whole has %v", ids(parts), ids(whole))
		}

		seen := map[string]bool{}
		for i, e := range whole {
			if e.At.Before(from) || !e.At.Before(from.Add(30*24*time.Hour)) || i > 0 && e.At.Before(whole[i-1].At) {
				t.Fatalf("%v is outside the window or out of order", e)
			}
			if seen[e.ID] {
				t.Fatalf("%s is there twice", e.ID)
			}
			seen[e.ID] = true
			ruleOf(t, table, e)
		}

		// Each is next for the moment before it, unless another comes first.
		if len(whole) > 0 {
			e := rapid.SampledFrom(whole).Draw(t, "entry")
			next, ok := table.next(e.At.Add(-time.Nanosecond), whichever)
			if !ok || !next.At.Equal(e.At) {
				t.Fatalf("the next entry just before %v is %v", e, next)
			}
		}
		if next, ok := table.Next(from); ok {
			for _, e := range table.Between(from.Add(1), next.At) {
				if e.Bell {
					t.Fatalf("%v is before the next bell, %v", e, next)
				}
			}
		}
	})
}

// ruleOf holds an entry against the rule that it says it comes from.
func ruleOf(t *rapid.T, table Table, e Entry) {
	i := slices.IndexFunc(table.Rules, func(r Rule) bool { return len(e.ID) > 1 && r.ID == e.ID[:1] && e.ID[1] == '/' })
	if i < 0 {
		return // dated
	}
	r, on := table.Rules[i], day(e.ID[2:])
	if !r.Days[on.Weekday()] {
		t.Fatalf("%v is on a %v", e, on.Weekday())
	}
	in := func(s Span) bool { return !on.Before(s.First) && !on.After(s.Last) }
	if !r.Anyway && (slices.ContainsFunc(table.Holidays, in) || len(table.Terms) > 0 && !slices.ContainsFunc(table.Terms, in)) {
		t.Fatalf("%v is on a holiday, or outside terms", e)
	}
	// Only a gap in the clock moves an entry, and never to an earlier time.
	reading := wall(e.At).Sub(on)
	if reading < r.At || reading > r.At && reading-r.At > time.Hour {
		t.Fatalf("%v is at %v, its rule says %v", e, reading, r.At)
	}
	if reading > r.At {
		before, after := wall(e.At.Add(-time.Second)).Sub(on), reading
		if before >= r.At || r.At >= after {
			t.Fatalf("%v was moved from %v to %v without a gap", e, r.At, reading)
		}
	}
}

// A series of long ago is taken up in its middle: with a count, which forbids
// that, it is the same.
func TestALongSeriesIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := "RRULE:FREQ=" + rapid.SampledFrom([]string{"DAILY", "WEEKLY", "WEEKLY;BYDAY=MO,SU", "WEEKLY;WKST=SU;BYDAY=SU,SA", "DAILY;BYMONTH=9", "MONTHLY;BYDAY=-1FR", "YEARLY"}).Draw(t, "rule") +
			fmt.Sprintf(";INTERVAL=%d", rapid.IntRange(1, 9).Draw(t, "interval"))
		start := day("1990-01-01").AddDate(0, 0, rapid.IntRange(0, 13_000).Draw(t, "start")).Format("DTSTART:20060102T090000")
		o := Options{From: day("2026-08-01"), To: day("2027-07-01"), Language: alert.Russian}
		var feeds [2]Feed
		for i, count := range []string{"", ";COUNT=1000000"} {
			var err error
			if feeds[i], err = ReadCalendar(strings.NewReader(calendar(event1(start, "SUMMARY:a", rule+count))), o); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := lines(feeds[0]), lines(feeds[1]); !slices.Equal(a, b) {
			t.Fatalf("%v without a count, %v with one", a, b)
		}
	})
}
