package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/announce"
	"nabat/gateway/config"
	"nabat/gateway/control"
	"nabat/gateway/journal"
	"nabat/hw/audio/audiotest"
	"nabat/hw/audio/rtp/rtptest"
)

// house has two zones. What is said in an emergency is short, and in one
// language, because tests listen to the end. The button "quiet" calls an adult.
const house = `
[[zone]]
id = "house"
name = { ru = "Дом", kk = "Үй", en = "House" }
[[zone]]
id = "yard"
name = { ru = "Двор", kk = "Аула", en = "Yard" }
[announcements]
languages = ["en"]
[[message]]
id = "lock"
text = { ru = "Заприте двери", kk = "Есікті жабыңыз", en = "Lock the doors" }
[[plan]]
kind = "intruder"
level = "emergency"
zones = ["*"]
message = "lock"
show_place = false
response = "Shelter"
[[place]]
id = "office"
name = { ru = "Кабинет", kk = "Бөлме", en = "Office" }
[[button]]
id = "quiet"
place = "office"
kind = "violence"
tap = "help"
`

func pulseSpeaker(id, zone string, s *audiotest.Server) string {
	return fmt.Sprintf("[[speaker]]\nid = %q\nzones = [%q]\ntype = \"pulse\"\nserver = %q\ndevice = \"pa\"\n", id, zone, s.Address())
}

func rtpSpeaker(id, zone string, r *rtptest.Receiver) string {
	return fmt.Sprintf("[[speaker]]\nid = %q\nzones = [%q]\ntype = \"rtp\"\n[speaker.rtp]\ngroup = \"127.0.0.1:%d\"\n", id, zone, r.Port())
}

func TestAnEmergencyIsHeardInEveryZoneAndAQuietCallInNone(t *testing.T) {
	t.Parallel()
	hall, gym := audiotest.Run(t, "pa"), audiotest.Run(t, "pa")
	group := rtptest.Listen(t, "127.0.0.1:0", "")
	dir := t.TempDir()
	path, pages := writeConfig(t, dir, []string{"a"}, house+
		pulseSpeaker("hall", "house", hall)+pulseSpeaker("gym", "house", gym)+rtpSpeaker("yard", "yard", group))
	p := start(t, path, dir)
	p.waitFor(t, "no condition of a loudspeaker", noneAbout("speaker"))
	rendered(t, path, dir)
	staff := mustLogin(t, pages)
	inHall, inGym, inYard := atSink(t, hall, "pa"), atSink(t, gym, "pa"), atSocket(t, group)
	everywhere := []*ears{inHall, inGym, inYard}

	// A drill says so, in words, before and after: it takes longer than what is real.
	if status, said := staff.drill(t, "start", `{"kind":"intruder","place":"place-a","level":"emergency"}`); status != http.StatusOK {
		t.Fatalf("start of the drill: %d %s", status, said)
	}
	drill := round(inHall.until("a drill with words, and again", func(list []noise) bool { return round(list) > 0 }))
	p.waitFor(t, "the drill on both zones' loudspeakers", sounds(alert.Exercise, alert.PriorityEmergency, 2, 1))
	if status, said := staff.drill(t, "end", "{}"); status != http.StatusOK {
		t.Fatalf("end of the drill: %d %s", status, said)
	}
	inHall.untilChime(alert.ChimeAllClear, 1)
	silent := func(s control.Status) bool { return len(s.Sounding) == 0 }
	p.waitFor(t, "silence after the drill", silent)
	for _, e := range everywhere {
		e.forget()
	}

	pressByCommand(t, "a", dir)
	for _, e := range everywhere {
		list := e.untilChime(alert.ChimeEmergency, 2)
		if list[0].what != string(alert.ChimeEmergency) || list[1].what != spoken || count(list, string(alert.ChimeEmergency)) > 3 {
			t.Errorf("not chime, words, chime, words: %v", e)
		}
	}
	inHall.until("a round of the emergency", func(list []noise) bool { return round(list) > 0 })
	real := round(inHall.list)
	t.Logf("a round takes %.1f s, of a drill %.1f s", float64(real)/earRate, float64(drill)/earRate)
	if drill < real+earRate {
		t.Errorf("the drill is said in %.1f s, what is real in %.1f s: a drill says twice that it is one", float64(drill)/earRate, float64(real)/earRate)
	}
	sameWords(t, inYard, inHall)
	p.waitFor(t, "the emergency on both zones' loudspeakers", sounds(alert.Actual, alert.PriorityEmergency, 2, 1))
	status, said, errs := call(t, "status", "--json", "--data", dir)
	var s control.Status
	if err := json.Unmarshal([]byte(said), &s); status != exitDone || err != nil || !sounds(alert.Actual, alert.PriorityEmergency, 2, 1)(s) || s.Sounding[0].Times == 0 {
		t.Errorf("status %d: %v %s%s", status, err, said, errs)
	}

	alarm := clearAlert(t, staff, "a")
	for _, e := range everywhere {
		e.untilChime(alert.ChimeAllClear, 1)
	}
	p.waitFor(t, "silence after the all-clear", silent)
	waitUntil(t, "the play log of both zones", func() bool { return len(playLog(t, dir, alarm)) == 4 })
	for _, e := range playLog(t, dir, alarm) {
		if e.Count == 0 || e.Detail == "" || e.Status != alert.Actual || len(e.Zones) != 1 || e.Text == nil || e.Text.EN == "" {
			t.Errorf("a line of the play log: %+v", e)
		}
	}

	// A quiet call, for as long as it takes a loudspeaker to begin and more.
	p.press(t, "quiet")
	quiet := p.waitFor(t, "the quiet call", func(s control.Status) bool { return len(s.Alerts) == 1 })
	for _, e := range []*ears{inHall, inGym} {
		e.nothingFor(2*time.Second, "a quiet call is heard")
	}
	if s := p.waitFor(t, "a status", func(control.Status) bool { return true }); len(s.Sounding) > 0 || len(playLog(t, dir, quiet.Alerts[0].ID)) > 0 {
		t.Errorf("a quiet call is said: %+v", s.Sounding)
	}
	for _, e := range everywhere {
		list := e.listen()
		after := slices.IndexFunc(list, func(s noise) bool { return s.what == string(alert.ChimeAllClear) })
		if count(list[max(after, 0):], string(alert.ChimeEmergency)) > 0 || count(list, string(alert.ChimeAllClear)) > 1 {
			t.Errorf("after the all-clear there is silence: %v", e)
		}
	}
	p.stop(t)
}

