package timetable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"nabat/gateway/alert"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// schoolYear is what the tests read a calendar with.
func schoolYear(t testing.TB) Options {
	loc := zone(t, "Asia/Almaty")
	return Options{
		From: time.Date(2026, 8, 1, 0, 0, 0, 0, loc), To: time.Date(2027, 7, 1, 0, 0, 0, 0, loc),
		Language: alert.Russian, Zones: []string{"classrooms", "yard"}, Messages: []string{"safety-lesson"},
	}
}

// lines writes a feed as people would read it.
func lines(f Feed) []string {
	var list []string
	for _, e := range f.Entries {
		line := e.At.Format("2006-01-02 15:04")
		for _, part := range []struct{ word, value string }{
			{"name", e.Name.In(alert.Russian)}, {"says", e.Words.In(alert.Russian)}, {"message", e.Message}, {"chime", string(e.Chime)},
		} {
			if part.value != "" {
				line += " " + part.word + "=" + part.value
			}
		}
		if e.Bell {
			line += " bell"
		}
		list = append(list, line+" in "+strings.Join(e.Zones, "+"))
	}
	for _, h := range f.Holidays {
		list = append(list, "holiday "+h.First.Format(time.DateOnly)+" "+h.Last.Format(time.DateOnly))
	}
	for _, p := range f.Problems {
		list = append(list, p.Error())
	}
	return list
}

func TestCalendarsAsProgramsWriteThem(t *testing.T) {
	long := "Первый урок, понедельник и среда; без перемены на завтрак"
	tests := map[string][]string{
		"google.ics": {
			"2026-09-02 08:30 name=" + long + " says=" + long + " in *",
			"2026-09-04 10:00 name=Линейка во дворе says=Линейка во дворе in *",
			"2026-09-09 08:30 name=" + long + " says=" + long + " in *",
			"2026-09-14 09:30 name=Первый урок начинается позже says=Первый урок начинается позже in *",
			"2026-09-21 08:30 name=" + long + " says=" + long + " in *",
			"2026-09-23 08:30 name=" + long + " says=" + long + " in *",
			"2026-09-28 08:30 name=" + long + " says=" + long + " in *",
			"2026-09-30 08:30 name=" + long + " says=" + long + " in *",
		},
		"outlook.ics": {
			"2026-09-01 08:30 name=1 урок chime=bell bell in *",
			"2026-09-02 08:30 name=1 урок chime=bell bell in *",
			"2026-09-03 08:30 name=1 урок chime=bell bell in *",
			"2026-10-23 10:00 name=Урок безопасности message=safety-lesson in *", // 8:00 in summer is 5:00 UTC
			"2026-10-30 11:00 name=Урок безопасности message=safety-lesson in *",
			"holiday 2026-12-16 2026-12-17",
		},
		"plain.ics": {
			"2026-09-01 08:00 name=Қоңырау 1 chime=bell bell in *",
			"2026-09-01 08:45 name=Үзіліс says=Үзіліс in classrooms+yard",
			"2026-09-05 10:00 message=safety-lesson in *",
			"2026-09-12 10:00 message=safety-lesson in *",
			"2026-09-19 11:00 message=safety-lesson in *",
			"holiday 2026-10-26 2026-11-01",
			"holiday 2027-03-21 2027-03-23",
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			feed, err := ReadCalendar(f, schoolYear(t))
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(feed); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if ignored := map[string]int{"google.ics": 1}[name]; feed.Ignored != ignored {
				t.Errorf("%d all-day events are passed over, want %d", feed.Ignored, ignored)
			}
		})
	}
}

// calendar wraps the lines of events, which begin in line 2.
func calendar(events ...string) string {
	return "BEGIN:VCALENDAR\n" + strings.Join(events, "") + "END:VCALENDAR\n"
}

func event1(lines ...string) string {
	return "BEGIN:VEVENT\n" + strings.Join(lines, "\n") + "\nEND:VEVENT\n"
}

func read(t *testing.T, text string) []string {
	t.Helper()
	f, err := ReadCalendar(strings.NewReader(text), schoolYear(t))
	if err != nil {
		t.Fatal(err)
	}
	return lines(f)
}

