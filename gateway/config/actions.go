package config

import "nabat/gateway/alert"

// nothing is the word for a gesture that asks for nothing.
const nothing = "none"

// actions reads what a tap and a hold of a button ask for: a level of the
// button's kind, "none", or a kind of its own with { kind = …, level = … }.
// Without a word a tap calls quietly and a hold raises the alarm.
func (w *wall) actions(s *section) (tap, hold alert.Action) {
	var kind alert.Kind
	if s.has("kind") {
		kind = readKind(s, w.site)
	} else {
		_, _ = s.get("kind")
	}
	tap, tapOK := w.action(s, "tap", kind, alert.LevelHelp)
	hold, holdOK := w.action(s, "hold", kind, alert.LevelEmergency)
	if !s.has("kind") && (tap.Level != 0 && tap.Kind == "" || hold.Level != 0 && hold.Kind == "") {
		s.report(s.line, `write kind = "intruder", "violence", "medical", "fire" or another kind`, "kind is missing")
		return tap, hold
	}
	switch {
	case !tapOK || !holdOK:
	case tap == alert.Action{} && hold == alert.Action{}:
		s.report(s.lineOf("tap"), `write tap = "help", or hold = "emergency"`, "neither tap nor hold asks for anything")
	case tap.Kind == hold.Kind && hold.Level != 0 && hold.Level < tap.Level:
		s.report(s.lineOf("hold"), `write hold = "emergency"; a hold goes up from the tap that it began as`, "hold is at a lower level than tap")
	}
	return tap, hold
}

// action reads one gesture; ok is false when something was reported.
func (w *wall) action(s *section, key string, kind alert.Kind, absent alert.Level) (a alert.Action, ok bool) {
	n, there := s.get(key)
	switch {
	case !there:
		return alert.Action{Kind: kind, Level: absent}, true
	case n.shape == shapeText && n.data == nothing:
		return alert.Action{}, true
	case n.shape == shapeText:
		level, ok := readLevel(s, key, n.data, nothing)
		return alert.Action{Kind: kind, Level: level}, ok
	case n.shape != shapeTable:
		s.wrongShape(key, n, key+` = "help", "emergency" or "none"`)
		return alert.Action{}, false
	}
	t := &section{r: s.r, n: n, line: n.line, title: s.about(key)}
	defer t.end()
	a.Kind = readKind(t, w.site)
	word, _, ok := t.required("level", `write level = "help" or "emergency"`)
	if !ok {
		return a, false
	}
	a.Level, ok = readLevel(t, "level", word)
	return a, ok && a.Kind != ""
}

// readKind reads a required kind that the site knows.
func readKind(s *section, site *alert.Site) alert.Kind {
	word, line, ok := s.required("kind", `write kind = "intruder", "violence", "medical", "fire" or another kind`)
	if !ok {
		return ""
	}
	known := knownKinds(site)
	for _, k := range known {
		if word == k {
			return alert.Kind(k)
		}
	}
	s.report(line, instead(word, known)+" A kind of your own needs a [[kind]] section", "kind = %s is unknown", quote(word))
	return ""
}

// readLevel turns a word into a level. also names other words that the place
// in the file allows.
func readLevel(s *section, key, word string, also ...string) (l alert.Level, ok bool) {
	if err := l.UnmarshalText([]byte(word)); err != nil || l == 0 {
		known := append([]string{alert.LevelHelp.String(), alert.LevelEmergency.String()}, also...)
		s.report(s.lineOf(key), instead(word, known), "%s = %s is unknown", key, quote(word))
		return 0, false
	}
	return l, true
}
