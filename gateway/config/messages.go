package config

import (
	"slices"
	"unicode/utf8"

	"nabat/gateway/alert"
)

// maxWords bounds what is said at once, in letters: a minute or so.
const maxWords = 1000

// messages reads every [[message]].
func (r *reader) messages(top *section) []alert.Message {
	var list []alert.Message
	lines := map[string]int{}
	for _, s := range top.tables("message") {
		m := alert.Message{ID: s.id("id", `write id = "safety-lesson"`)}
		fresh := s.unique("message", m.ID, lines)
		m.Silent = s.yes("silent", false)
		if m.Silent {
			m.Text = s.optionalText("text")
		} else {
			m.Text = s.text("text")
		}
		s.words("text", m.Text)
		m.Priority = s.priority("priority", alert.PriorityNotice)
		m.Chime = s.chime("chime")
		m.Recorded = s.perLanguage("recorded", `{ ru = "/var/lib/nabat/voice/ru.wav" }`, func(t *section, l string) { _, _ = t.path(l) })
		switch {
		case m.Silent && m.Chime == alert.ChimeNone:
			s.report(s.lineOf("chime"), `write another chime, or leave "silent" out`, "a silent message without a chime is not heard at all")
		case m.Silent && len(m.Recorded) > 0:
			s.report(s.lineOf("recorded"), `leave "silent" or "recorded" out`, "a silent message has recorded words")
		}
		s.end()
		if fresh {
			list = append(list, m)
		}
	}
	return list
}

// words reports a text that is too long to be said.
func (s *section) words(key string, t alert.Text) {
	for _, text := range []string{t.RU, t.KK, t.EN} {
		if n := utf8.RuneCountInString(text); n > maxWords {
			s.report(s.lineOf(key), "say the most important things only", "%s has %d letters, more than %d", key, n, maxWords)
			return
		}
	}
}

func (s *section) priority(key string, absent alert.Priority) alert.Priority {
	word, line, ok := s.str(key)
	if !ok {
		return absent
	}
	var known []string
	for _, p := range alert.Priorities() {
		if p.String() == word {
			return p
		}
		known = append(known, p.String())
	}
	s.report(line, instead(word, known), "%s = %s is unknown", key, quote(word))
	return absent
}

// chime reads the name of a chime; empty where it is missing.
func (s *section) chime(key string) alert.Chime {
	word, line, ok := s.str(key)
	if !ok {
		return ""
	}
	var known []string
	for _, c := range alert.Chimes() {
		known = append(known, string(c))
	}
	if !slices.Contains(known, word) {
		s.report(line, instead(word, known), "%s = %s is unknown", key, quote(word))
		return ""
	}
	return alert.Chime(word)
}

// message reads the id of a message, or nothing.
func (s *section) message(key string, site *alert.Site) (m alert.Message, ok bool) {
	id, line, ok := s.str(key)
	if !ok {
		return alert.Message{}, false
	}
	m, ok = site.Message(id)
	if !ok {
		var known []string
		for _, m := range site.Messages {
			known = append(known, m.ID)
		}
		remedy := instead(id, known)
		if len(known) == 0 {
			remedy = "write a [[message]] section with this id"
		}
		s.report(line, remedy, "%s = %s is no message", key, quote(id))
	}
	return m, ok
}
