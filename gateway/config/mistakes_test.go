package config

import (
	"errors"
	"strings"
	"testing"
)

func TestMistakes(t *testing.T) {
	const (
		ids  = "use lower-case Latin letters, digits and dashes, at most 64"
		pull = `write bias = "pull-up", or "none" for a resistor outside the chip`
	)
	tests := []struct {
		name     string
		old, new string // old is replaced once in base
		want     []string
	}{
		{"unknown key with a near one", "place = \"room\"\nkind", "plcae = \"room\"\nkind", []string{
			`f:19: button "button": place is missing; write place = "…", the id of a [[place]]`,
			`f:21: button "button": unknown key "plcae"; did you mean "place"?`,
		}},
		{"unknown key without a near one", "keep_days = 30", "compression = 9", []string{
			`f:43: [journal]: unknown key "compression"; want one of keep_days, routine_cap, ballast_mib`,
		}},
		{"unknown section", "[[lamp]]", "[[lamb]]", []string{`f:25: unknown key "lamb"; did you mean "lamp"?`}},
		{"top key below a section", "keep_days = 30", "language = \"ru\"", []string{
			`f:43: [journal]: unknown key "language"; it belongs at the top of the file, before the first [section]`,
		}},
		{"single brackets", "[[lamp]]", "[lamp]", []string{`f:25: [lamp] stands in single brackets; write [[lamp]] with two brackets, because there can be several`}},
		{"double brackets", "[journal]", "[[journal]]", []string{`f:42: journal is a list; write [journal] on a line of its own and the settings below it`}},
		{"not TOML", `board = "gpio"`, `board = gpio`, []string{`f:6: this is not TOML: unexpected character U+0067 'g' at start of value; put texts in quotes, language = "ru"; write numbers, true and false without: line = 17`}},
		{"key twice", `board = "gpio"`, `site = "other"`, []string{`f:6: this is not TOML: key site is already defined; it stands twice; keep it once, with everything that belongs to it below`}},
		{"number for a text", `language = "ru"`, `language = 1`, []string{`f:4: language is a number; write language = "…", a text in quotes`}},
		{"text for a number", "keep_days = 30", `keep_days = "30"`, []string{`f:43: [journal]: keep_days is a text; write keep_days = 90, a number without quotes`}},
		{"text for a bool", `line = 3`, "line = 3\nactive_low = \"yes\"", []string{
			`f:29: lamp "lamp": active_low is a text; write active_low = true or active_low = false, without quotes`,
		}},
		{"text for a list", `screens = ["lobby"]`, `screens = "lobby"`, []string{
			`f:32: plan for fire at emergency: screens is a text; write screens = ["…", "…"], a list of texts`,
		}},

		{"site with a slash", `"school-12"`, `"School 12/A"`, []string{`f:1: site = "School 12/A" cannot be an id; ` + ids + `: "school-12-a"`}},
		{"gateway with a wildcard", `gateway = "main"`, `gateway = "+"`, []string{`f:2: gateway = "+" cannot be an id; ` + ids}},
		{"point in Cyrillic", `id = "lamp"`, `id = "лампа"`, []string{`f:26: [[lamp]]: id = "лампа" cannot be an id; ` + ids}},
		{"site missing", `site = "school-12"`, ``, []string{`f:1: site is missing; write site = "school-12": the name of this school in topics and addresses`}},
		{"unknown language", `language = "ru"`, `language = "kz"`, []string{`f:4: language = "kz" is unknown; did you mean "kk"?`}},
		{"relative data_dir", `"/var/lib/nabat"`, `"data"`, []string{`f:5: data_dir = "data" is not an absolute path; write the path from the root, as in "/etc/nabat/data"`}},
		{"unknown board", `board = "gpio"`, `board = "gpoi"`, []string{`f:6: board = "gpoi" is unknown; did you mean "gpio"?`}},
		{"screen twice", `["lobby", "gym"]`, `["lobby", "lobby"]`, []string{`f:8: screen "lobby" is listed twice; name each screen once`}},

		{"missing translation", `name = { ru = "Класс", kk = "Сынып", en = "Room" }`, `name = { ru = "Класс", en = "" }`, []string{
			`f:15: place "room": name: kk is missing; write the name in Kazakh as well`,
			`f:15: place "room": name: en is missing; write the name in English as well`,
		}},
		{"unknown translation", `en = "Room" }`, `en = "Room", de = "Raum" }`, []string{`f:15: place "room": name: unknown key "de"; want one of ru, kk, en`}},
		{"name without languages", `name = { ru = "Зал", kk = "Зал", en = "Hall" }`, `name = "Hall"`, []string{
			`f:11: place "hall": name is a text; write name = { ru = "…", kk = "…", en = "…" }`,
		}},
		{"place twice", `id = "room"`, `id = "hall"`, []string{
			`f:13: place "hall": the id is used already in line 10; give each place an id of its own`,
			`f:21: button "button": place = "room" is not a place; want "hall"`,
			`f:27: lamp "lamp": place = "room" is not a place; want "hall"`,
		}},
		{"place in an unknown place", `in = "hall"`, `in = "hal"`, []string{`f:14: place "room": in = "hal" is not a place; did you mean "hall"?`}},
		{"place inside itself", `id = "hall"`, "id = \"hall\"\nin = \"room\"", []string{
			`f:11: place "hall": the place is inside itself: hall in room in hall; write the chain from the room outwards: room in floor, floor in building`,
			`f:15: place "room": the place is inside itself: room in hall in room; write the chain from the room outwards: room in floor, floor in building`,
		}},
		{"built-in kind made anew", `id = "earthquake"`, `id = "fire"`, []string{`f:17: kind "fire": the kind exists already in every site; leave this section out, or choose another id`}},

		{"point twice", `id = "lamp"`, `id = "button"`, []string{`f:26: lamp "button": the id is used already in line 20; give each button and lamp an id of its own`}},
		{"button in an unknown place", "place = \"room\"\nkind", "place = \"rom\"\nkind", []string{`f:21: button "button": place = "rom" is not a place; did you mean "room"?`}},
		{"line used by a lamp", "line = 3", "line = 1", []string{
			`f:28: lamp "lamp": line 1 of chip "soc" is used already by button "button" in line 23 of this file; give each button, tamper switch, lamp and amplifier a line of its own`,
		}},
		{"line used by a tamper switch", "line = 3", "line = 2\nchip = \"soc\"", []string{
			`f:28: lamp "lamp": line 2 of chip "soc" is used already by button "button"'s tamper switch in line 24 of this file; give each button, tamper switch, lamp and amplifier a line of its own`,
		}},
		{"line used by its own tamper switch", "{ line = 2 }", "{ line = 1 }", []string{
			`f:24: button "button": tamper: line 1 of chip "soc" is used already by button "button" in line 23 of this file; give each button, tamper switch, lamp and amplifier a line of its own`,
		}},
		{"line missing", "line = 3", "", []string{`f:25: lamp "lamp": line is missing; write line = 17, the offset of the line in its chip ("gpioinfo" lists them)`}},
		{"negative line", "line = 3", "line = -1", []string{`f:28: lamp "lamp": line = -1 is out of bounds; want 0 to 65535`}},
		{"chip missing", "chip = \"soc\"\nscreens", "\nscreens", []string{
			`f:23: button "button": chip is missing; write chip = "pinctrl-bcm2711", the chip's label ("gpiodetect" lists them), here or once at the top of the file`,
			`f:24: button "button": tamper: chip is missing; write chip = "pinctrl-bcm2711", the chip's label ("gpiodetect" lists them), here or once at the top of the file`,
			`f:28: lamp "lamp": chip is missing; write chip = "pinctrl-bcm2711", the chip's label ("gpiodetect" lists them), here or once at the top of the file`,
		}},
		{"unknown contact", "line = 1", "line = 1\ncontact = \"nx\"", []string{`f:24: button "button": contact = "nx" is unknown; did you mean "no"?`}},
		{"bias that hides the contact", "line = 1", "line = 1\nbias = \"pull-down\"", []string{
			`f:24: button "button": with bias = "pull-down" and active_low = true the open and the closed contact read the same; ` + pull,
		}},
		{"no button", base[strings.Index(base, "[[button]]"):strings.Index(base, "[[lamp]]")], "", []string{
			`f:1: there is no button, so nobody could call for help; write a [[button]] section`,
		}},

		{"button for an unknown kind", `kind = "intruder"`, `kind = "intuder"`, []string{
			`f:22: button "button": kind = "intuder" is unknown; did you mean "intruder"? A kind of your own needs a [[kind]] section`,
		}},
		{"button without a kind", `kind = "intruder"`, ``, []string{
			`f:19: button "button": kind is missing; write kind = "intruder", "violence", "medical", "fire" or another kind`,
		}},
		{"action for an unknown kind", "line = 1", "line = 1\nhold = { kind = \"quake\", level = \"emergency\" }", []string{
			`f:24: button "button": hold: kind = "quake" is unknown; want one of fire, intruder, violence, medical, missing-child, stranger, bullying, help, technical, earthquake A kind of your own needs a [[kind]] section`,
		}},
		{"action at an unknown level", "line = 1", "line = 1\ntap = \"alarm\"", []string{`f:24: button "button": tap = "alarm" is unknown; want one of help, emergency, none`}},
		{"hold below tap", "line = 1", "line = 1\ntap = \"emergency\"\nhold = \"help\"", []string{
			`f:25: button "button": hold is at a lower level than tap; write hold = "emergency"; a hold goes up from the tap that it began as`,
		}},
		{"dead button", "line = 1", "line = 1\ntap = \"none\"\nhold = \"none\"", []string{
			`f:24: button "button": neither tap nor hold asks for anything; write tap = "help", or hold = "emergency"`,
		}},

		{"plan for an unknown kind", `kind = "fire"`, `kind = "fier"`, []string{
			`f:30: [[plan]]: kind = "fier" is unknown; did you mean "fire"? A kind of your own needs a [[kind]] section`,
		}},
		{"plan at an unknown level", `level = "emergency"`, `level = "emergncy"`, []string{`f:31: [[plan]]: level = "emergncy" is unknown; did you mean "emergency"?`}},
		{"plan twice", "[web]", "[[plan]]\nkind = \"fire\"\nlevel = \"emergency\"\n[web]", []string{
			`f:39: plan for fire at emergency: there is one already in line 29; merge the two`,
		}},
		{"unknown screen", `screens = ["lobby"]`, `screens = ["loby"]`, []string{`f:32: plan for fire at emergency: screen "loby" is unknown; did you mean "lobby"?`}},
		{"star beside a screen", `screens = ["lobby"]`, `screens = ["lobby", "*"]`, []string{
			`f:32: plan for fire at emergency: "*" stands beside other screens; write screens = ["*"] alone, or name the screens`,
		}},
		{"quiet alert on a screen", "level = \"emergency\"\nscreens", "level = \"help\"\nscreens", []string{
			`f:32: plan for fire at help: a quiet alert is never shown on a lobby screen; leave the line out; the duty adult sees the call on the console`,
		}},
		{"bad duration", `after = "30s"`, `after = "30"`, []string{
			`f:34: plan for fire at emergency: escalation: after = "30" is not a time span; write a number with its unit: "30s", "2m", "1h30m"`,
		}},
		{"negative duration", `after = "30s"`, `after = "-30s"`, []string{`f:34: plan for fire at emergency: escalation: after = "-30s" is out of bounds; want 0s to 24h0m0s`}},
		{"escalation out of order", `after = "1m"`, `after = "30s"`, []string{
			`f:37: plan for fire at emergency: escalation: after = 30s does not come later than the step before it (30s); list the steps in the order in which they come due; each counts from the press`,
		}},
		{"escalation downwards", `to = "head"`, `level = "help"`, []string{
			`f:35: plan for fire at emergency: escalation: the step goes down from emergency to help; leave the line out; an alert never goes down by itself`,
		}},
		{"escalation that does nothing", `to = "head"`, ``, []string{
			`f:33: plan for fire at emergency: escalation: the step does nothing; write to = "head", or level = "emergency", or both`,
		}},

		{"PIN missing", "pin = ", "#pin = ", []string{`f:39: [web]: pin is missing; "nabat config pin" asks for a PIN and prints the line to put here`}},
		{"web missing", base[strings.Index(base, "[web]"):strings.Index(base, "[journal]")], "", []string{
			`f:1: [web]: pin is missing; "nabat config pin" asks for a PIN and prints the line to put here`,
		}},
		{"PIN in the clear", exampleHash, "271828", []string{
			`f:41: [web]: pin is not a hash that can be checked (PIN hash: want $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH); "nabat config pin" asks for a PIN and prints the line to put here`,
		}},
		{"bad listen address", `":8080"`, `"8080"`, []string{`f:40: [web]: listen = "8080" is not an address; write host:port, as in "127.0.0.1:8080", or ":8080" for every address`}},
		{"host with a port", "[journal]", "hosts = [\"alarm.school.kz:8443\"]\n[journal]", []string{`f:42: [web]: hosts: "alarm.school.kz:8443" is not a host name; write a name without port, as in "alarm.school.kz"`}},
		{"certificate without key", "[journal]", "tls_cert = \"/a\"\n[journal]", []string{`f:42: [web]: tls_cert stands without tls_key; write tls_key = "…" as well, or leave both out`}},
		{"negative days", "keep_days = 30", "keep_days = -1", []string{`f:43: [journal]: keep_days = -1 is out of bounds; want 1 to 36500`}},
		{"negative cap", "keep_days = 30", "routine_cap = -1", []string{`f:43: [journal]: routine_cap = -1 is out of bounds; want 0 to 100000000`}},
		{"negative ballast", "keep_days = 30", "ballast_mib = -8", []string{`f:43: [journal]: ballast_mib = -8 is out of bounds; want 0 to 1024`}},

		{"bad url", `"mqtts://dispatch.example"`, `"dispatch.example"`, []string{`f:45: [mqtt]: url is not the address of a broker; write url = "mqtts://dispatch.example:8883"`}},
		{"bad port", `"mqtts://dispatch.example"`, `"mqtts://dispatch.example:99999"`, []string{`f:45: [mqtt]: url has the port "99999"; want a port of 1 to 65535`}},
		{"unknown scheme", `"mqtts://dispatch.example"`, `"https://dispatch.example"`, []string{`f:45: [mqtt]: url begins with "https"; want one of mqtts, mqtt`}},
		{"password in the url", `"mqtts://dispatch.example"`, `"mqtts://u:hunter2@dispatch.example"`, []string{`f:45: [mqtt]: url contains a user or password; use username and password_file`}},
		{"plain text to another machine", `"mqtts://dispatch.example"`, `"mqtt://10.0.0.7"`, []string{
			`f:45: [mqtt]: the link to "10.0.0.7" would not be encrypted; write "mqtts://…", or allow_plain = true if the network itself is protected`,
		}},
		{"certificates on a plain link", `"mqtts://dispatch.example"`, "\"mqtt://localhost\"\nca = \"/ca\"", []string{
			`f:45: [mqtt]: certificates are given but the link is not encrypted; write "mqtts://…", or leave ca, cert and key out`,
		}},
		{"user without password", "[mqtt]", "[mqtt]\nusername = \"u\"", []string{
			`f:45: [mqtt]: username stands without password_file; write password_file = "/etc/nabat/mqtt-password": the password does not belong in this file`,
		}},
		{"password without user", "[mqtt]", "[mqtt]\npassword_file = \"/p\"", []string{
			`f:45: [mqtt]: password_file stands without username; write username = "…" as well, or leave both out`,
		}},
		{"client id with a wildcard", "[mqtt]", "[mqtt]\nclient_id = \"a/#\"", []string{
			`f:45: [mqtt]: client_id = "a/#" cannot be sent; leave the line out, or use letters, digits and dashes`,
		}},
		{"role that nobody has", `to = "head"`, `to = "haed"`, []string{
			`f:35: plan for fire at emergency: escalation: to = "haed": nobody has this role; did you mean "head"? A word of your own needs a [[contact]] with that role`,
		}},
		{"role without any near one", `to = "head"`, `to = "district"`, []string{
			`f:35: plan for fire at emergency: escalation: to = "district": nobody has this role; want one of duty, head, dispatch, second-channel A word of your own needs a [[contact]] with that role`,
		}},
		{"contact without anything", "[journal]", "[[contact]]\n[journal]", []string{
			`f:42: [[contact]]: id is missing; write id = "duty-1"`,
			`f:42: [[contact]]: role is missing; write role = "duty", "head", "dispatch", "second-channel" or a word of your own that an escalation step asks by`,
			`f:42: [[contact]]: phone is missing; write phone = "+77010000000", in the international form`,
		}},
		{"phone without the country", "[journal]", "[[contact]]\nid = \"a\"\nrole = \"head\"\nphone = \"87010000001\"\n[journal]", []string{
			`f:45: contact "a": phone is not a number in the international form; write "+", the country's code and the number, digits only, as in "+77010000000"`,
		}},
		{"contact twice", "[journal]", "contact = [{id = \"a\", role = \"head\", phone = \"+77010000001\"},\n{id = \"a\", role = \"head\", phone = \"+77010000001\", language = \"de\"}]\n[journal]", []string{
			`f:42: [web]: unknown key "contact"; want one of listen, tls_cert, tls_key, metrics_token_file, hosts, pin`,
		}},
		{"same contact again", "[[plan]]", "[[contact]]\nid = \"a\"\nrole = \"head\"\nphone = \"+77010000001\"\n[[contact]]\nid = \"a\"\nrole = \"head\"\nphone = \"+77010000001\"\nlanguage = \"de\"\n[[plan]]", []string{
			`f:34: [[contact]]: the id "a" is used already in line 30; give each contact an id of its own`,
			`f:36: [[contact]]: the number has the role "head" already in line 32; leave one of the two out`,
			`f:37: [[contact]]: language = "de" is unknown; want one of ru, kk, en`,
		}},
		{"modem without device", "[journal]", "[sms]\nbaud = 1\n[journal]", []string{
			`f:42: [sms]: device is missing; write device = "/dev/ttyUSB0", or the modem's name below /dev/serial/by-id`,
			`f:42: [sms]: there is nobody to send a message to; write a [[contact]] section, or enabled = false`,
			`f:43: [sms]: baud = 1 is out of bounds; want 1200 to 4000000`,
		}},
		{"central without url and credentials", "[mqtt]", "[central]\n[mqtt]", []string{
			`f:44: [central]: url is missing; write url = "https://dispatch.example:8443"`,
			`f:44: [central]: neither token_file nor cert says who this gateway is; write token_file = "/etc/nabat/central-token", or cert and key`,
		}},
		{"central in plain text", "[mqtt]", "[central]\nurl = \"http://dispatch.example\"\ntoken_file = \"/t\"\n[mqtt]", []string{
			`f:45: [central]: the link to "dispatch.example" would not be encrypted; write "https://…"; plain text is allowed to this machine only`,
		}},
		{"central with a password", "[mqtt]", "[central]\nurl = \"https://u:hunter2@dispatch.example\"\ntoken_file = \"/t\"\n[mqtt]", []string{
			`f:45: [central]: url contains a user or password; use token_file`,
		}},
		{"central with a question", "[mqtt]", "[central]\nurl = \"https://dispatch.example/?a=b\"\ntoken_file = \"/t\"\nserver_name = \"a b\"\n[mqtt]", []string{
			`f:45: [central]: url has something after the path; write url = "https://dispatch.example:8443"`,
			`f:47: [central]: server_name = "a b" is not a host name; write the name in the service's certificate, as in "dispatch.example", or leave the line out`,
		}},
		{"certificate on plain loopback", "[mqtt]", "[central]\nurl = \"http://localhost:8080\"\ncert = \"/c\"\nkey = \"/k\"\n[mqtt]", []string{
			`f:45: [central]: certificates are given but the link is not encrypted; write "https://…", or leave ca, cert, key and server_name out`,
		}},
		{"keys of commands", "[mqtt]", "[[command_key]]\nid = \"a b\"\npublic = \"AAAA\"\n[[command_key]]\nid = \"k\"\n[[command_key]]\nid = \"k\"\npublic = \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"\n[mqtt]", []string{
			`f:45: [[command_key]]: id = "a b" cannot be the id of a key; use Latin letters, digits, dashes, dots and underscores, at most 64`,
			`f:46: [[command_key]]: public is not a key: want base64 of 32 bytes; "nabat-dispatch keys" prints the lines to put here`,
			`f:47: command key "k": public is missing; "nabat-dispatch keys" prints the lines to put here`,
			`f:50: [[command_key]]: the id "k" is used already in line 48; leave one of the two out, or give the new key an id of its own`,
		}},
		{"url missing", `url = "mqtts://dispatch.example"`, "", []string{`f:44: [mqtt]: url is missing; write url = "mqtts://dispatch.example:8883"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(base, tt.old) {
				t.Fatalf("base has no %q", tt.old)
			}
			c, err := Parse("f", []byte(strings.Replace(base, tt.old, tt.new, 1)))
			if c != nil || err == nil {
				t.Fatalf("accepted: %+v", c)
			}
			if got, want := err.Error(), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestNotMistakes(t *testing.T) {
	tests := map[string]struct{ old, new string }{
		"plain text to this machine":        {`"mqtts://dispatch.example"`, `"mqtt://[::1]:1883"`},
		"plain text to this machine's name": {`"mqtts://dispatch.example"`, `"tcp://localhost"`},
		"plain text that was asked for":     {`"mqtts://dispatch.example"`, "\"mqtt://10.0.0.7\"\nallow_plain = true"},
		"disabled link without a url":       {`url = "mqtts://dispatch.example"`, "enabled = false"},
		"no link":                           {"[mqtt]\nurl = \"mqtts://dispatch.example\"\n", ""},
		"simulated board without lines":     {"board = \"gpio\"\nchip = \"soc\"", "board = \"sim\"\n"},
		"same line of another chip":         {"line = 3", "line = 1\nchip = \"other\""},
		"hold only":                         {"line = 1", "line = 1\ntap = \"none\""},
		"own kind":                          {`kind = "intruder"`, `kind = "earthquake"`},
		"no screens for a plan":             {`screens = ["lobby"]`, `screens = []`},
		"numbers with bases and groups":     {"line = 3", "line = 0x1_0"},
		"pull-down with active_low = false": {"line = 1", "line = 1\nactive_low = false"},
		"a step at once":                    {`after = "30s"`, `after = "0s"`},
		"a broker without dispatch":         {"[mqtt]", "[mqtt]\nreceipts = false"},
		"central on this machine":           {"[mqtt]", "[central]\nurl = \"http://127.0.0.1:8443/\"\ntoken_file = \"/t\"\n[mqtt]"},
		"central that is switched off":      {"[mqtt]", "[central]\nenabled = false\n[mqtt]"},
		"a key in the other alphabet":       {"[mqtt]", "[[command_key]]\nid = \"K.1_a\"\npublic = \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"\n[mqtt]"},
		"a role of the site's own":          {`to = "head"`, "to = \"district\"\n[[contact]]\nid = \"d\"\nrole = \"district\"\nphone = \"+77010000001\""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(base, tt.old) {
				t.Fatalf("base has no %q", tt.old)
			}
			if _, err := Parse("f", []byte(strings.Replace(base, tt.old, tt.new, 1))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	wrong := base
	for _, r := range [][2]string{
		{`language = "ru"`, `language = "xx"`},
		{"line = 3", "line = 1"},
		{`kind = "fire"`, `kind = "fier"`},
		{"keep_days = 30", "keep_days = -1"},
		{"mqtts://", "mqtt://"},
	} {
		wrong = strings.Replace(wrong, r[0], r[1], 1)
	}
	_, err := Parse("f", []byte(wrong))
	var all Errors
	if !errors.As(err, &all) {
		t.Fatalf("got %v", err)
	}
	var lines []int
	for _, p := range all {
		lines = append(lines, p.Line)
	}
	if len(lines) != 5 || lines[0] != 4 || lines[1] != 28 || lines[2] != 30 || lines[3] != 43 || lines[4] != 45 {
		t.Errorf("lines %v in\n%v", lines, err)
	}
	var one Problem
	if !errors.As(err, &one) || one.Line != 4 {
		t.Errorf("errors.As found %+v", one)
	}
}
