package config

import (
	"bytes"
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// notTOML is the first mistake in the syntax of a file, with the remedy for
// those that people make.
func notTOML(file []byte, err error) *Problem {
	p := &Problem{Line: 1, What: "this is not TOML: " + strings.TrimPrefix(err.Error(), "toml: ")}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		p.Line, _ = at.Position()
	}
	p.Remedy = remedy(file, p.Line, strings.ToLower(p.What))
	return p
}

// remedy says what to write instead. The parser tells what it stumbled over, and
// the line what was meant.
func remedy(file []byte, number int, what string) string {
	const bracketed = `close the bracket: [name] for a section that stands once, [[name]] for one that may come again`
	line := ""
	if lines := bytes.Split(file, []byte("\n")); number >= 1 && number <= len(lines) {
		line, _, _ = strings.Cut(strings.TrimSpace(string(lines[number-1])), "#")
	}
	said := func(words string) bool { return strings.Contains(what, words) }
	switch {
	case bytes.HasPrefix(file, []byte("\xff\xfe")), bytes.HasPrefix(file, []byte("\xfe\xff")), said("utf-8"):
		return "save the file as plain text in UTF-8"
	case strings.ContainsAny(line, "“”„«»‘’"):
		return `use the straight quotes of the keyboard: "…"`
	case said("as an array of tables"):
		return "write the name in two brackets, [[…]], here as well"
	case said("already exists"), said("already defined"):
		return "it stands twice; keep it once, with everything that belongs to it below"
	case strings.HasPrefix(line, "["):
		return bracketed
	case strings.Contains(line, "//"):
		return "a remark begins with #"
	case said("expected '=' after key"):
		return `write name = value, with an equals sign: phone = "111"`
	case said("expected ',' or"):
		return `put a comma between the entries, and close the bracket: at = ["08:30", "09:25"], name = { ru = "…", kk = "…", en = "…" }`
	case said("start of key"):
		return "begin the line with a setting's name in Latin letters, a [section], or # for a remark"
	case said("escape sequence"):
		return `write \\ where the text has one \`
	case said("dates are expected"), said("leading zero"):
		return "write a day as 2026-09-01, and a time of day in quotes"
	case said("unterminated"), said("cannot have new lines"):
		return `end the text with a quote, in the same line: "…"`
	case said("expected newline"):
		return "put one setting in a line, and nothing after its value"
	}
	return `put texts in quotes, language = "ru"; write numbers, true and false without: line = 17`
}
