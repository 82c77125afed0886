package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"nabat/gateway/alert"
)

// FuzzParse: Parse never panics; every mistake has a line of the file, says
// what is wrong and what would be right, on one line each; what is accepted
// holds together.
func FuzzParse(f *testing.F) {
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "config.toml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(docs))
	f.Add(base)
	f.Add(minimal)
	f.Add("")
	f.Add("a.b = 1\n[a.c]\n[[a.d]]\n[a.d.e]\n")
	f.Add("plan = 5\nbutton = [1]\nweb = []\nname = {}\nplace = [{in = \"x\"}]")
	f.Add(base + headContact + textMessages + "[[command_key]]\nid = \"k\"\npublic = \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"\n[central]\nurl = \"https://d.example:8443\"\ntoken_file = \"/t\"\n")
	f.Add(base + audible + "[[bell]]\nat = \"08:30\"\ndays = \"sat-mon\"\n[[spot]]\nat = [\"23:59\"]\nmessage = \"lesson\"\n[[term]]\nfirst = 2026-09-01\nlast = \"2026-10-25\"\n[quiet]\nfrom = \"20:00\"\nto = \"07:00\"\n")
	f.Add("zone = 1\nspeaker = {}\nbell = [1]\nspot = [{at = 1}]\nterm = [{first = 08:30:00}]\nholiday = []\nquiet = 1\nscreen = [{}]\ndisplay = [{type = 1}]\nlobby = []\nhelpline = [{}]\nannouncements = []\nmessage = [{recorded = 1}]\n")
	f.Add("contact = 1\nsms = []\ncentral = [1]\ncommand_key = {}\n")
	f.Add("\xef\xbb\xbfsite = '''\na'''\n# \r\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f", []byte(text))
		if err == nil {
			holdsTogether(t, c)
			return
		}
		if c != nil {
			t.Fatal("both a configuration and an error")
		}
		var all Errors
		if !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("not Errors: %v", err)
		}
		last := strings.Count(text, "\n") + 1
		for _, p := range all {
			if p.Line < 1 || p.Line > last || p.What == "" || p.Remedy == "" || strings.ContainsAny(p.Error(), "\n\r\x1b") {
				t.Fatalf("bad problem %+v in a file of %d lines", p, last)
			}
		}
	})
}

func holdsTogether(t *testing.T, c *Config) {
	s := c.Site
	own := slices.Collect(func(yield func(alert.Kind) bool) {
		for k := range s.Kinds {
			if !yield(k) {
				return
			}
		}
	})
	if len(s.Buttons) == 0 && len(c.Inputs) != 0 || len(c.Inputs) != len(s.Buttons) || len(c.Outputs) != len(s.Lamps) {
		t.Fatalf("%d buttons, %d inputs, %d lamps, %d outputs", len(s.Buttons), len(c.Inputs), len(s.Lamps), len(c.Outputs))
	}
	for _, b := range s.Buttons {
		for _, a := range []alert.Action{b.Tap, b.Hold} {
			if a != (alert.Action{}) && (!a.Kind.Known(own...) || a.Level == 0) {
				t.Fatalf("button %+v", b)
			}
		}
		if p := s.Places[b.Place]; len(p.Path) == 0 || p.Path[0].KK == "" {
			t.Fatalf("place of button %+v is %+v", b, p)
		}
	}
	for _, p := range s.Plans {
		if !p.Kind.Known(own...) || p.Level == 0 || p.Level == alert.LevelHelp && len(p.Screens) > 0 {
			t.Fatalf("plan %+v", p)
		}
		if !slices.IsSortedFunc(p.Escalation, func(a, b alert.Step) int { return int(a.After - b.After) }) {
			t.Fatalf("plan %+v", p)
		}
	}
	for _, r := range c.Contacts {
		if !validID(r.ID) || !validID(r.Role) || len(r.Phone.Reveal()) < 9 || !slices.Contains(alert.Languages(), r.Language) {
			t.Fatalf("contact %+v", r)
		}
	}
	for _, k := range c.Command.Keys {
		if k.ID == "" || len(k.Public) != publicKeySize {
			t.Fatalf("key %+v", k)
		}
	}
	if c.Central.Enabled && (c.Central.URL == "" || c.Central.TokenFile == "" && c.Central.Cert == "") || c.SMS.Enabled && (c.SMS.Device == "" || len(c.Contacts) == 0) {
		t.Fatalf("central %+v, sms %+v", c.Central, c.SMS)
	}
	soundsTogether(t, c)
	if !validID(s.ID) || !validID(s.Gateway) || c.Web.PIN.Reveal() == "" {
		t.Fatalf("site %+v", s)
	}
}

