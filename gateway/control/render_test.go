package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

var update = flag.Bool("update", false, "write the golden files anew")

func busyDay() Status {
	now := time.Date(2026, 11, 21, 8, 15, 3, 0, time.UTC)
	return Status{
		Version: "0.1.0", Site: "school-12", Gateway: "main", Board: "gpio", UptimeSeconds: 3*3600 + 12*60 + 5,
		Points: []Point{
			{ID: "button-204", Place: []string{"Main building", "Room 204"}, Armed: true, Active: true},
			{ID: "button-gym", Place: []string{"Gym"}, Fault: "lost", Detail: "chip mcp23017 is gone"},
			{ID: "lamp-204", Place: []string{"Main building", "Room 204"}},
		},
		Alerts: []Alert{
			{ID: "1", Kind: alert.Intruder, Level: alert.LevelEmergency, Status: alert.Actual, Place: []string{"Main building", "Room 204"}, Point: "button-204", Truth: "accepted", AgeSeconds: 125, Team: &Team{Who: "crew 7\x1b[2J", ETA: now.Add(9 * time.Minute), AgeSeconds: 61}},
			{ID: "2", Kind: "earthquake", KindName: alert.Text{RU: "Землетрясение", KK: "Жер сілкінісі", EN: "Earthquake"}, Level: alert.LevelEmergency, Status: alert.Exercise, Place: []string{"Gym"}, Point: "button-gym", Truth: "sent", AgeSeconds: 4, Team: &Team{Who: "crew 8", Arrived: true, ETA: now, AgeSeconds: 2}},
			{ID: "3", Kind: alert.Help, Level: alert.LevelHelp, Status: alert.Test, Point: "button-7", Truth: "saved", AgeSeconds: 90061},
		},
		Notices: []Notice{
			{Text: alert.Text{RU: "Сбор в зале", KK: "Залға жиналу", EN: "Meet in the gym"}, Status: alert.Exercise, Who: "op-7", LeftSeconds: 125},
			{ID: "say-0c4f1a22b7", Text: alert.Text{RU: "Лифт не работает"}, Status: alert.Actual, LeftSeconds: 4},
		},
		Sounding: []alert.Sounding{
			{Zone: "hall", Announcement: "1", Priority: alert.PriorityEvacuate, Status: alert.Actual, Text: alert.Text{RU: "Покиньте здание", KK: "Ғимараттан шығыңыздар", EN: "Leave the building"}, Times: 2, Speakers: 3, Silent: 1},
			{Zone: "yard\x1b[2J", Announcement: "2", Priority: alert.PriorityNotice, Status: alert.Test, Text: alert.Text{EN: "Test"}},
		},
		Screens: []Screen{
			{ID: "lobby", State: ScreenOK, Watched: true}, {ID: "canteen", State: "dark", Watched: true, SeenSeconds: 75},
			{ID: "gym", State: "frozen", Watched: true, SeenSeconds: 3}, {ID: "new", State: "waiting", SeenSeconds: -1}, {ID: "odd", State: "upside\r down"},
		},
		Links: []Link{{Name: "mqtt", Up: false, ForSeconds: 240, Detail: "dial tcp 10.0.0.7:8883: connection refused"}},
		Queue: []Queue{
			{Consumer: "mqtt", Lane: "alarm", Depth: 2, OldestSeconds: 125},
			{Consumer: "mqtt", Lane: "routine", Depth: 1311, OldestSeconds: 240, Parked: 1},
		},
		Conditions: []health.Condition{
			{Name: "clock-unsynchronised", Detail: "no time server answers; check the network", Since: now.Add(-2 * time.Hour)},
			{Name: "point-lost:button-gym", Detail: "chip mcp23017 is gone; check the cable", Since: now.Add(-26 * time.Hour)},
		},
		Clock:    Clock{Now: now},
		Journal:  Journal{Epoch: "3f9c2a7e51d04b68", LastSeq: 1313, Durable: true},
		Assigned: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}
}