func TestWhatAnEventSays(t *testing.T) {
	const remedyRule = "want FREQ=DAILY, WEEKLY, MONTHLY or YEARLY with INTERVAL, COUNT or UNTIL, and BYDAY, BYMONTHDAY or BYMONTH"
	good := event1("DTSTART:20260901T090000", "SUMMARY:да")
	const said = "2026-09-01 09:00 name=да says=да in *"
	tests := map[string]struct {
		events []string
		want   []string
	}{
		"nothing": {nil, nil},
		"a revision": {[]string{
			event1("UID:a", "DTSTART:20260901T080000", "SUMMARY:старое"), event1("UID:a", "SEQUENCE:2", "DTSTART:20260901T090000", "SUMMARY:да"),
			event1("UID:a", "SEQUENCE:1", "DTSTART:20260901T083000", "SUMMARY:тоже старое"),
		}, []string{said}},
		"the same event twice":           {[]string{good, good}, []string{said}},
		"cancelled":                      {[]string{event1("DTSTART:20260901T090000", "SUMMARY:нет", "STATUS:CANCELLED")}, nil},
		"a day is left out by its date":  {[]string{event1("DTSTART:20260901T090000", "SUMMARY:да", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE;VALUE=DATE:20260902")}, []string{said}},
		"a period":                       {[]string{event1("DTSTART:20260801T090000", "SUMMARY:да", "EXDATE:20260801T090000", "RDATE;VALUE=PERIOD:20260901T040000Z/PT1H")}, []string{said}},
		"until a day, included":          {[]string{event1("DTSTART:20260831T090000", "EXDATE:20260831T090000", "SUMMARY:да", "RRULE:FREQ=DAILY;UNTIL=20260901")}, []string{said}},
		"until a moment in UTC":          {[]string{event1("DTSTART:20260901T090000", "SUMMARY:да", "RRULE:FREQ=DAILY;UNTIL=20260901T043000Z;")}, []string{said}},
		"lower case":                     {[]string{event1("dtstart:20260901T090000", "summary:да", "rrule:freq=daily;count=1")}, []string{said}},
		"a series of years ago":          {[]string{event1("DTSTART:19900903T090000", "SUMMARY:да", "RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20260801T000000Z")}, nil},
		"control characters":             {[]string{event1("DTSTART:20260901T090000", "SUMMARY:\x1b[31m да\\n\\n да \u202e")}, []string{"2026-09-01 09:00 name=[31m да да says=[31m да да in *"}},
		"a comma that is not escaped":    {[]string{event1("DTSTART:20260901T090000", "SUMMARY:да,да")}, []string{"2026-09-01 09:00 name=да,да says=да,да in *"}},
		"a zone by a path of its own":    {[]string{event1("DTSTART;TZID=/mozilla.org/20050126_1/Asia/Tashkent:20260901T090000", "SUMMARY:да")}, []string{said}},
		"a Windows name without a table": {[]string{event1("DTSTART;TZID=West Asia Standard Time:20260901T090000", "SUMMARY:да")}, []string{said}},

		"a zone that nobody knows": {[]string{event1("UID:u", "DTSTART;TZID=Mars/Olympus:20260901T090000", "SUMMARY:нет"), good}, []string{
			said, `line 2, event "u": the time zone "Mars/Olympus" is not known; choose a zone such as "Asia/Almaty" for the event`,
		}},
		"no time": {[]string{event1("SUMMARY:нет"), good}, []string{said, `line 2: the event has no DTSTART; give it a date and a time`}},
		"a bad time": {[]string{event1("DTSTART:tomorrow", "SUMMARY:нет"), good}, []string{
			said, `line 2: DTSTART = "tomorrow" is no date or time of this century; want "20260901T083000", "20260901T033000Z" or "20260901"`,
		}},
		"the year 9999": {[]string{event1("DTSTART:99990901T090000", "SUMMARY:нет"), good}, []string{
			said, `line 2: DTSTART = "99990901T090000" is no date or time of this century; want "20260901T083000", "20260901T033000Z" or "20260901"`,
		}},
		"nothing to say": {[]string{event1("DTSTART:20260901T090000"), good}, []string{
			said, `line 2: the event says nothing; give it a SUMMARY, or a message by X-NABAT-MESSAGE`,
		}},
		"a message that is not there": {[]string{event1("DTSTART:20260901T090000", "X-NABAT-MESSAGE:siren"), good}, []string{
			said, `line 2: X-NABAT-MESSAGE = "siren" is no message of the configuration; write a [[message]] with this id, or name another one`,
		}},
		"a zone that is not there": {[]string{event1("DTSTART:20260901T090000", "SUMMARY:a", "X-NABAT-ZONES:roof"), good}, []string{
			said, `line 2: X-NABAT-ZONES names "roof", which is no zone of the configuration; write a [[zone]] with this id, or name another one`,
		}},
		"every second": {[]string{event1("DTSTART:20260901T090000", "SUMMARY:нет", "RRULE:FREQ=SECONDLY"), good}, []string{
			said, `line 2: RRULE = "FREQ=SECONDLY" comes more than once a day; ` + remedyRule,
		}},
		"every second of a day": {[]string{event1("DTSTART:20260901T090000", "SUMMARY:нет", "RRULE:FREQ=DAILY;BYSECOND=1,2"), good}, []string{
			said, `line 2: RRULE = "FREQ=DAILY;BYSECOND=1,2" comes more than 48 times a day; ` + remedyRule,
		}},
		"a sixth Monday": {[]string{event1("DTSTART:20260901T090000", "SUMMARY:нет", "RRULE:FREQ=YEARLY;BYMONTH=12;BYDAY=53MO"), good}, []string{
			said, `line 2: RRULE = "FREQ=YEARLY;BYMONTH=12;BYDAY=53MO" asks for a sixth weekday of a month; ` + remedyRule,
		}},
		"a rule that is none": {[]string{event1("DTSTART:20260901T090000", "SUMMARY:нет", "RRULE:WEEKLY"), good}, []string{
			said, `line 2: RRULE = "WEEKLY" cannot be read ("wrong format"); ` + remedyRule,
		}},
		"two rules": {[]string{event1("DTSTART:20260901T090000", "SUMMARY:нет", "RRULE:FREQ=DAILY", "RRULE:FREQ=DAILY"), good}, []string{
			said, `line 2: the event has several rules; make a series of its own for each`,
		}},
		"all from one on": {[]string{event1("DTSTART:20260901T090000", "SUMMARY:нет", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260901T090000"), good}, []string{
			said, `line 2: RECURRENCE-ID changes all events from one on; end the old series, and make a new one for the rest`,
		}},
		"no colon": {[]string{event1("DTSTART:20260901T090000", "SUMMARY"), good}, []string{
			said, `line 2: line 4 has no colon; correct the event in the program that it comes from, and export it again in UTF-8`,
		}},
		"another alphabet's bytes": {[]string{event1("DTSTART:20260901T090000", "SUMMARY:\xef\xf0\xe8\xe2\xe5\xf2"), good}, []string{
			said, `line 2: line 4 is not in UTF-8; correct the event in the program that it comes from, and export it again in UTF-8`,
		}},
		"a parameter that never ends": {[]string{event1("DTSTART;TZID=\"Asia:20260901T090000", "SUMMARY:нет"), good}, []string{
			said, `line 2: ical: malformed param value: unterminated quoted string; correct the event in the program that it comes from, and export it again`,
		}},
		"what the library cannot take": {[]string{event1("DTSTART;TZID=\"a\"b:20260901T090000", "SUMMARY:нет"), good}, []string{
			said, `line 2: the event cannot be read (ical: unexpected character 'b' after decoding param value); correct the event in the program that it comes from, and export it again`,
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := read(t, calendar(tt.events...)); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestFilesThatAreNoCalendar(t *testing.T) {
	good := event1("DTSTART:20260901T090000", "SUMMARY:да")
	tests := map[string]struct{ text, want string }{
		"empty":         {"", `line 1: the file is empty; export the calendar as "iCalendar" or ".ics"`},
		"a page":        {"\n<html>", `line 2: this is no iCalendar file: it does not begin with BEGIN:VCALENDAR; export the calendar as "iCalendar" or ".ics"`},
		"half a copy":   {"BEGIN:VCALENDAR\n" + good + "BEGIN:VEVENT\nDTSTA", `line 7: the file ends before END:VCALENDAR; it was copied in part: copy or export it again`},
		"a copy's half": {"BEGIN:VCALENDAR\n" + good, `line 6: the file ends before END:VCALENDAR; it was copied in part: copy or export it again`},
		"mixed up":      {"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", `line 3: END:"VCALENDAR" ends what had not begun; export the calendar again, and do not change the file by hand`},
		"very deep":     {strings.Repeat("BEGIN:VCALENDAR\n", 100_000), `line 10: parts of the calendar stand in each other too deeply; export the calendar again`},
		"very large":    {strings.Repeat("x", maxFile+1), `line 1: the file is larger than 4 MiB; export the current school year only`},
		"many events":   {calendar(strings.Repeat(good, maxEvents+1)), `line 20002: the file has more than 5000 events; export the current school year only`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := ReadCalendar(strings.NewReader(tt.text), schoolYear(t))
			var p Problem
			if !errors.As(err, &p) || err.Error() != tt.want || len(f.Entries) > 0 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Files that want to take all the time there is are told so, and the events
// around the bad ones are used.
func TestHostileCalendars(t *testing.T) {
	good := event1("UID:good", "DTSTART:20260901T090000", "SUMMARY:да")
	never := func(rule string) string {
		var b strings.Builder
		for i := range 200 {
			b.WriteString(event1(fmt.Sprintf("UID:%d", i), "DTSTART:19700101T090000", "SUMMARY:нет", "RRULE:"+rule))
		}
		return b.String()
	}
	const much, often = "take too much work", "comes too often"
	for name, tt := range map[string]struct{ rule, problem string }{
		"a day that never comes":        {"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", much},
		"a week that never comes":       {"FREQ=YEARLY;BYWEEKNO=20;BYMONTH=1", much},
		"a position that never comes":   {"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=31", much},
		"days that are counted":         {"FREQ=DAILY;COUNT=1000000000", often},
		"often":                         {"FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;BYMINUTE=0,30", often},
		"a step beyond the end of time": {"FREQ=YEARLY;INTERVAL=1000", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ReadCalendar(strings.NewReader(calendar(good, never(tt.rule))), schoolYear(t))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(f.Entries, func(e Entry) bool { return e.Words.RU == "да" }) {
				t.Error("the good event is lost")
			}
			if tt.problem != "" && !slices.ContainsFunc(f.Problems, func(p Problem) bool { return strings.Contains(p.What, tt.problem) }) {
				t.Errorf("nothing says that the rules %s", tt.problem)
			}
			if len(f.Entries) > maxEntries || len(f.Problems) > maxProblems+1 {
				t.Errorf("%d entries, %d problems", len(f.Entries), len(f.Problems))
			}
		})
	}
}