func soundsTogether(t *testing.T, c *Config) {
	s := c.Site
	zone := func(id string) bool {
		return slices.ContainsFunc(s.Zones, func(z alert.Zone) bool { return z.ID == id })
	}
	known := func(zones []string) bool {
		return !slices.ContainsFunc(zones, func(id string) bool { return id != alert.Everywhere && !zone(id) })
	}
	for _, z := range s.Zones {
		if !validID(z.ID) || z.Name.KK == "" {
			t.Fatalf("zone %+v", z)
		}
	}
	for _, sp := range c.Speakers {
		if !validID(sp.ID) || !known(sp.Zones) || slices.Contains(sp.Zones, alert.Everywhere) || strings.HasPrefix(sp.Device, "-") ||
			sp.Type == SpeakerRTP && sp.RTP.TTL < 1 || sp.Type == SpeakerSIP && sp.SIP.URI == "" || sp.Gain > 0 || sp.EmergencyGain > 0 {
			t.Fatalf("speaker %+v", sp)
		}
	}
	for _, d := range c.Displays {
		if !validID(d.ID) || !known(d.Zones) || d.Bus == "" || d.Type != DisplayFramebuffer && d.Width < 8 {
			t.Fatalf("display %+v", d)
		}
	}
	if len(s.Zones) == 0 || len(c.Screens) != len(s.Screens) {
		t.Fatalf("zones %v, screens %v", s.Zones, s.Screens)
	}
	for _, p := range s.Plans {
		if _, there := s.Message(p.Message); p.Message != "" && !there || !known(p.Zones) || p.Level == alert.LevelHelp && len(p.Zones) > 0 || p.Level == alert.LevelEmergency && !p.Response.Valid() {
			t.Fatalf("plan %+v", p)
		}
	}
	for _, r := range c.Announcements.Timetable.Rules {
		if m, there := s.Message(r.Message); r.Message != "" && (!there || m.Priority >= alert.PriorityEmergency) || !known(r.Zones) || r.Days == [7]bool{} || r.At < 0 || r.At >= 24*time.Hour {
			t.Fatalf("rule %+v", r)
		}
	}
}

// FuzzDocument: our tree of nodes with lines has the same keys and lengths as
// what the TOML library decodes.
func FuzzDocument(f *testing.F) {
	f.Add(base)
	f.Add("a.b.c = 1\na.b.d = [1, [2, 3], {x = {}}]\n[[e]]\n[[e]]\n[[e.f]]\ng=1\n[e.h]\n[e.h.i]\n")
	f.Add("'quoted key'.\"a\\u00e9\" = 1979-05-27\n[x]\n[x.y.z]\n[x.y]\nk=[\n# comment\n1, # another\n]\nt = {\n# c\na = 1, }\n")
	f.Fuzz(func(t *testing.T, text string) {
		var plain map[string]any
		root, problem := parseDocument([]byte(text))
		if err := toml.Unmarshal([]byte(text), &plain); (err == nil) != (problem == nil) {
			t.Fatalf("library: %v; here: %+v", err, problem)
		}
		if problem == nil {
			same(t, root, plain)
		}
	})
}

func same(t *testing.T, n *node, v any) {
	switch v := v.(type) {
	case map[string]any:
		if n.shape != shapeTable || len(n.keys) != len(v) {
			t.Fatalf("%v with keys %q for %v", n.shape, n.keys, v)
		}
		for _, k := range n.keys {
			inner, ok := v[k]
			if !ok {
				t.Fatalf("key %q is not in %v", k, v)
			}
			same(t, n.fields[k], inner)
		}
	case []any:
		if n.shape != shapeArray || len(n.items) != len(v) {
			t.Fatalf("%v of %d for %v", n.shape, len(n.items), v)
		}
		for i := range v {
			same(t, n.items[i], v[i])
		}
	case string:
		if n.shape != shapeText || n.data != v {
			t.Fatalf("%v %q for %q", n.shape, n.data, v)
		}
	}
}
