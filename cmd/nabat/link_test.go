package main

import (
	"testing"

	"nabat/gateway/journal"
)

// A lamp may show too little after a start, never too much.
func TestOnlyALinkThatLeftNothingBehindHasSentEverything(t *testing.T) {
	for name, c := range map[string]struct {
		cursor journal.CursorStats
		want   bool
	}{
		"everything is behind it": {journal.CursorStats{Consumer: "mqtt", Lane: journal.Alarm}, true},
		"an alarm waits":          {journal.CursorStats{Consumer: "mqtt", Lane: journal.Alarm, Depth: 1}, false},
		"an alarm was given up":   {journal.CursorStats{Consumer: "mqtt", Lane: journal.Alarm, Parked: 1}, false},
		"only routine events":     {journal.CursorStats{Consumer: "mqtt", Lane: journal.Routine}, false},
		"a link to somebody else": {journal.CursorStats{Consumer: "sms", Lane: journal.Alarm}, false},
	} {
		got := everyAlarmSent([]journal.CursorStats{c.cursor}, func(consumer string) bool { return consumer == "mqtt" })
		if got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