// rendered waits until everything that a site can have to say lies on the disk. An
// all-clear, which is said once, has no words before; and the synthesiser is the
// last to get a processor.
func rendered(t *testing.T, path, dir string) {
	t.Helper()
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	texts := len(announce.Segments(c.Site, c.Announcements.Timetable))
	waitUntil(t, fmt.Sprintf("clip of each of %d texts", texts), func() bool {
		clips, err := filepath.Glob(filepath.Join(dir, clipFolder, "*.clip"))
		if err != nil {
			t.Fatal(err)
		}
		return len(clips) >= texts
	})
}

// round is how long one round of an emergency with words takes, at earRate; 0
// while none was heard from its beginning to the next.
func round(list []noise) int {
	for i := 2; i < len(list); i++ {
		if emergency := string(alert.ChimeEmergency); list[i-2].what == emergency && list[i-1].what == spoken && list[i].what == emergency {
			return list[i].at - list[i-2].at
		}
	}
	return 0
}

// sameWords holds what one loudspeaker says against what another one says: the
// loudest half second of its words has to be there.
func sameWords(t *testing.T, one, other *ears) {
	t.Helper()
	words := func(e *ears) []int16 {
		i := slices.IndexFunc(e.list, func(s noise) bool { return s.what == spoken })
		return e.samples()[e.list[i].at:e.list[i+1].at]
	}
	mine, theirs := words(one), words(other)
	const piece = earRate / 2
	best, loudest := 0, -1.0
	for at := 0; at+piece <= len(mine); at += piece / 8 {
		sum := 0.0
		for _, s := range mine[at : at+piece] {
			sum += float64(s) * float64(s)
		}
		if sum > loudest {
			best, loudest = at, sum
		}
	}
	if alike, _ := rtptest.Correlation(theirs, mine[best:best+piece]); alike < 0.7 {
		t.Errorf("what %s says is not what %s says: alike %.2f", one.name, other.name, alike)
	}
}

// sounds is satisfied when both zones say something of that kind on so many
// loudspeakers.
func sounds(status alert.Status, priority alert.Priority, house, yard int) func(control.Status) bool {
	return func(s control.Status) bool {
		return len(s.Sounding) == 2 && s.Sounding[0].Zone == "house" && s.Sounding[0].Speakers == house && s.Sounding[1].Speakers == yard &&
			!slices.ContainsFunc(s.Sounding, func(z alert.Sounding) bool { return z.Status != status || z.Priority != priority || z.Silent > 0 })
	}
}

// noneAbout is satisfied when no condition begins with a word.
func noneAbout(word string) func(control.Status) bool {
	return func(s control.Status) bool { return conditionOf(s, word) == "" }
}

// conditionOf is the detail of the first condition that begins with a word.
func conditionOf(s control.Status, word string) string {
	for _, c := range s.Conditions {
		if strings.HasPrefix(c.Name, word) {
			return c.Detail
		}
	}
	return ""
}

// playLog is what the journal's file has of the play log about one announcement,
// or about all.
func playLog(t *testing.T, dir, id string) (list []alert.Event) {
	t.Helper()
	r, err := journal.OpenReader(filepath.Join(dir, journalFile))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = r.Tail(t.Context(), 1000, false, func(row journal.Row) error {
		e, err := row.Event()
		if e.Type == alert.AnnouncementSaid && (id == "" || e.Subject == id) {
			list = append(list, e)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