func quietDay() Status {
	return Status{
		Version: "0.1.0", Site: "school-12", Gateway: "main", Board: "sim", UptimeSeconds: 42,
		Points:  []Point{{ID: "button-204", Armed: true}, {ID: "lamp-204", Armed: true}},
		Links:   []Link{{Name: "mqtt", Up: true, ForSeconds: 40}},
		Queue:   []Queue{{Consumer: "mqtt", Lane: "alarm"}, {Consumer: "mqtt", Lane: "routine"}},
		Clock:   Clock{Now: time.Date(2026, 11, 21, 8, 15, 3, 0, time.UTC), Synced: true},
		Journal: Journal{Epoch: "3f9c2a7e51d04b68", LastSeq: 1},
	}
}

func TestPrint(t *testing.T) {
	for name, s := range map[string]Status{"busy": busyDay(), "quiet": quietDay()} {
		for _, l := range alert.Languages() {
			t.Run(name+"-"+string(l), func(t *testing.T) {
				var out bytes.Buffer
				if err := Print(&out, s, l); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join("testdata", name+"-"+string(l)+".txt")
				if *update {
					if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if out.String() != string(want) {
					t.Errorf("got\n%s\nwant\n%s\n(go test -update writes the file anew)", out.String(), want)
				}
			})
		}
	}
}

func TestEveryWordExistsInEveryLanguage(t *testing.T) {
	for key, text := range ownTexts() {
		if text.RU == "" || text.KK == "" || text.EN == "" {
			t.Errorf("%s: %+v", key, text)
		}
	}
	for truth := alert.TruthRaised; truth <= alert.TruthAccepted; truth++ {
		if _, ok := ownTexts()[truth.String()]; !ok {
			t.Errorf("no word for %v", truth)
		}
	}
}

func TestPrintReportsTheWriter(t *testing.T) {
	f, err := os.Open(os.DevNull) // not open for writing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := Print(f, busyDay(), alert.English); err == nil {
		t.Error("no error from a writer that fails")
	}
}

func TestLanguage(t *testing.T) {
	for _, tt := range []struct {
		all, messages, lang string
		want                alert.Language
	}{
		{"", "", "ru_RU.UTF-8", alert.Russian},
		{"", "", "kk_KZ", alert.Kazakh},
		{"", "", "kk", alert.Kazakh},
		{"", "", "en_US.UTF-8", alert.English},
		{"", "", "C", alert.English},
		{"", "", "", alert.English},
		{"", "", "run", alert.English},
		{"", "ru_RU.UTF-8", "kk_KZ.UTF-8", alert.Russian},
		{"C", "ru_RU.UTF-8", "kk_KZ.UTF-8", alert.English},
	} {
		env := map[string]string{"LC_ALL": tt.all, "LC_MESSAGES": tt.messages, "LANG": tt.lang}
		if got := Language(func(name string) string { return env[name] }); got != tt.want {
			t.Errorf("%+v: got %s", tt, got)
		}
	}
}

// FuzzPrint: whatever a gateway answers, nothing reaches the terminal but
// printable characters and line breaks.
func FuzzPrint(f *testing.F) {
	b, err := json.Marshal(busyDay())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":"\u001b[2J","alerts":[{"level":"help","kind":"\u0007","place":["\r"]}],"queue":[{"lane":"%s%d"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Status
		if json.Unmarshal(b, &s) != nil {
			return
		}
		for _, l := range alert.Languages() {
			var out bytes.Buffer
			if err := Print(&out, s, l); err != nil {
				t.Fatal(err)
			}
			if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("unprintable character at %d of %q", i, out.String())
			}
		}
	})
}

// FuzzDecodePress: no request makes a press that is out of bounds.
func FuzzDecodePress(f *testing.F) {
	for _, seed := range []string{`{"point":"b","hold_ms":3000}`, `{"point":"b"}{}`, `{"hold_ms":-1}`, `[]`, ``, `{"point":"b","hold_ms":1e99}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := decodePress(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, errRequest) {
				t.Fatalf("no reason: %v", err)
			}
			return
		}
		if p.Point == "" || p.hold() < 0 || p.hold() > LongestHold {
			t.Fatalf("accepted %+v", p)
		}
	})
}
