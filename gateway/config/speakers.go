package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"nabat/gateway/alert"
)

// amplifiers reads every [[amplifier]]. Its line belongs to the wall.
func (w *wall) amplifiers(top *section) []Amplifier {
	// A loudspeaker has three seconds to be opened in, its amplifier included:
	// nobody who is called to leave a building should wait longer for a voice
	// (EN 54-16, 7.1.1). What takes longer to warm up has to stay on.
	const longestLead, longestTail = 2 * time.Second, 10 * time.Second
	var list []Amplifier
	lines := map[string]int{}
	for _, s := range top.tables("amplifier") {
		a := Amplifier{ID: s.id("id", `write id = "hall-amplifier"`), Lead: 300 * time.Millisecond, Tail: 500 * time.Millisecond}
		fresh := s.unique("amplifier", a.ID, lines)
		a.Line = w.line(s, s.title)
		a.ActiveLow = s.yes("active_low", false)
		if d, _, ok := s.duration("lead", 0, longestLead); ok {
			a.Lead = d
		}
		if d, _, ok := s.duration("tail", 0, longestTail); ok {
			a.Tail = d
		}
		s.end()
		if fresh {
			list = append(list, a)
		}
	}
	return list
}

// speakers reads every [[speaker]].
func (r *reader) speakers(top *section, site *alert.Site, amplifiers []Amplifier) []Speaker {
	var known []string
	for _, a := range amplifiers {
		known = append(known, a.ID)
	}
	var list []Speaker
	ids, outputs := map[string]int{}, map[string]int{}
	for _, s := range top.tables("speaker") {
		sp := Speaker{ID: s.id("id", `write id = "hall"`)}
		fresh := s.unique("speaker", sp.ID, ids)
		sp.Zones = r.heard(s, site)
		output := s.output(&sp)
		if first, twice := outputs[output]; output != "" && twice {
			s.report(s.line, "give one loudspeaker several zones instead", "the speaker in line %d has the same output", first)
		} else {
			outputs[output] = s.line
		}
		const quietest = -40
		sp.Gain = s.decimal("gain", 0, quietest, 0)
		sp.EmergencyGain = s.decimal("emergency_gain", 0, quietest, 0)
		if id, line, ok := s.str("amplifier"); ok {
			sp.Amplifier = id
			switch {
			case len(known) == 0:
				s.report(line, "write an [[amplifier]] section with this id", "amplifier = %s is unknown", quote(id))
			default:
				sp.Amplifier = s.oneOf("amplifier", id, known...)
			}
		}
		s.end()
		if fresh {
			list = append(list, sp)
		}
	}
	return list
}

// heard reads the zones of a loudspeaker. With one zone only there is nothing
// to say.
func (r *reader) heard(s *section, site *alert.Site) []string {
	c := zoneChoices(site, true)
	zones := s.pick("zones", c)
	switch {
	case !s.has("zones") && len(c.known) == 1:
		return c.known
	case !s.has("zones"):
		s.report(s.line, `write zones = ["`+c.known[0]+`"], or zones = ["*"] for all`, "zones is missing")
	case s.n.fields["zones"].shape == shapeArray && len(s.n.fields["zones"].items) == 0:
		r.warn(s.lineOf("zones"), `name a zone, or write zones = ["*"] for all`, "%s", s.about("it is in no zone, so that it never sounds"))
	case len(zones) == 1 && zones[0] == alert.Everywhere:
		return c.known
	}
	return zones
}

// output reads what belongs to the type of a loudspeaker, and returns a word
// for where its sound goes.
func (s *section) output(sp *Speaker) string {
	word, _, ok := s.required("type", `write type = "alsa", "pulse", "rtp" or "sip"`)
	if ok {
		sp.Type = SpeakerType(s.oneOf("type", word, string(SpeakerALSA), string(SpeakerPulse), string(SpeakerRTP), string(SpeakerSIP)))
	}
	sp.Device, _, _ = s.str("device")
	sp.Server, _, _ = s.str("server")
	rtp, hasRTP := s.table("rtp")
	sip, hasSIP := s.table("sip")
	if sp.Type == "" {
		return ""
	}
	if key, owner := s.foreign(sp.Type); key != "" {
		s.report(s.lineOf(key), `leave it out, or write type = "`+string(owner)+`"`, "%s does not belong to type = %s", key, quote(string(sp.Type)))
		return ""
	}
	if !s.outputName("device", sp.Device) || !s.outputName("server", sp.Server) {
		return ""
	}
	switch sp.Type {
	case SpeakerALSA, SpeakerPulse:
		return string(sp.Type) + " " + sp.Server + " " + sp.Device
	case SpeakerRTP:
		if !hasRTP {
			s.report(s.line, `write rtp = { group = "239.0.0.1:5004" }`, "rtp is missing")
			return ""
		}
		sp.RTP = rtp.rtp()
		return string(sp.Type) + " " + sp.RTP.Group
	case SpeakerSIP:
		if !hasSIP {
			s.report(s.line, `write sip = { uri = "sip:500@10.0.0.9" }`, "sip is missing")
			return ""
		}
		sp.SIP = sip.sip()
		return string(sp.Type) + " " + sp.SIP.URI
	}
	return ""
}

