package config

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"nabat/gateway/alert"
)

// section reads one table. Every getter reports what is wrong with its key and
// then returns a harmless value, so that reading goes on to the next mistake;
// end reports the keys that no getter asked for.
type section struct {
	r     *reader
	n     *node
	line  int
	title string // what messages begin with; empty at the top of the file
	known []string
}

func (s *section) about(what string) string {
	if s.title == "" {
		return what
	}
	return s.title + ": " + what
}

// report is the reader's, with the section's title before what is wrong.
func (s *section) report(line int, remedy, format string, args ...any) {
	s.r.report(line, remedy, "%s", s.about(fmt.Sprintf(format, args...)))
}

func (s *section) has(key string) bool {
	_, ok := s.n.fields[key]
	return ok
}

// get notes that key is known here and returns its value.
func (s *section) get(key string) (*node, bool) {
	s.known = append(s.known, key)
	n, ok := s.n.fields[key]
	return n, ok
}

// lineOf returns the line of key, or of the section where the key is missing.
func (s *section) lineOf(key string) int {
	if n, ok := s.n.fields[key]; ok {
		return n.line
	}
	return s.line
}

// end reports unknown keys.
func (s *section) end() {
	for _, key := range s.n.keys {
		known := false
		for _, k := range s.known {
			known = known || k == key
		}
		if known {
			continue
		}
		remedy := instead(key, s.known)
		if _, near := nearest(key, s.known); !near && s.title != "" {
			for _, k := range topKeys() {
				if k == key {
					remedy = "it belongs at the top of the file, before the first [section]"
				}
			}
		}
		s.report(s.n.fields[key].key, remedy, "unknown key %s", quote(key))
	}
}

// topKeys are the plain keys at the top of the file, which are easily written
// below a [section] by mistake.
func topKeys() []string {
	return []string{"site", "gateway", "name", "language", "data_dir", "board", "chip", "screens"}
}

func (s *section) wrongShape(key string, n *node, want string) {
	s.report(n.line, "write "+want, "%s is %s", key, n.shape)
}

// str reads a text. ok is false when it is missing or no text.
func (s *section) str(key string) (text string, line int, ok bool) {
	n, ok := s.get(key)
	if !ok {
		return "", s.line, false
	}
	if n.shape != shapeText {
		s.wrongShape(key, n, key+` = "…", a text in quotes`)
		return "", n.line, false
	}
	return n.data, n.line, true
}

// required reads a text that must be there.
func (s *section) required(key, remedy string) (text string, line int, ok bool) {
	text, line, ok = s.str(key)
	if (ok && text == "") || !s.has(key) {
		s.report(line, remedy, "%s is missing", key)
		return "", line, false
	}
	return text, line, ok
}

// oneOf checks a text that was read against the allowed ones, and returns the
// first of them where it is wrong.
func (s *section) oneOf(key, text string, allowed ...string) string {
	for _, a := range allowed {
		if text == a {
			return text
		}
	}
	s.report(s.lineOf(key), instead(text, allowed), "%s = %s is unknown", key, quote(text))
	return allowed[0]
}

// choice reads one of a few words.
func (s *section) choice(key, absent string, allowed ...string) string {
	text, _, ok := s.str(key)
	if !ok {
		return absent
	}
	return s.oneOf(key, text, allowed...)
}

// number reads a whole number within bounds.
func (s *section) number(key string, absent, low, high int64) int64 {
	n, ok := s.get(key)
	if !ok {
		return absent
	}
	if n.shape != shapeInteger {
		s.wrongShape(key, n, fmt.Sprintf("%s = %d, a number without quotes", key, max(absent, low)))
		return absent
	}
	v, err := strconv.ParseInt(n.data, 0, 64)
	if err != nil || v < low || v > high {
		s.report(n.line, fmt.Sprintf("want %d to %d", low, high), "%s = %s is out of bounds", key, n.data)
		return absent
	}
	return v
}

// yes reads true or false.
func (s *section) yes(key string, absent bool) bool {
	n, ok := s.get(key)
	if !ok {
		return absent
	}
	if n.shape != shapeBool {
		s.wrongShape(key, n, key+" = true or "+key+" = false, without quotes")
		return absent
	}
	return n.data == "true"
}

