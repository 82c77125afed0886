package config

import (
	"strings"
	"testing"
)

// What people do to a file by hand is answered by what to write instead.
func TestSyntaxHasARemedy(t *testing.T) {
	for text, want := range map[string]string{
		"phone = “111”\n":                         "straight quotes",
		"name = «Школа»\n":                        "straight quotes",
		"phone: 111\n":                            "equals sign",
		"language \"ru\"\n":                       "equals sign",
		"language = ru\n":                         "put texts in quotes",
		"watched = да\n":                          "put texts in quotes",
		"name = \"Школа\n":                        "end the text with a quote",
		"name = 'Школа\n":                         "end the text with a quote",
		"at = [\"08:30\" \"09:25\"]\n":            "comma between",
		"at = [\"08:30\",\n \"09:25\"\nb = 1\n":   "comma between",
		"name = { ru = \"a\" kk = \"b\" }\n":      "comma between",
		"first = 01.09.2026\n":                    "write a day as 2026-09-01",
		"first = 2026-9-1\n":                      "write a day as 2026-09-01",
		"[[bell]\nat = \"08:30\"\n":               "close the bracket",
		"[web\n":                                  "close the bracket",
		"[[bell]]\n[bell]\n":                      "two brackets",
		"[lobby]\n[web]\n[lobby]\n":               "stands twice",
		"id = \"a\"\nid = \"b\"\n":                "stands twice",
		"// a remark\n":                           "begins with #",
		"id = \"a\" // a remark\n":                "begins with #",
		"id = \"a\", phone = \"1\"\n":             "one setting in a line",
		"имя = \"Школа\"\n":                       "Latin letters",
		"slides = \"C:\\Users\\slides\"\n":        `write \\`,
		"name = \"\xd8\xea\xee\xeb\xe0\"\n":       "UTF-8",
		"\xff\xfes\x00i\x00t\x00e\x00":            "UTF-8",
		"slide_for = 15s\n":                       "put texts in quotes",
		"id = \"a\" # the first\nphone = “111”\n": "straight quotes",
	} {
		_, p := parseDocument([]byte(text))
		if p == nil || !strings.Contains(p.Remedy, want) {
			t.Errorf("%q: %+v, want a remedy with %q", text, p, want)
		}
	}
}

// Notepad marks a file as UTF-8 with three bytes that nobody sees.
func TestMarkOfUTF8IsNoMistake(t *testing.T) {
	root, p := parseDocument([]byte("\ufeffsite = \"school-12\"\n[web]\n"))
	if p != nil || root.fields["site"] == nil || root.fields["web"].line != 2 {
		t.Errorf("%+v, %+v", root, p)
	}
}
