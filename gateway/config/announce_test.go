package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
)

// audible is what base needs to be heard and seen everywhere.
const audible = `[[zone]]
id = "hall"
name = { ru = "Зал", kk = "Зал", en = "Hall" }
[[zone]]
id = "yard"
name = { ru = "Двор", kk = "Аула", en = "Yard" }
[[speaker]]
id = "a"
type = "pulse"
zones = ["hall"]
[[message]]
id = "lesson"
text = { ru = "а", kk = "ә", en = "a" }
`

// The documented example, read setting by setting.
func TestDocumentedAnnouncements(t *testing.T) {
	c, err := Load(filepath.Join("..", "..", "docs", "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	wantSpeakers := []Speaker{
		{ID: "hall", Zones: []string{"classrooms"}, Type: SpeakerALSA, Device: "plughw:CARD=Headphones", Amplifier: "hall-amplifier", Gain: -6},
		{ID: "office", Zones: []string{"classrooms"}, Type: SpeakerPulse, Device: "alsa_output.usb-speaker", Server: "unix:/run/nabat-sound/native"},
		{ID: "yard", Zones: []string{"yard"}, Type: SpeakerRTP, RTP: RTP{Group: "224.0.2.60:50001", Preset: "algo", Emergency: "224.0.2.60:50008", Interface: "eth0", TTL: 1, DSCP: 46}},
		{ID: "canteen", Zones: []string{"classrooms", "yard"}, Type: SpeakerSIP, SIP: SIP{URI: "sip:500@10.0.0.9", From: "sip:nabat@10.0.0.2", Username: "nabat", PasswordFile: "/etc/nabat/sip-password", Transport: "tls", Interface: "eth0"}},
	}
	if !reflect.DeepEqual(c.Speakers, wantSpeakers) {
		t.Errorf("speakers\n%+v, want\n%+v", c.Speakers, wantSpeakers)
	}
	chip := "pinctrl-bcm2711"
	if want := []Amplifier{{ID: "hall-amplifier", Line: Line{chip, 6}, Lead: 300 * time.Millisecond, Tail: 500 * time.Millisecond}}; !reflect.DeepEqual(c.Amplifiers, want) {
		t.Errorf("amplifiers %+v", c.Amplifiers)
	}
	wantDisplays := []Display{
		{ID: "oled-1", Type: DisplaySSD1306, Zones: []string{"classrooms"}, Languages: []alert.Language{alert.Kazakh, alert.Russian}, Bus: "/dev/i2c-1", Address: 0x3c, Width: 128, Height: 64, Direction: "left"},
		{ID: "paper-1", Type: DisplayEPaper, Bus: "/dev/spidev0.0", Width: 250, Height: 122, DC: Line{chip, 25}, Reset: Line{chip, 18}, Busy: Line{chip, 24}},
	}
	if !reflect.DeepEqual(c.Displays, wantDisplays) {
		t.Errorf("displays %+v", c.Displays)
	}
	s := c.Site
	if len(s.Zones) != 2 || s.Zones[1].ID != "yard" || s.Zones[1].Name.KK != "Аула" {
		t.Errorf("zones %+v", s.Zones)
	}
	if !slices.Equal(c.Screens, []string{"lobby", "gym", "entrance"}) {
		t.Errorf("screens %v", c.Screens)
	}
	wantScreens := []alert.Screen{
		{ID: "lobby", Orientation: alert.Landscape, Watched: true}, {ID: "gym", Orientation: alert.Landscape, Watched: true},
		{ID: "entrance", Zones: []string{"classrooms"}, Languages: []alert.Language{alert.Kazakh, alert.Russian}, Orientation: alert.Portrait, Width: 1080, Height: 1920, Watched: true},
	}
	if !reflect.DeepEqual(s.Screens, wantScreens) {
		t.Errorf("screens %+v", s.Screens)
	}
	if leave, _ := s.Message("leave"); leave.Priority != alert.PriorityEvacuate || leave.Chime != alert.ChimeEvacuate || leave.Text.RU == "" {
		t.Errorf("message %+v", leave)
	}
	if lesson, _ := s.Message("safety-lesson"); lesson.Priority != alert.PriorityRoutine || lesson.Recorded[alert.Kazakh] != "/var/lib/nabat/voice/safety-kk.wav" || len(lesson.Recorded) != 2 {
		t.Errorf("message %+v", lesson)
	}
	if gong, _ := s.Message("gong"); !gong.Silent || gong.Chime != alert.ChimeGong {
		t.Errorf("message %+v", gong)
	}
	if want := []alert.Helpline{{Name: alert.Text{RU: "Телефон доверия 111", KK: "111 сенім телефоны", EN: "Helpline 111"}, Phone: "111", URL: "https://111.example/chat"}}; !reflect.DeepEqual(s.Helplines, want) {
		t.Errorf("helplines %+v", s.Helplines)
	}
	if !slices.Equal(s.Spoken, []alert.Language{alert.Kazakh, alert.Russian, alert.English}) {
		t.Errorf("spoken %v", s.Spoken)
	}
	intruder, fire := s.Plan(alert.Intruder, alert.LevelEmergency), s.Plan(alert.Fire, alert.LevelEmergency)
	if !slices.Equal(intruder.Zones, []string{"classrooms"}) || intruder.Response != alert.Shelter || intruder.Instruction.RU == "" || intruder.Message != "" {
		t.Errorf("intruder %+v", intruder)
	}
	if !slices.Equal(fire.Zones, []string{alert.Everywhere}) || fire.Response != alert.Evacuate || fire.Message != "leave" {
		t.Errorf("fire %+v", fire)
	}
	a := c.Announcements
	if a.Voices[alert.Kazakh] != "kk" || a.Synthesiser != "/usr/bin/espeak-ng" || a.Cache != "/var/lib/nabat/clips" || a.Calendar != "/var/lib/nabat/calendar.ics" {
		t.Errorf("announcements %+v", a)
	}
	if c.Lobby != (Lobby{Slides: "/var/lib/nabat/slides", SlideFor: 15 * time.Second}) {
		t.Errorf("lobby %+v", c.Lobby)
	}
	documentedDay(t, a.Timetable)
}

// documentedDay holds a Wednesday of the example against what its file says.
func documentedDay(t *testing.T, table timetable.Table) {
	t.Helper()
	wednesday := time.Date(2026, 9, 9, 12, 0, 0, 0, time.UTC)
	var got []string
	for _, e := range table.Day(wednesday) {
		got = append(got, e.ID+" "+e.At.Format("15:04")+" "+e.Message+" "+string(e.Chime))
	}
	want := []string{
		"bell-1-0830/2026-09-09 08:30  bell", "bell-2-0915/2026-09-09 09:15 gong ", "bell-1-0925/2026-09-09 09:25  bell",
		"bell-2-1010/2026-09-09 10:10 gong ", "bell-1-1020/2026-09-09 10:20  bell", "spot-1-1025/2026-09-09 10:25 safety-lesson gong",
	}
	if !slices.Equal(got, want) {
		t.Errorf("a Wednesday has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	holiday := time.Date(2026, 12, 16, 12, 0, 0, 0, time.UTC)
	if day := table.Day(holiday); len(day) != 2 { // the rule with anyway
		t.Errorf("a holiday has %+v", day)
	}
	if !table.Silent(wednesday.Add(9*time.Hour)) || table.Silent(wednesday) {
		t.Error("quiet hours")
	}
}

// A school with one loudspeaker names no zone.
func TestOneZoneWithoutNamingIt(t *testing.T) {
	c := parse(t, base+"[[speaker]]\nid = \"a\"\ntype = \"alsa\"\n[[bell]]\nat = \"08:30\"\nanyway = true\n")
	if len(c.Site.Zones) != 1 || c.Site.Zones[0].ID != "all" || c.Site.Zones[0].Name.EN != "Whole building" {
		t.Errorf("zones %+v", c.Site.Zones)
	}
	if !slices.Equal(c.Speakers[0].Zones, []string{"all"}) || !slices.Equal(c.Announcements.Timetable.Rules[0].Zones, []string{alert.Everywhere}) {
		t.Errorf("speaker %+v, rules %+v", c.Speakers[0], c.Announcements.Timetable.Rules)
	}
	if len(c.Warnings) != 1 { // the head's, of base
		t.Errorf("warnings %v", c.Warnings)
	}
}

func TestSettingsThatDependOnOthers(t *testing.T) {
	c := parse(t, base+audible+`[[speaker]]
id = "b"
type = "alsa"
zones = ["*"]
[[speaker]]
id = "c"
type = "rtp"
zones = ["yard"]
rtp = { group = "10.0.0.7:5004", dscp = 0 }
[[display]]
id = "d"
type = "max7219"
[[bell]]
days = "sat-mon"
at = "08:30"
anyway = true
chime = "gong"
`)
	if !slices.Equal(c.Speakers[1].Zones, []string{"hall", "yard"}) {
		t.Errorf("every zone: %+v", c.Speakers[1])
	}
	if r := c.Speakers[2].RTP; r != (RTP{Group: "10.0.0.7:5004", TTL: 1, DSCP: -1}) {
		t.Errorf("an unmarked single device: %+v", r)
	}
	if d := c.Displays[0]; d.Width != 32 || d.Height != 8 || d.Bus != "/dev/spidev0.0" || d.Address != 0 {
		t.Errorf("what displays usually are: %+v", d)
	}
	r := c.Announcements.Timetable.Rules[0]
	if r.Days != [7]bool{time.Sunday: true, time.Monday: true, time.Saturday: true} || r.Chime != alert.ChimeGong || r.Name.KK != "Қоңырау" {
		t.Errorf("rule %+v", r)
	}
}

func TestWarningsOfAnnouncements(t *testing.T) {
	head := `f:35: plan for fire at emergency: escalation: to = "head" reaches nobody: no contact has this role; write a [[contact]] with this role`
	tests := map[string]struct {
		text string
		want []string
	}{
		"a zone in which nothing is": {audible, []string{
			`f:50: zone "yard" has no loudspeaker, screen or display; name it in the zones of a [[speaker]], [[screen]] or [[display]]`,
		}},
		"a zone with a display": {audible + "[[display]]\nid = \"d\"\ntype = \"framebuffer\"\nzones = [\"yard\"]\n", nil},
		"a loudspeaker in no zone": {"[[speaker]]\nid = \"a\"\ntype = \"pulse\"\nzones = []\n", []string{
			`f:49: speaker "a": it is in no zone, so that it never sounds; name a zone, or write zones = ["*"] for all`,
		}},
		"bells in the summer": {"[[speaker]]\nid = \"a\"\ntype = \"pulse\"\n[[bell]]\nat = \"08:30\"\n", []string{
			`f:49: there is no term, so that the bells ring in the summer as well; write a [[term]] section with the first and the last day of school, or anyway = true`,
		}},
		"bells that nobody hears": {"[[bell]]\nat = \"08:30\"\nanyway = true\n", []string{
			`f:46: there is no loudspeaker, so that nothing is heard; write a [[speaker]] section`,
		}},
		"a bell in quiet hours": {"[[speaker]]\nid = \"a\"\ntype = \"pulse\"\n[quiet]\nfrom = \"20:00\"\nto = \"07:00\"\n[[bell]]\nat = [\"08:30\",\n\"06:59\"]\nanyway = true\n", []string{
			`f:54: bell 1: "06:59" lies in the quiet hours, so that it is not heard; choose another time, or other hours in [quiet]`,
		}},
		"two bells at once": {"[[speaker]]\nid = \"a\"\ntype = \"pulse\"\n[[bell]]\nat = \"08:30\"\nanyway = true\n[[bell]]\nat = \"08:30\"\ndays = [\"fri\", \"sat\"]\nanyway = true\n", []string{
			`f:53: bell 2: something else is due at 08:30 in line 50 already; leave one of the two out, or give them other days, times or zones`,
		}},
	}
	// base has screens, which show every zone; without them nothing hides an
	// empty one.
	bare := strings.Replace(strings.Replace(base, `screens = ["lobby", "gym"]`, "", 1), `screens = ["lobby"]`, "", 1)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range parse(t, bare+tt.text).Warnings {
				got = append(got, w.Error())
			}
			if want := append([]string{head}, tt.want...); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}
