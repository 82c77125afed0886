package config

import (
	"fmt"
	"strings"
)

// maxID keeps topics and file names short.
const maxID = 64

// id reads a required id and reports one that topics, addresses and conditions
// could not carry: only lower-case Latin letters, digits and single dashes
// between them are allowed, because "/", "+" and "#" have a meaning in topics
// and the rest needs escaping somewhere.
func (s *section) id(key, remedy string) string {
	text, line, ok := s.required(key, remedy)
	if !ok {
		return ""
	}
	return s.checkID(key, text, line)
}

// idOr reads an id that may be left out.
func (s *section) idOr(key, absent string) string {
	if !s.has(key) {
		_, _ = s.get(key)
		return absent
	}
	return s.id(key, "leave the line out for "+quote(absent))
}

func (s *section) checkID(key, text string, line int) string {
	if validID(text) {
		return text
	}
	remedy := fmt.Sprintf("use lower-case Latin letters, digits and dashes, at most %d", maxID)
	if better := tidyID(text); validID(better) {
		remedy += ": " + quote(better)
	}
	s.report(line, remedy, "%s = %s cannot be an id", key, quote(text))
	return ""
}

func validID(text string) bool {
	if text == "" || len(text) > maxID || strings.HasPrefix(text, "-") || strings.HasSuffix(text, "-") || strings.Contains(text, "--") {
		return false
	}
	for _, c := range text {
		if !idLetter(c) {
			return false
		}
	}
	return true
}

func idLetter(c rune) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }

// tidyID makes a proposal out of what was written.
func tidyID(text string) string {
	parts := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return !idLetter(c) || c == '-' })
	return strings.Join(parts, "-")
}
