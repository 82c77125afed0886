package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/hw/audio/audiotest"
	"nabat/hw/audio/rtp/rtptest"
)

// enough is for how long silence is recorded where something could be said
// wrongly: several times what a loudspeaker needs to begin.
const enough = 3 * time.Second

func TestAfterARestartOnlyWhatIsOpenIsSaid(t *testing.T) {
	t.Parallel()
	server := audiotest.Run(t, "pa")
	dir := t.TempDir()
	path, pages := writeConfig(t, dir, []string{"a", "b"}, house+pulseSpeaker("hall", "house", server))
	p := start(t, path, dir)
	rendered(t, path, dir)
	inHall := atSink(t, server, "pa")
	p.press(t, "b")
	inHall.untilHeard(alert.ChimeEmergency)
	clearAlert(t, mustLogin(t, pages), "b")
	inHall.untilChime(alert.ChimeAllClear, 1)
	status, said, errs := call(t, "announce", "--data", dir, "--for", "30m", "--en", "Come to the gym")
	if status != exitDone {
		t.Fatalf("status %d: %s%s", status, said, errs)
	}
	inHall.untilChime(alert.ChimeGong, 1) // it stands for half an hour, and is said once
	p.kill()

	p = start(t, path, dir)
	p.waitFor(t, "a loudspeaker that is asked for nothing", noneAbout("speaker"))
	inHall.nothingFor(enough, "an emergency of before, its all-clear and a notice are over")
	p.press(t, "a")
	p.kill() // perhaps before the first word

	start(t, path, dir)
	inHall.forget()
	if list := inHall.untilChime(alert.ChimeEmergency, 2); count(list, string(alert.ChimeGong))+count(list, string(alert.ChimeAllClear)) > 0 {
		t.Errorf("something else than the emergency that is open: %v", inHall)
	}
}

// TestBellsRingInTimeAndNeverAgain has a calendar ring every few seconds, and the
// timetable of the configuration in the next minutes.
func TestBellsRingInTimeAndNeverAgain(t *testing.T) {
	t.Parallel()
	server := audiotest.Run(t, "pa")
	group := rtptest.Listen(t, "127.0.0.1:0", "")
	dir := t.TempDir()
	calendar := filepath.Join(dir, "calendar.ics")
	now := time.Now()
	const every = 4 * time.Second
	ring := func(times int) {
		var ics strings.Builder
		for i := range times {
			fmt.Fprintf(&ics, "BEGIN:VEVENT\r\nUID:bell-%d\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:%s\r\nSUMMARY:Lesson\r\nCATEGORIES:BELL\r\nX-NABAT-ZONES:house\r\nEND:VEVENT\r\n",
				i, now.Add(time.Duration(i)*every).UTC().Format("20060102T150405Z"))
		}
		if err := os.WriteFile(calendar, []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n"+ics.String()+"END:VCALENDAR\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ring(100)
	var at []string
	for i := range 4 {
		at = append(at, now.Add(time.Duration(i)*time.Minute).Format("15:04"))
	}
	extra := strings.Replace(house, "[announcements]\n", fmt.Sprintf("[announcements]\ncalendar = %q\n", calendar), 1) +
		fmt.Sprintf("[[bell]]\ndays = \"daily\"\nat = [\"%s\"]\nzones = [\"yard\"]\nanyway = true\n", strings.Join(at, `", "`))
	path, _ := writeConfig(t, dir, []string{"a"}, extra+pulseSpeaker("hall", "house", server)+rtpSpeaker("yard", "yard", group))
	p := start(t, path, dir)
	inHall, inYard := atSink(t, server, "pa"), atSocket(t, group)
	inHall.untilHeard(alert.ChimeBell)
	var e alert.Event
	waitUntil(t, "the bell in the play log", func() bool {
		log := playLog(t, dir, "")
		i := slices.IndexFunc(log, func(e alert.Event) bool { return slices.Equal(e.Zones, []string{"house"}) })
		if i >= 0 {
			e = log[i]
		}
		return i >= 0
	})
	if e.Priority != alert.PriorityRoutine || e.Count != 1 || e.Detail == "" || e.Text.EN != "Lesson" {
		t.Errorf("the play log: %+v", e)
	}
	if status, said, errs := call(t, "journal", "tail", "--data", dir); status != exitDone || !strings.Contains(said, "announcement.said") || !strings.Contains(said, e.Detail) {
		t.Errorf("status %d: %s%s", status, said, errs)
	}
	if !testing.Short() { // it may take a minute
		inYard.untilHeard(alert.ChimeBell)
	}

	// Those of a moment ago are not made up for, and none is due now.
	p.kill()
	ring(int(time.Since(now)/every) + 1)
	before := len(playLog(t, dir, ""))
	p = start(t, path, dir)
	p.waitFor(t, "a loudspeaker that is asked for nothing", noneAbout("speaker"))
	inHall.nothingFor(enough, "a bell of before the start rings")
	if log := playLog(t, dir, ""); len(log) > before {
		t.Errorf("after the start the play log has more: %+v", log[before:])
	}
}

func TestWithoutAVoiceTheChimeIsHeard(t *testing.T) {
	t.Parallel()
	group := rtptest.Listen(t, "127.0.0.1:0", "")
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, house+rtpSpeaker("yard", "yard", group))
	p := startUnready(t, path, dir, "PATH="+t.TempDir())
	p.waitFor(t, "a missing voice with its remedy", func(s control.Status) bool {
		return strings.Contains(conditionOf(s, "voice-missing"), "apt install espeak-ng") && len(s.Points) > 0 && s.Points[0].Armed
	})
	if status, said, errs := call(t, "status", "--data", dir); status != exitDone || !strings.Contains(said, "apt install espeak-ng") {
		t.Errorf("status %d: %s%s", status, said, errs)
	}
	p.press(t, "a")
	inYard := atSocket(t, group)
	list := inYard.until("the chime, again and again", func(list []noise) bool { return count(list, string(alert.ChimeEmergency)) >= 2 })
	if count(list, spoken) > 0 {
		t.Errorf("words without a voice: %v", inYard)
	}
	p.waitFor(t, "that words are left out", func(s control.Status) bool { return conditionOf(s, "unspoken:en") != "" })
}
