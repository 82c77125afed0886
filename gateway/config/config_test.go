package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/pin"
)

const exampleHash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"

// base is a correct configuration with something of everything. The tests of
// mistakes change one thing in it; the numbers in their messages are its lines.
const base = `site = "school-12"
gateway = "main"
name = { ru = "Школа", kk = "Мектеп", en = "School" }
language = "ru"
data_dir = "/var/lib/nabat"
board = "gpio"
chip = "soc"
screens = ["lobby", "gym"]
[[place]]
id = "hall"
name = { ru = "Зал", kk = "Зал", en = "Hall" }
[[place]]
id = "room"
in = "hall"
name = { ru = "Класс", kk = "Сынып", en = "Room" }
[[kind]]
id = "earthquake"
name = { ru = "Землетрясение", kk = "Жер сілкінісі", en = "Earthquake" }
[[button]]
id = "button"
place = "room"
kind = "intruder"
line = 1
tamper = { line = 2 }
[[lamp]]
id = "lamp"
place = "room"
line = 3
[[plan]]
kind = "fire"
level = "emergency"
screens = ["lobby"]
[[plan.escalation]]
after = "30s"
to = "head"
[[plan.escalation]]
after = "1m"
to = "dispatch"
[web]
listen = ":8080"
pin = "` + exampleHash + `"
[journal]
keep_days = 30
[mqtt]
url = "mqtts://dispatch.example"
`

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseBase(t *testing.T) {
	c := parse(t, base)
	room := c.Site.Places["room"]
	if got := strings.Join(room.In(alert.English).Path, " / "); got != "Hall / Room" {
		t.Errorf("path = %q", got)
	}
	b, ok := c.Site.Button("button")
	want := alert.Button{
		ID: "button", Place: "room",
		Tap:  alert.Action{Kind: alert.Intruder, Level: alert.LevelHelp},
		Hold: alert.Action{Kind: alert.Intruder, Level: alert.LevelEmergency},
	}
	if !ok || b != want {
		t.Errorf("button = %+v, want %+v", b, want)
	}
	in := c.Inputs[0]
	if in.Switch != (Switch{Line{"soc", 1}, NormallyOpen, true, BiasPullUp}) || *in.Tamper != (Switch{Line{"soc", 2}, NormallyClosed, true, BiasPullUp}) {
		t.Errorf("input = %+v, tamper %+v", in, in.Tamper)
	}
	if o := c.Outputs[0]; o != (Output{Point: "lamp", Line: Line{"soc", 3}}) {
		t.Errorf("output = %+v", o)
	}
	p := c.Site.Plan(alert.Fire, alert.LevelEmergency)
	if !p.ShowPlace || !p.Lamps || len(p.Screens) != 1 || len(p.Escalation) != 2 || p.Escalation[1] != (alert.Step{After: time.Minute, To: "dispatch"}) {
		t.Errorf("plan = %+v", p)
	}
	if c.Journal != (Journal{KeepDays: 30, RoutineCap: 2_000_000, Ballast: 16 << 20}) {
		t.Errorf("journal = %+v", c.Journal)
	}
	if c.MQTT != (MQTT{Enabled: true, Host: "dispatch.example:8883", TLS: true, ClientID: "nabat-school-12-main", Receipts: true}) {
		t.Errorf("mqtt = %+v", c.MQTT)
	}
}

