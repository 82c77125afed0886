package config

import (
	"net/url"
	"strings"
	"time"

	"nabat/gateway/alert"
)

// announcements reads [announcements], and the timetable around it.
func (r *reader) announcements(top *section, c *Config) Announcements {
	s, _ := top.table("announcements")
	var a Announcements
	c.Site.Spoken = s.languages("languages")
	a.Voices = s.perLanguage("voices", `{ kk = "kk" }`, voice)
	a.Synthesiser, _ = s.path("synthesiser")
	a.Cache, _ = s.path("cache")
	a.Calendar, _ = s.path("calendar")
	s.end()
	a.Timetable = r.timetable(top, c)
	return a
}

// voice checks the name of a voice. It becomes an argument of a program, and
// must not look like one of its options.
func voice(s *section, key string) {
	name := s.n.fields[key].data
	odd := strings.ContainsFunc(name, func(c rune) bool {
		return !idLetter(c) && (c < 'A' || c > 'Z') && !strings.ContainsRune("_+.", c)
	})
	const most = 64
	if name == "" || odd || len(name) > most || strings.HasPrefix(name, "-") {
		s.report(s.lineOf(key), `write a name that "espeak-ng --voices" lists, as in "ru" or "en-gb"`, "%s = %s is no name of a voice", key, quote(name))
	}
}

// lobby reads [lobby].
func (r *reader) lobby(top *section) Lobby {
	s, _ := top.table("lobby")
	l := Lobby{SlideFor: 15 * time.Second}
	l.Slides, _ = s.path("slides")
	if d, _, ok := s.duration("slide_for", 3*time.Second, 10*time.Minute); ok {
		l.SlideFor = d
	}
	s.end()
	return l
}

// helplines reads every [[helpline]].
func (r *reader) helplines(top *section) []alert.Helpline {
	var list []alert.Helpline
	for _, s := range top.tables("helpline") {
		h := alert.Helpline{Name: s.text("name")}
		if phone, line, ok := s.str("phone"); ok {
			h.Phone = s.dialled(phone, line)
		}
		if text, line, ok := s.str("url"); ok {
			h.URL = s.address(text, line)
		}
		if !s.has("phone") && !s.has("url") {
			s.report(s.line, `write phone = "111", or url = "https://…", or both`, "the helpline has neither phone nor url")
		}
		s.end()
		list = append(list, h)
	}
	return list
}

// dialled checks a number as people dial it: short ones as well, and with
// spaces, dashes and brackets.
func (s *section) dialled(text string, line int) string {
	digits := 0
	odd := strings.ContainsFunc(text, func(c rune) bool {
		if c >= '0' && c <= '9' {
			digits++
			return false
		}
		return !strings.ContainsRune(" -()+*#", c)
	})
	const fewest, most = 2, 15
	if odd || digits < fewest || digits > most || strings.LastIndex(text, "+") > 0 || len(text) > 2*most {
		s.report(line, `write it as people dial it: "111", "+7 701 000 00 00"`, "phone = %s is no number", quote(text))
		return ""
	}
	return text
}

// address checks what becomes a QR code: a child's telephone opens it.
func (s *section) address(text string, line int) string {
	const most = 300 // letters that a QR code on a screen still carries
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Hostname() == "" || !validHost(u.Hostname()) || len(text) > most {
		s.report(line, `write the whole address with https, as in "https://111.example/chat"`, "url = %s cannot be shown as a QR code", quote(text))
		return ""
	}
	return text
}