// duration reads a time span such as "90s" or "2m".
func (s *section) duration(key string, low, high time.Duration) (d time.Duration, line int, ok bool) {
	text, line, ok := s.str(key)
	if !ok {
		return 0, line, false
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		s.report(line, `write a number with its unit: "30s", "2m", "1h30m"`, "%s = %s is not a time span", key, quote(text))
		return 0, line, false
	case d < low || d > high:
		s.report(line, fmt.Sprintf("want %v to %v", low, high), "%s = %s is out of bounds", key, quote(text))
		return 0, line, false
	}
	return d, line, true
}

// path reads an absolute path.
func (s *section) path(key string) (path string, ok bool) {
	text, line, ok := s.str(key)
	if !ok {
		return "", false
	}
	if !filepath.IsAbs(text) {
		s.report(line, "write the path from the root, as in "+quote("/etc/nabat/"+filepath.Base(text)), "%s = %s is not an absolute path", key, quote(text))
		return "", false
	}
	return filepath.Clean(text), true
}

// text reads { ru = "…", kk = "…", en = "…" }.
func (s *section) text(key string) alert.Text {
	const example = `{ ru = "…", kk = "…", en = "…" }`
	n, ok := s.get(key)
	if !ok {
		s.report(s.line, "write "+key+" = "+example, "%s is missing", key)
		return alert.Text{}
	}
	if n.shape != shapeTable {
		s.wrongShape(key, n, key+" = "+example)
		return alert.Text{}
	}
	t := &section{r: s.r, n: n, line: n.line, title: s.about(key)}
	in := func(l alert.Language, language string) string {
		text, _, _ := t.required(string(l), "write the name in "+language+" as well")
		return text
	}
	text := alert.Text{RU: in(alert.Russian, "Russian"), KK: in(alert.Kazakh, "Kazakh"), EN: in(alert.English, "English")}
	t.end()
	return text
}

// table reads a [section].
func (s *section) table(key string) (*section, bool) {
	n, ok := s.get(key)
	if !ok {
		return &section{r: s.r, n: newTable(s.line), line: s.line, title: "[" + key + "]"}, false
	}
	title := s.about(key)
	if s.title == "" {
		title = "[" + key + "]"
	}
	if n.shape != shapeTable {
		s.wrongShape(key, n, "["+key+"] on a line of its own and the settings below it")
		n = newTable(n.line)
	}
	return &section{r: s.r, n: n, line: n.line, title: title}, true
}

// tables reads a list of [[sections]].
func (s *section) tables(key string) []*section {
	n, ok := s.get(key)
	if !ok {
		return nil
	}
	header := "[[" + key + "]]"
	title := header
	if s.title != "" {
		title = s.about(key)
	}
	if n.shape == shapeTable {
		s.report(n.line, "write "+header+" with two brackets, because there can be several", "[%s] stands in single brackets", key)
		return nil
	}
	if n.shape != shapeArray {
		s.wrongShape(key, n, header+" on a line of its own and the settings below it")
		return nil
	}
	var list []*section
	for _, item := range n.items {
		if item.shape != shapeTable {
			s.report(item.line, "write "+header+" on a line of its own and the settings below it", "%s holds %s", key, item.shape)
			continue
		}
		list = append(list, &section{r: s.r, n: item, line: item.line, title: title})
	}
	return list
}

// texts reads a list of texts with their lines.
func (s *section) texts(key string) (list []*node, ok bool) {
	n, ok := s.get(key)
	if !ok {
		return nil, false
	}
	if n.shape != shapeArray {
		s.wrongShape(key, n, key+` = ["…", "…"], a list of texts`)
		return nil, false
	}
	for _, item := range n.items {
		if item.shape != shapeText {
			s.wrongShape(key, item, key+` = ["…", "…"], a list of texts`)
			continue
		}
		list = append(list, item)
	}
	return list, true
}

// quote puts a text from the file into a message: short, on one line, with
// nothing that a terminal would obey.
func quote(text string) string {
	const most = 64
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return strconv.QuoteToGraphic(strings.ToValidUTF8(text, "�"))
}
