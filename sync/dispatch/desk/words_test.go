package desk

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/words"
	"nabat/sync/command"
)

func TestEveryTextExistsInAllLanguages(t *testing.T) {
	base := own(alert.Russian)
	braces := regexp.MustCompile(`\{\w+\}`)
	named := func(s string) string {
		list := braces.FindAllString(s, -1)
		slices.Sort(list)
		return strings.Join(slices.Compact(list), "")
	}
	for _, l := range alert.Languages() {
		w := own(l)
		for _, key := range slices.Sorted(maps.Keys(base)) {
			text, ok := w[key]
			switch {
			case !ok || strings.TrimSpace(text) == "":
				t.Errorf("%s has no text for %q", l, key)
			case named(text) != named(base[key]):
				t.Errorf("%s, %q: names %s, want %s", l, key, named(text), named(base[key]))
			case strings.HasPrefix(key, "n.") && strings.Count(text, "|") != words.Forms(l)-1:
				t.Errorf("%s, %q: want %d plural forms", l, key, words.Forms(l))
			}
		}
		if len(w) != len(base) {
			t.Errorf("%s has %d texts, want %d", l, len(w), len(base))
		}
		d := dictionaryIn(l)
		for _, v := range []command.Verb{command.Acknowledge, command.Responding, command.Arrived, command.Clear, command.Announce, command.DrillStart, command.DrillEnd, command.ConfigPull, command.Keys} {
			if d.get("verb."+string(v)) == "verb."+string(v) {
				t.Errorf("%s: no word for %s", l, v)
			}
		}
	}
}

func TestEveryTextThatPagesAskForExists(t *testing.T) {
	d := dictionaryIn(alert.English)
	asked := regexp.MustCompile(`\.T "([a-z0-9.-]+)"|\btext\("([a-z0-9.-]+)"|\bcount\("([a-z0-9.-]+)"`)
	scripts := d.scripts()
	err := fs.WalkDir(files, "assets", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range asked.FindAllStringSubmatch(string(b), -1) {
			key := m[1] + m[2] + m[3]
			if strings.HasSuffix(key, ".") { // the rest is computed
				continue
			}
			if _, ok := d.w[key]; !ok {
				t.Errorf("%s asks for %q, which nobody has written", name, key)
			}
			if _, ok := scripts[key]; !ok && strings.HasSuffix(name, ".js") {
				t.Errorf("%s asks for %q, which scripts are not given", name, key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
