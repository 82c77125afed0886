package config

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Each text stands behind base and audible; N in a message is its first line.
func TestMistakesInAnnouncements(t *testing.T) {
	const (
		name  = "name = { ru = \"a\", kk = \"a\", en = \"a\" }\n"
		rtp   = "[[speaker]]\nid = \"r\"\nzones = [\"yard\"]\ntype = \"rtp\"\n"
		sip   = "[[speaker]]\nid = \"s\"\nzones = [\"yard\"]\ntype = \"sip\"\n"
		plan  = "[[plan]]\nkind = \"intruder\"\nlevel = \"emergency\"\n"
		quiet = "[[plan]]\nkind = \"intruder\"\nlevel = \"help\"\n"
	)
	tests := map[string]struct {
		text string
		want []string // "+N: " counts from the first line of text, 0 being that
	}{
		"zone twice":          {"[[zone]]\nid = \"yard\"\n" + name, []string{`+1: [[zone]]: the id "yard" is used already in line 50; give each zone an id of its own`}},
		"zone without a name": {"[[zone]]\nid = \"roof\"\n", []string{`+0: zone "roof": name is missing; write name = { ru = "…", kk = "…", en = "…" }`}},

		"speaker without anything": {"[[speaker]]\n", []string{
			`+0: [[speaker]]: id is missing; write id = "hall"`,
			`+0: [[speaker]]: zones is missing; write zones = ["hall"], or zones = ["*"] for all`,
			`+0: [[speaker]]: type is missing; write type = "alsa", "pulse", "rtp" or "sip"`,
		}},
		"speaker twice":                   {"[[speaker]]\nid = \"a\"\nzones = [\"*\"]\ntype = \"alsa\"\n", []string{`+1: [[speaker]]: the id "a" is used already in line 53; give each speaker an id of its own`}},
		"output twice":                    {"[[speaker]]\nid = \"b\"\nzones = [\"yard\"]\ntype = \"pulse\"\n", []string{`+0: speaker "b": the speaker in line 52 has the same output; give one loudspeaker several zones instead`}},
		"unknown type":                    {"[[speaker]]\nid = \"b\"\nzones = [\"yard\"]\ntype = \"rpt\"\n", []string{`+3: speaker "b": type = "rpt" is unknown; did you mean "rtp"?`}},
		"unknown zone":                    {"[[speaker]]\nid = \"b\"\nzones = [\"yrad\"]\ntype = \"alsa\"\n", []string{`+2: speaker "b": zone "yrad" is unknown; did you mean "yard"?`}},
		"zone twice in a list":            {"[[speaker]]\nid = \"b\"\nzones = [\"yard\", \"yard\"]\ntype = \"alsa\"\n", []string{`+2: speaker "b": zone "yard" is listed twice; name each zone once`}},
		"star beside a zone":              {"[[speaker]]\nid = \"b\"\nzones = [\"yard\", \"*\"]\ntype = \"alsa\"\n", []string{`+2: speaker "b": "*" stands beside other zones; write zones = ["*"] alone, or name the zones`}},
		"setting of another type":         {"[[speaker]]\nid = \"b\"\nzones = [\"yard\"]\ntype = \"alsa\"\nserver = \"unix:/x\"\n", []string{`+4: speaker "b": server does not belong to type = "alsa"; leave it out, or write type = "pulse"`}},
		"device that is an option":        {"[[speaker]]\nid = \"b\"\nzones = [\"yard\"]\ntype = \"alsa\"\ndevice = \"-D\"\n", []string{`+4: speaker "b": device = "-D" is no name of an output; "aplay -L" lists devices, "pactl list short sinks" lists sinks`}},
		"device with a space":             {"[[speaker]]\nid = \"b\"\nzones = [\"yard\"]\ntype = \"alsa\"\ndevice = \"a b\"\n", []string{`+4: speaker "b": device = "a b" is no name of an output; "aplay -L" lists devices, "pactl list short sinks" lists sinks`}},
		"gain that is loud":               {"[[speaker]]\nid = \"b\"\nzones = [\"yard\"]\ntype = \"alsa\"\ngain = 3\n", []string{`+4: speaker "b": gain = 3 is out of bounds; want -40 to 0`}},
		"gain that is no number":          {"[[speaker]]\nid = \"b\"\nzones = [\"yard\"]\ntype = \"alsa\"\ngain = nan\n", []string{`+4: speaker "b": gain = nan is out of bounds; want -40 to 0`}},
		"gain in quotes":                  {"[[speaker]]\nid = \"b\"\nzones = [\"yard\"]\ntype = \"alsa\"\ngain = \"-3\"\n", []string{`+4: speaker "b": gain is a text; write gain = 0, a number without quotes`}},
		"amplifier that is not there":     {"[[speaker]]\nid = \"b\"\nzones = [\"yard\"]\ntype = \"alsa\"\namplifier = \"x\"\n", []string{`+4: speaker "b": amplifier = "x" is unknown; write an [[amplifier]] section with this id`}},
		"amplifier with a typing mistake": {"[[amplifier]]\nid = \"relay\"\nline = 9\n[[speaker]]\nid = \"b\"\nzones = [\"yard\"]\ntype = \"alsa\"\namplifier = \"realy\"\n", []string{`+7: speaker "b": amplifier = "realy" is unknown; did you mean "relay"?`}},

		"rtp without a group":             {rtp, []string{`+0: speaker "r": rtp is missing; write rtp = { group = "239.0.0.1:5004" }`}},
		"rtp without an address":          {rtp + "rtp = {}\n", []string{`+4: speaker "r": rtp: group is missing; write group = "239.0.0.1:5004", as the loudspeaker's own settings say`}},
		"rtp with a name":                 {rtp + "rtp = { group = \"speaker.local:5004\" }\n", []string{`+4: speaker "r": rtp: group = "speaker.local:5004" is no address of loudspeakers; write an IPv4 address and a port, as in "239.0.0.1:5004"`}},
		"rtp of one device with a preset": {rtp + "rtp = { group = \"10.0.0.7:5004\", preset = \"snom\" }\n", []string{`+4: speaker "r": rtp: group = "10.0.0.7:5004" is no multicast address; choose one from 224.0.1.0 to 239.255.255.255, or leave the preset out for a single device`}},
		"rtp to the routers":              {rtp + "rtp = { group = \"224.0.0.5:5004\" }\n", []string{`+4: speaker "r": rtp: group = "224.0.0.5:5004" belongs to the routers; choose an address from 239.0.0.0 on`}},
		"rtp with an odd port":            {rtp + "rtp = { group = \"239.0.0.5:5005\", preset = \"cyberdata\" }\n", []string{`+4: speaker "r": rtp: group = "239.0.0.5:5005": loudspeakers of CyberData do not take this port; choose an even one from 2000 on`}},
		"rtp beyond the zones of a maker": {rtp + "rtp = { group = \"224.0.2.60:5004\", preset = \"algo\" }\n", []string{`+4: speaker "r": rtp: group = "224.0.2.60:5004": the zones of Algo are the ports 50000 to 50008; leave the preset out if the loudspeakers have other ones`}},
		"rtp out of bounds": {rtp + "rtp = { group = \"239.0.0.5:5004\", preset = \"sonm\", ttl = 0, dscp = 64, interface = \"a/b\" }\n", []string{
			`+4: speaker "r": rtp: preset = "sonm" is unknown; did you mean "snom"?`,
			`+4: speaker "r": rtp: interface = "a/b" is no network interface; write its name, as in "eth0" ("ip link" lists them)`,
			`+4: speaker "r": rtp: ttl = 0 is out of bounds; want 1 to 255`,
			`+4: speaker "r": rtp: dscp = 64 is out of bounds; want 0 to 63`,
		}},
		"sip without whom": {sip + "sip = { transport = \"udb\" }\n", []string{
			`+4: speaker "s": sip: uri is missing; write uri = "sip:500@10.0.0.9"`,
			`+4: speaker "s": sip: transport = "udb" is unknown; did you mean "udp"?`,
		}},
		"sip with a password in the address": {sip + "sip = { uri = \"sip:500:hunter2@10.0.0.9\" }\n", []string{`+4: speaker "s": sip: uri is no address of a telephone; write it as in "sip:500@10.0.0.9", without a password`}},
		"sip with a header":                  {sip + "sip = { uri = \"sip:500@10.0.0.9?x=y\" }\n", []string{`+4: speaker "s": sip: uri is no address of a telephone; write it as in "sip:500@10.0.0.9", without a password`}},
		"sip with half a password":           {sip + "sip = { uri = \"sip:500@10.0.0.9:5080\", username = \"u\" }\n", []string{`+4: speaker "s": sip: username stands without password_file; write password_file = "/etc/nabat/sip-password": the password does not belong in this file`}},
		"amplifier on a line in use": {"[[amplifier]]\nid = \"x\"\nline = 3\nlead = \"1m\"\n", []string{
			`+2: amplifier "x": line 3 of chip "soc" is used already by lamp "lamp" in line 28 of this file; give each button, tamper switch, lamp and amplifier a line of its own`,
			`+3: amplifier "x": lead = "1m" is out of bounds; want 0s to 2s`,
		}},
		"amplifier without a line": {"[[amplifier]]\nid = \"x\"\n", []string{`+0: amplifier "x": line is missing; write line = 17, the offset of the line in its chip ("gpioinfo" lists them)`}},

		"languages": {"[announcements]\nlanguages = [\"ru\", \"ru\", \"kz\"]\n", []string{
			`+1: [announcements]: language "ru" is listed twice; name each language once`,
			`+1: [announcements]: language "kz" is unknown; did you mean "kk"?`,
		}},
		"voice that is an option": {"[announcements]\nvoices = { ru = \"--stdin\", de = \"de\" }\n", []string{
			`+1: [announcements]: voices: ru = "--stdin" is no name of a voice; write a name that "espeak-ng --voices" lists, as in "ru" or "en-gb"`,
			`+1: [announcements]: voices: unknown key "de"; want one of ru, kk, en`,
		}},
		"relative calendar": {"[announcements]\ncalendar = \"bells.ics\"\n", []string{`+1: [announcements]: calendar = "bells.ics" is not an absolute path; write the path from the root, as in "/etc/nabat/bells.ics"`}},

		"message without a language": {"[[message]]\nid = \"m\"\ntext = { ru = \"a\", kk = \"a\" }\n", []string{`+2: message "m": text: en is missing; write the name in English as well`}},
		"message with unknown words": {"[[message]]\nid = \"m\"\ntext = { ru = \"a\", kk = \"a\", en = \"a\" }\npriority = \"urgent\"\nchime = \"gnog\"\n", []string{
			`+3: message "m": priority = "urgent" is unknown; want one of routine, notice, emergency, evacuate`,
			`+4: message "m": chime = "gnog" is unknown; did you mean "gong"?`,
		}},
		"message that cannot be heard": {"[[message]]\nid = \"m\"\nsilent = true\nchime = \"none\"\n", []string{`+3: message "m": a silent message without a chime is not heard at all; write another chime, or leave "silent" out`}},
		"silent message with words":    {"[[message]]\nid = \"m\"\nsilent = true\nrecorded = { ru = \"/a.wav\" }\n", []string{`+3: message "m": a silent message has recorded words; leave "silent" or "recorded" out`}},
		"relative recording":           {"[[message]]\nid = \"m\"\ntext = { ru = \"a\", kk = \"a\", en = \"a\" }\nrecorded = { ru = \"a.wav\" }\n", []string{`+3: message "m": recorded: ru = "a.wav" is not an absolute path; write the path from the root, as in "/etc/nabat/a.wav"`}},
		"message that never ends":      {"[[message]]\nid = \"m\"\ntext = { ru = \"" + strings.Repeat("я", 1001) + "\", kk = \"a\", en = \"a\" }\n", []string{`+2: message "m": text has 1001 letters, more than 1000; say the most important things only`}},

		"plan with unknown words": {plan + "response = \"Evacuat\"\nmessage = \"lessen\"\nzones = [\"hal\"]\ninstruction = \"go\"\n", []string{
			`+3: plan for intruder at emergency: response = "Evacuat" is unknown; did you mean "Evacuate"?`,
			`+4: plan for intruder at emergency: message = "lessen" is no message; did you mean "lesson"?`,
			`+5: plan for intruder at emergency: zone "hal" is unknown; did you mean "hall"?`,
			`+6: plan for intruder at emergency: instruction is a text; write instruction = { ru = "…", kk = "…", en = "…" }`,
		}},
		"a quiet alert that is said":   {quiet + "zones = [\"hall\"]\n", []string{`+3: plan for intruder at help: a quiet alert is never said, and asks nothing of everyone; leave the line out; the duty adult sees the call on the console`}},
		"a quiet alert with a message": {quiet + "message = \"lesson\"\n", []string{`+3: plan for intruder at help: a quiet alert is never said, and asks nothing of everyone; leave the line out; the duty adult sees the call on the console`}},
		"a plan that says a chime":     {plan + "message = \"m\"\n[[message]]\nid = \"m\"\nsilent = true\n", []string{`+3: plan for intruder at emergency: message "m" has nothing to say; name a message with words`}},

		"bell without a time": {"[[bell]]\nanyway = true\n", []string{`+0: bell 1: at is missing; write at = ["08:30", "09:15"]`}},
		"bell at no time": {"[[bell]]\nanyway = true\nat = [\"8.30\", \"24:00\", 8, \"08:30\", \"08:30\"]\n", []string{
			`+2: bell 1: at = "8.30" is no time of day; write the time with hours and minutes in quotes: "08:30"`,
			`+2: bell 1: at = "24:00" is no time of day; write the time with hours and minutes in quotes: "08:30"`,
			`+2: bell 1: at is a number; write the time with hours and minutes in quotes: "08:30"`,
			`+2: bell 1: at has "08:30" twice; name each time once`,
		}},
		"bell on no day": {"[[bell]]\nanyway = true\nat = \"08:30\"\ndays = [\"monday\", \"mo\", 1]\n", []string{
			`+3: bell 1: day "monday" is unknown; want one of mon, tue, wed, thu, fri, sat, sun, weekdays, daily, mon-sat`,
			`+3: bell 1: day "mo" is unknown; did you mean "mon"?`,
			`+3: bell 1: days is a number; write days = ["mon", "wed"], or "weekdays", "mon-sat", "daily"`,
		}},
		"bell that is not heard": {"[[bell]]\nanyway = true\nat = \"08:30\"\nchime = \"none\"\n", []string{`+3: bell 1: a bell without a chime and a message is not heard; leave the line out for the usual bell, or write message = "…"`}},
		"bell that is an emergency": {"[[message]]\nid = \"m\"\npriority = \"evacuate\"\ntext = { ru = \"a\", kk = \"a\", en = \"a\" }\n[[bell]]\nanyway = true\nat = \"08:30\"\nmessage = \"m\"\n", []string{
			`+7: bell 1: message "m" has the priority evacuate, which the timetable must not use; choose a message with the priority "routine" or "notice"`,
		}},
		"spot without words": {"[[spot]]\nanyway = true\nat = \"08:30\"\nzones = []\n", []string{
			`+0: spot 1: message is missing; write message = "…", the id of a [[message]]`,
			`+3: spot 1: zones names no zone; name a zone, or leave the line out for all`,
		}},
		"term without an end": {"[[term]]\nfirst = 2026-09-01\n", []string{`+0: [[term]]: last is missing; write first = 2026-09-01 and last = 2026-10-25`}},
		"term backwards":      {"[[term]]\nfirst = 2026-09-01\nlast = 2026-08-31\n", []string{`+2: [[term]]: last comes before first; exchange the two`}},
		"term of years":       {"[[term]]\nfirst = 2026-09-01\nlast = 2036-05-25\n", []string{`+2: [[term]]: the term is longer than a year; is the year right?`}},
		"day that is none": {"[[term]]\nfirst = \"01.09.2026\"\nlast = 2026-10-25T00:00:00\n", []string{
			`+1: [[term]]: first = "01.09.2026" is no day; write first = 2026-09-01: year, month, day`,
			`+2: [[term]]: last = "2026-10-25T00:00:00" is no day; write last = 2026-09-01: year, month, day`,
		}},
		"holiday of two sorts":   {"[[holiday]]\ndate = 2026-12-16\nlast = 2026-12-17\n", []string{`+1: [[holiday]]: date stands beside first or last; write date, or first and last`}},
		"quiet without an end":   {"[quiet]\nfrom = \"20:00\"\n", []string{`+0: [quiet]: to is missing; write from = "20:00" and to = "07:00"`}},
		"quiet without a length": {"[quiet]\nfrom = \"20:00\"\nto = \"20:00\"\n", []string{`+2: [quiet]: from and to are the same; write the hours in which nothing is said, or leave [quiet] out`}},

		"screen of both forms":         {"[[screen]]\nid = \"gym\"\n", []string{`+1: [[screen]]: the id "gym" is used already in line 8; give each screen an id of its own`}},
		"screen that lies on its side": {"[[screen]]\nid = \"s\"\nwidth = 1080\nheight = 1920\n", []string{`+0: screen "s": width = 1080 and height = 1920 are not landscape; write the width and height as they are when the screen hangs, and orientation = "portrait" where it is higher than wide`}},
		"screen with half a size": {"[[screen]]\nid = \"s\"\nwidth = 1080\norientation = \"upright\"\n", []string{
			`+2: screen "s": width stands without height; write height as well, or leave both out`,
			`+3: screen "s": orientation = "upright" is unknown; want one of landscape, portrait`,
		}},
		"slides that run":           {"[lobby]\nslide_for = \"1s\"\n", []string{`+1: [lobby]: slide_for = "1s" is out of bounds; want 3s to 10m0s`}},
		"helpline without anything": {"[[helpline]]\n" + name, []string{`+0: [[helpline]]: the helpline has neither phone nor url; write phone = "111", or url = "https://…", or both`}},
		"helpline that cannot be called": {"[[helpline]]\n" + name + "phone = \"call us\"\nurl = \"http://a.example\"\n", []string{
			`+2: [[helpline]]: phone = "call us" is no number; write it as people dial it: "111", "+7 701 000 00 00"`,
			`+3: [[helpline]]: url = "http://a.example" cannot be shown as a QR code; write the whole address with https, as in "https://111.example/chat"`,
		}},
		"helpline with a script": {"[[helpline]]\n" + name + "url = \"javascript:alert(1)\"\n", []string{
			`+2: [[helpline]]: url = "javascript:alert(1)" cannot be shown as a QR code; write the whole address with https, as in "https://111.example/chat"`,
		}},

		"display with a foreign setting": {"[[display]]\nid = \"d\"\ntype = \"max7219\"\naddress = 0x3c\nwidth = 30\nheight = 8\n", []string{
			`+3: display "d": address does not belong to type = "max7219"; leave it out`,
			`+4: display "d": a display of this type is not 30 by 8; want 8 for each matrix in the chain by 8: 32 by 8 for four of them`,
		}},
		"display without its lines": {"[[display]]\nid = \"d\"\ntype = \"epaper\"\ndc = { line = 1 }\nreset = { line = 40 }\n", []string{
			`+0: display "d": busy is missing; write busy = { line = 25 }`,
			`+3: display "d": dc: line 1 of chip "soc" is used already by button "button" in line 23 of this file; give each button, tamper switch, lamp and amplifier a line of its own`,
		}},
		"display in another's place": {"[[display]]\nid = \"d\"\ntype = \"ssd1306\"\n[[display]]\nid = \"e\"\ntype = \"ssd1306\"\ndirection = \"north\"\n", []string{
			`+3: display "e": the display in line 59 is there already; give each display a bus or an address of its own`,
			`+6: display "e": direction = "north" is unknown; want one of left, right, up, down`,
		}},
	}
	first := strings.Count(base+audible, "\n") + 1
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := Parse("f", []byte(base+audible+tt.text))
			if c != nil || err == nil {
				t.Fatalf("accepted: %+v", c)
			}
			var want []string
			for _, w := range tt.want {
				want = append(want, absolute(t, first, w))
			}
			if got, want := err.Error(), strings.Join(want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// absolute turns "+2: …" into "f:60: …".
func absolute(t *testing.T, first int, message string) string {
	t.Helper()
	offset, rest, ok := strings.Cut(strings.TrimPrefix(message, "+"), ": ")
	n, err := strconv.Atoi(offset)
	if !ok || err != nil {
		t.Fatalf("%q does not begin with a line", message)
	}
	return fmt.Sprintf("f:%d: %s", first+n, rest)
}

// Lists are as long as somebody likes; the work is not.
func TestTimetableIsBounded(t *testing.T) {
	var rules strings.Builder
	for range 30 {
		rules.WriteString("[[bell]]\nanyway = true\nat = [")
		for m := range 96 {
			fmt.Fprintf(&rules, "%q,", fmt.Sprintf("%02d:%02d", m/4, m%4*15))
		}
		rules.WriteString("]\n")
	}
	_, err := Parse("f", []byte(base+audible+rules.String()))
	if err == nil || !strings.Contains(err.Error(), "more than 2000 times in all bells and spots") || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("got %v", err)
	}
	_, err = Parse("f", []byte(base+audible+strings.Replace(rules.String(), `"00:00",`, `"00:00","00:01",`, 1)))
	if err == nil || !strings.Contains(err.Error(), "at names more than 96 times") {
		t.Errorf("got %v", err)
	}
	zones := strings.Repeat("[[zone]]\nid = \"hall\"\n", 99)
	_, err = Parse("f", []byte(base+audible+zones))
	if err == nil || !strings.Contains(err.Error(), "more than 100 zones") {
		t.Errorf("got %v", err)
	}
}