func TestExamplesParse(t *testing.T) {
	t.Run("what init prints", func(t *testing.T) {
		text, fresh, err := Init()
		if err != nil {
			t.Fatal(err)
		}
		c := parse(t, text)
		if v, err := pin.Parse(c.Web.PIN.Reveal()); err != nil || !v.Verify(fresh) {
			t.Errorf("the printed PIN does not open the printed hash: %v", err)
		}
		if strings.Contains(text, fresh) {
			t.Error("the PIN stands in the file")
		}
	})
	t.Run("the embedded file alone is refused for its PIN only", func(t *testing.T) {
		_, err := Parse("f", []byte(minimal))
		var all Errors
		if !errors.As(err, &all) || len(all) != 1 || !strings.Contains(all[0].What, "pin is not a hash") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the commented link of init", func(t *testing.T) {
		text, _, err := Init()
		if err != nil {
			t.Fatal(err)
		}
		before, link, _ := strings.Cut(text, "#[mqtt]")
		c := parse(t, before+"[mqtt]"+strings.ReplaceAll(link, "\n#", "\n"))
		if !c.MQTT.Enabled || c.MQTT.Cert == "" {
			t.Errorf("mqtt = %+v", c.MQTT)
		}
	})
	t.Run("the commented loudspeaker and bell of init", func(t *testing.T) {
		text, _, err := Init()
		if err != nil {
			t.Fatal(err)
		}
		_, sound, found := strings.Cut(text, "#[[speaker]]")
		sound, _, ends := strings.Cut("#[[speaker]]"+sound, "\n\n")
		if !found || !ends {
			t.Fatal("there are none")
		}
		c := parse(t, text+"\n"+strings.ReplaceAll("\n"+sound, "\n#", "\n"))
		if table := c.Announcements.Timetable; len(c.Speakers) != 1 || len(table.Rules) != 2 || len(table.Terms) != 1 || len(c.Warnings) != 0 {
			t.Errorf("speakers %+v, timetable %+v, warnings %v", c.Speakers, table, c.Warnings)
		}
	})
	t.Run("docs", func(t *testing.T) {
		c, err := Load(filepath.Join("..", "..", "docs", "config.toml"))
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Contacts) != 3 || !c.SMS.Enabled || !c.Central.Enabled || len(c.Command.Keys) != 1 || len(c.Command.Keys[0].Public) != 32 || len(c.Warnings) != 0 {
			t.Errorf("contacts %v, sms %+v, central %+v, keys %v, warnings %v", c.Contacts, c.SMS, c.Central, c.Command, c.Warnings)
		}
		if len(c.Site.Buttons) != 3 || len(c.Site.Plans) != 3 || !c.MQTT.TLS || c.Inputs[2].Line.Chip != "mcp23017" {
			t.Errorf("got %+v", c)
		}
	})
}

// Every setting of the documented example is known by its exact name, and a
// wrong name is reported with its line.
func TestEveryKeyIsStrict(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	key := regexp.MustCompile(`^(\[?\[?)([a-z_]+)(.*)$`)
	tried := 0
	for i, line := range lines {
		m := key.FindStringSubmatch(line)
		if m == nil || !strings.Contains(m[3], "=") && m[1] == "" {
			continue
		}
		tried++
		wrong := append([]string(nil), lines...)
		wrong[i] = m[1] + m[2] + "q" + m[3]
		_, err := Parse("f", []byte(strings.Join(wrong, "\n")))
		var all Errors
		if !errors.As(err, &all) {
			t.Errorf("line %d: %q was accepted", i+1, wrong[i])
			continue
		}
		found := false
		for _, p := range all {
			found = found || p.Line == i+1 && strings.Contains(p.What, m[2]+"q")
		}
		if !found {
			t.Errorf("line %d: %q is not named with its line in:\n%v", i+1, wrong[i], err)
		}
	}
	if tried < 205 {
		t.Errorf("only %d keys were tried", tried)
	}
}

func TestMinimalIsEnough(t *testing.T) {
	c := parse(t, `site = "s"
name = { ru = "Ш", kk = "М", en = "S" }
language = "kk"
board = "sim"
place = [{ id = "r", name = { ru = "К", kk = "Б", en = "R" } }]
button = [{ id = "b", place = "r", kind = "help" }]
web = { pin = "`+exampleHash+`" }`)
	if c.Site.Gateway != "main" || c.DataDir != "/var/lib/nabat" || c.Board != BoardSim || c.MQTT.Enabled || c.Web.Listen != "127.0.0.1:8080" {
		t.Errorf("got %+v", c)
	}
}