// foreign returns the first key that only speakers of another type have.
func (s *section) foreign(t SpeakerType) (key string, owner SpeakerType) {
	switch {
	case s.has("server") && t != SpeakerPulse:
		return "server", SpeakerPulse
	case s.has("device") && t != SpeakerPulse && t != SpeakerALSA:
		return "device", SpeakerALSA
	case s.has("rtp") && t != SpeakerRTP:
		return "rtp", SpeakerRTP
	case s.has("sip") && t != SpeakerSIP:
		return "sip", SpeakerSIP
	}
	return "", ""
}

// outputName checks what becomes an argument of a program: it must not look
// like an option, and holds no spaces or control characters.
func (s *section) outputName(key, text string) bool {
	const most = 256
	odd := strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f })
	if !odd && !strings.HasPrefix(text, "-") && len(text) <= most {
		return true
	}
	s.report(s.lineOf(key), `"aplay -L" lists devices, "pactl list short sinks" lists sinks`, "%s = %s is no name of an output", key, quote(text))
	return false
}

// rtp reads where a multicast group is.
func (s *section) rtp() RTP {
	defer s.end()
	var r RTP
	if word, _, ok := s.str("preset"); ok {
		if got := s.oneOf("preset", word, "algo", "cyberdata", "snom", "yealink"); got == word {
			r.Preset = word // a wrong one must not bring another maker's rules
		}
	}
	r.Group = s.group("group", r.Preset)
	if !s.has("group") && r.Preset != "algo" {
		s.report(s.line, `write group = "239.0.0.1:5004", as the loudspeaker's own settings say`, "group is missing")
	}
	r.Emergency = s.group("emergency", r.Preset)
	r.Interface = s.networkInterface("interface")
	r.TTL = int(s.number("ttl", 1, 1, 255))
	if r.DSCP = int(s.number("dscp", 46, 0, 63)); r.DSCP == 0 {
		r.DSCP = -1
	}
	return r
}

// group checks an address of IP loudspeakers. Each maker has ports of its own.
func (s *section) group(key, preset string) string {
	text, line, ok := s.str(key)
	if !ok {
		return ""
	}
	addr, err := netip.ParseAddrPort(text)
	remedy := `write an IPv4 address and a port, as in "239.0.0.1:5004"`
	if err != nil || !addr.Addr().Is4() || addr.Port() < 1024 || addr.Addr().IsUnspecified() {
		s.report(line, remedy, "%s = %s is no address of loudspeakers", key, quote(text))
		return ""
	}
	four := addr.Addr().As4()
	switch {
	case preset != "" && !addr.Addr().IsMulticast():
		s.report(line, "choose one from 224.0.1.0 to 239.255.255.255, or leave the preset out for a single device", "%s = %s is no multicast address", key, quote(text))
	case four[0] == 224 && four[1] == 0 && four[2] == 0:
		s.report(line, "choose an address from 239.0.0.0 on", "%s = %s belongs to the routers", key, quote(text))
	case preset == "algo" && (addr.Port() < 50000 || addr.Port() > 50008):
		s.report(line, "leave the preset out if the loudspeakers have other ones", "%s = %s: the zones of Algo are the ports 50000 to 50008", key, quote(text))
	case preset == "cyberdata" && (addr.Port() < 2000 || addr.Port()%2 != 0):
		s.report(line, "choose an even one from 2000 on", "%s = %s: loudspeakers of CyberData do not take this port", key, quote(text))
	}
	return text
}

// networkInterface checks a name that the kernel could have for an interface.
func (s *section) networkInterface(key string) string {
	text, line, ok := s.str(key)
	const most = 15
	if ok && (text == "" || len(text) > most || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' || c == '/' })) {
		s.report(line, `write its name, as in "eth0" ("ip link" lists them)`, "%s = %s is no network interface", key, quote(text))
		return ""
	}
	return text
}

// sip reads whom to call.
func (s *section) sip() SIP {
	defer s.end()
	var p SIP
	if uri, line, ok := s.required("uri", `write uri = "sip:500@10.0.0.9"`); ok {
		p.URI = s.sipURI("uri", uri, line)
	}
	if from, line, ok := s.str("from"); ok {
		p.From = s.sipURI("from", from, line)
	}
	p.Username, _, _ = s.str("username")
	p.PasswordFile, _ = s.path("password_file")
	switch {
	case s.has("username") && !s.has("password_file"):
		s.report(s.lineOf("username"), `write password_file = "/etc/nabat/sip-password": the password does not belong in this file`, "username stands without password_file")
	case s.has("password_file") && !s.has("username"):
		s.report(s.lineOf("password_file"), `write username = "…" as well, or leave both out`, "password_file stands without username")
	}
	p.Transport = s.choice("transport", "udp", "udp", "tcp", "tls")
	p.Interface = s.networkInterface("interface")
	return p
}

// sipURI checks sip:USER@HOST or sip:USER@HOST:PORT. A password in it would be
// shown, so that no message repeats the address.
func (s *section) sipURI(key, text string, line int) string {
	rest, scheme := strings.CutPrefix(text, "sip:")
	user, host, at := strings.Cut(rest, "@")
	if h, port, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			at = false
		}
		host = h
	}
	odd := strings.ContainsFunc(user, func(c rune) bool { return !idLetter(c) && (c < 'A' || c > 'Z') && !strings.ContainsRune("_.+*#", c) })
	if !scheme || !at || odd || user == "" || host == "" || !validHost(host) || len(text) > 256 {
		s.report(line, `write it as in "sip:500@10.0.0.9", without a password`, "%s is no address of a telephone", key)
		return ""
	}
	return text
}
