package timetable

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const hour = time.Hour

func day(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err) // a mistake in a test
	}
	return t
}

func every() (days [7]bool) {
	for i := range days {
		days[i] = true
	}
	return days
}

func rule(id string, at time.Duration, days ...time.Weekday) Rule {
	r := Rule{ID: id, At: at, Bell: true}
	for _, d := range days {
		r.Days[d] = true
	}
	if len(days) == 0 {
		r.Days = every()
	}
	return r
}

func times(list []Entry) string {
	var all []string
	for _, e := range list {
		all = append(all, e.ID+" "+e.At.Format("2006-01-02 15:04 -0700"))
	}
	return strings.Join(all, "\n")
}

func TestADayOfClocks(t *testing.T) {
	berlin, nuuk, saoPaulo, apia := zone(t, "Europe/Berlin"), zone(t, "America/Nuuk"), zone(t, "America/Sao_Paulo"), zone(t, "Pacific/Apia")
	table := Table{Rules: []Rule{rule("a", 2*hour+30*time.Minute), rule("b", 3*hour), rule("m", 0)}}
	late := rule("late", 23*hour+30*time.Minute, time.Saturday)
	tests := map[string]struct {
		loc  *time.Location
		day  time.Time
		want string
	}{
		"a usual day": {berlin, time.Date(2026, 3, 28, 12, 0, 0, 0, berlin),
			"m/2026-03-28 2026-03-28 00:00 +0100\na/2026-03-28 2026-03-28 02:30 +0100\nb/2026-03-28 2026-03-28 03:00 +0100"},
		"a time that does not exist rings once, when clocks go on": {berlin, time.Date(2026, 3, 29, 12, 0, 0, 0, berlin),
			"m/2026-03-29 2026-03-29 00:00 +0100\na/2026-03-29 2026-03-29 03:00 +0200\nb/2026-03-29 2026-03-29 03:00 +0200"},
		"a time that comes twice rings the first time": {berlin, time.Date(2026, 10, 25, 12, 0, 0, 0, berlin),
			"m/2026-10-25 2026-10-25 00:00 +0200\na/2026-10-25 2026-10-25 02:30 +0200\nb/2026-10-25 2026-10-25 03:00 +0100"},
		"a midnight that does not exist": {saoPaulo, time.Date(2018, 11, 4, 12, 0, 0, 0, saoPaulo),
			"m/2018-11-04 2018-11-04 01:00 -0200\na/2018-11-04 2018-11-04 02:30 -0200\nb/2018-11-04 2018-11-04 03:00 -0200"},
		"a time whose gap ends at midnight rings on the next day": {nuuk, time.Date(2025, 3, 30, 12, 0, 0, 0, nuuk),
			"late/2025-03-29 2025-03-30 00:00 -0100\nm/2025-03-30 2025-03-30 00:00 -0100\na/2025-03-30 2025-03-30 02:30 -0100\nb/2025-03-30 2025-03-30 03:00 -0100"},
		"a leap day": {time.UTC, day("2028-02-29"),
			"m/2028-02-29 2028-02-29 00:00 +0000\na/2028-02-29 2028-02-29 02:30 +0000\nb/2028-02-29 2028-02-29 03:00 +0000"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			table := table
			if tt.loc == nuuk {
				table.Rules = append([]Rule{late}, table.Rules...)
			}
			if got := times(table.Day(tt.day)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	t.Run("a day that a country leaves out", func(t *testing.T) {
		from := time.Date(2011, 12, 29, 0, 0, 0, 0, apia)
		want := "b/2011-12-29 2011-12-29 03:00 -1000\nb/2011-12-31 2011-12-31 03:00 +1400"
		if got := times(Table{Rules: table.Rules[1:2]}.Between(from, from.Add(48*hour))); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("each half of a doubled hour by itself", func(t *testing.T) {
		first := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC).In(berlin)
		if got := table.Between(first, first.Add(time.Second)); len(got) != 1 {
			t.Errorf("the first 2:30 has %v", times(got))
		}
		if got := table.Between(first.Add(hour), first.Add(hour+time.Second)); len(got) != 0 {
			t.Errorf("the second 2:30 has %v", times(got))
		}
	})
}

func TestSchoolYear(t *testing.T) {
	table := Table{
		Rules: []Rule{
			rule("lesson", 8*hour, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday),
			{ID: "gate", At: 22 * hour, Days: every(), Anyway: true},
		},
		Terms:    []Span{{day("2026-09-01"), day("2026-12-30")}, {day("2027-01-11"), day("2027-05-25")}},
		Holidays: []Span{{day("2026-12-16"), day("2026-12-17")}},
	}
	at := func(text string) time.Time {
		when, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	next := map[string]string{
		"2026-08-01 00:00": "2026-09-01 08:00", // the first day of school, a Tuesday
		"2026-09-01 07:59": "2026-09-01 08:00",
		"2026-09-01 08:00": "2026-09-02 08:00", // what is due now is not next
		"2026-09-04 09:00": "2026-09-07 08:00", // over a weekend
		"2026-12-15 09:00": "2026-12-18 08:00", // over a holiday of two days
		"2026-12-30 09:00": "2027-01-11 08:00", // over the end of the year and between terms
		"2027-05-25 09:00": "",
	}
	for now, want := range next {
		got := ""
		if e, ok := table.Next(at(now)); ok {
			got = e.At.Format("2006-01-02 15:04")
		}
		if got != want {
			t.Errorf("after %s the next bell is %q, want %q", now, got, want)
		}
	}
	if e, ok := table.next(at("2026-12-16 09:00"), whichever); !ok || e.ID != "gate/2026-12-16" || e.Bell {
		t.Errorf("on a holiday the next entry is %+v", e)
	}
	for day, want := range map[string]bool{"2026-09-01": false, "2026-08-31": true, "2026-12-17": true, "2026-12-18": false, "2027-01-01": true} {
		if got := !table.open(dateOf(at(day + " 12:00"))); got != want {
			t.Errorf("%s is a holiday: %v", day, got)
		}
	}
	if _, ok := (Table{}).Next(at("2026-09-01 08:00")); ok {
		t.Error("an empty table has a bell")
	}
	if got := (Table{}).Day(at("2026-09-01 08:00")); len(got) != 0 {
		t.Errorf("an empty table has %v", got)
	}
}

// What a calendar has holds on holidays too, and a nearer one of either sort is
// next.
func TestDatedEntries(t *testing.T) {
	now := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	table := Table{Rules: []Rule{rule("lesson", 9*hour)}}
	table = table.With(Feed{
		Entries:  []Entry{{ID: "x", At: now.Add(30 * time.Minute), Bell: true}, {ID: "y", At: now.Add(26 * hour)}},
		Holidays: []Span{{day("2026-09-02"), day("2026-09-02")}},
	})
	if e, ok := table.Next(now); !ok || e.ID != "x" {
		t.Errorf("next is %+v", e)
	}
	if e, ok := table.Next(now.Add(45 * time.Minute)); !ok || e.ID != "lesson/2026-09-01" {
		t.Errorf("next is %+v", e)
	}
	if e, ok := table.next(now.Add(2*hour), whichever); !ok || e.ID != "y" {
		t.Errorf("next is %+v", e)
	}
	almaty := zone(t, "Asia/Almaty")
	if got := table.Between(now.In(almaty), now.Add(hour).In(almaty)); len(got) != 1 || got[0].At.Location() != almaty {
		t.Errorf("in another zone: %v", got)
	}
}

func TestQuietHours(t *testing.T) {
	over := Table{Quiet: []Hours{{From: 20 * hour, To: 7 * hour}}}
	within := Table{Quiet: []Hours{{From: 13 * hour, To: 15 * hour}}}
	for text, want := range map[string][2]bool{
		"06:59": {true, false}, "07:00": {false, false}, "13:00": {false, true}, "14:59": {false, true},
		"15:00": {false, false}, "19:59": {false, false}, "20:00": {true, false}, "23:59": {true, false}, "00:00": {true, false},
	} {
		at, err := time.Parse("15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{over.Silent(at), within.Silent(at)}; got != want {
			t.Errorf("%s is quiet: %v, want %v", text, got, want)
		}
	}
	if (Table{}).Silent(time.Now()) {
		t.Error("without quiet hours it is quiet")
	}
}

func TestWithKeepsTheTable(t *testing.T) {
	base := Table{Holidays: make([]Span, 1, 8), Dated: make([]Entry, 1, 8)}
	one := base.With(Feed{Entries: []Entry{{ID: "one"}}, Holidays: []Span{{First: day("2026-01-01")}}})
	two := base.With(Feed{Entries: []Entry{{ID: "two"}}, Holidays: []Span{{First: day("2027-01-01")}}})
	if one.Dated[1].ID != "one" || two.Dated[1].ID != "two" || !one.Holidays[1].First.Equal(day("2026-01-01")) || len(base.Dated) != 1 {
		t.Errorf("one %v, two %v", one, two)
	}
	if !slices.Equal(base.Holidays, make([]Span, 1)) {
		t.Errorf("base %v", base)
	}
}

// whichever wants every entry.
func whichever(Entry) bool { return true }