func TestLoad(t *testing.T) {
	t.Run("no file names the remedy", func(t *testing.T) {
		_, err := Load(filepath.Join(t.TempDir(), "nabat.toml"))
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "nabat config init") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("huge file", func(t *testing.T) {
		_, err := Load("/dev/zero")
		var all Errors
		if !errors.As(err, &all) || all[0].What != "the file is larger than 4 MiB" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("problems name the path", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "nabat.toml")
		if err := os.WriteFile(path, []byte(strings.Replace(base, `"ru"`, `"de"`, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if err == nil || !strings.HasPrefix(err.Error(), path+":4: ") {
			t.Errorf("got %v", err)
		}
	})
}

const (
	textMessages = "[sms]\ndevice = \"/dev/ttyUSB0\"\n"
	headContact  = "[[contact]]\nid = \"h\"\nrole = \"head\"\nphone = \"+77010000001\"\n"
)

// A kind without a plan, and a plan without steps, ask whom something reaches.
func TestTheUsualEscalation(t *testing.T) {
	duty := alert.Step{After: 30 * time.Second, To: alert.RoleDuty}
	head := alert.Step{After: time.Minute, To: alert.RoleHead}
	dispatch := alert.Step{After: 2 * time.Minute, To: alert.RoleDispatch}
	link := base[strings.Index(base, "[mqtt]"):]
	tests := map[string]struct {
		text string
		want []alert.Step
	}{
		"link only":                 {base, []alert.Step{duty, dispatch}},
		"nothing":                   {strings.Replace(base, link, "", 1), []alert.Step{duty}},
		"contacts without modem":    {base + headContact, []alert.Step{duty, dispatch}},
		"contacts with a modem":     {base + headContact + textMessages, []alert.Step{duty, head, dispatch}},
		"a modem without a link":    {strings.Replace(base, link, headContact+textMessages, 1), []alert.Step{duty, head}},
		"the modem is switched off": {base + headContact + textMessages + "enabled = false\n", []alert.Step{duty, dispatch}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := parse(t, tt.text)
			if got := c.Site.Plan(alert.Medical, alert.LevelEmergency).Escalation; !slices.Equal(got, tt.want) {
				t.Errorf("no plan: %+v, want %+v", got, tt.want)
			}
		})
	}
	fire := base[strings.Index(base, "[[plan.escalation]]"):strings.Index(base, "[web]")]
	if got := parse(t, strings.Replace(base, fire, "", 1)).Site.Plan(alert.Fire, alert.LevelEmergency); !slices.Equal(got.Escalation, []alert.Step{duty, dispatch}) || got.Screens[0] != "lobby" {
		t.Errorf("a plan without steps: %+v", got)
	}
	if got := parse(t, strings.Replace(base, fire, "escalation = []\n", 1)).Site.Plan(alert.Fire, alert.LevelEmergency); len(got.Escalation) != 0 {
		t.Errorf("a plan that asks nobody: %+v", got)
	}
}

// A step that reaches nobody at present is allowed, and said.
func TestStepsThatReachNobody(t *testing.T) {
	link := base[strings.Index(base, "[mqtt]"):]
	tests := map[string]struct {
		text string
		want []string
	}{
		"nobody": {strings.Replace(base, link, "", 1), []string{
			`f:35: plan for fire at emergency: escalation: to = "head" reaches nobody: no contact has this role; write a [[contact]] with this role`,
			`f:38: plan for fire at emergency: escalation: to = "dispatch" reaches nobody: there is no link to dispatch; write [mqtt] or [central], or a [[contact]] with this role`,
		}},
		"no modem": {base + headContact, []string{
			`f:35: plan for fire at emergency: escalation: to = "head" has contacts, but no way to reach them; write an [sms] section, or they must be called by hand`,
		}},
		"everybody": {base + headContact + textMessages, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range parse(t, tt.text).Warnings {
				got = append(got, w.Error())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestPhonesAreHidden(t *testing.T) {
	c := parse(t, base+headContact)
	if c.Contacts[0].Phone.Reveal() != "+77010000001" || c.Contacts[0].Language != alert.Russian {
		t.Errorf("contact %+v", c.Contacts[0])
	}
	if out := fmt.Sprintf("%+v %#v", c, c.Contacts); strings.Contains(out, "7701") {
		t.Errorf("leaks: %s", out)
	}
}
