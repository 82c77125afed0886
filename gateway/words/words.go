// Package words holds the words that people see on pages and screens, in
// Russian, Kazakh and English.
package words

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"nabat/gateway/alert"
)

// Words are the texts of one language. A key that begins with "n." holds the
// plural forms, separated by "|", with {n} for the number; other texts may
// hold other names in braces.
type Words map[string]string

// In returns the words of a language, Russian for one that does not exist.
// The map is new on each call and belongs to the caller.
func In(l alert.Language) Words {
	w := written(l)
	maps.Copy(w, spoken(l))
	maps.Copy(w, hallway(l))
	return w
}

func written(l alert.Language) Words {
	switch l {
	case alert.Kazakh:
		return kazakh()
	case alert.English:
		return english()
	case alert.Russian:
		return russian()
	}
	return russian()
}

// Get returns the text of a key. A missing key shows itself, which is ugly on
// purpose; the tests compare the keys of the three languages.
func (w Words) Get(key string) string {
	if text, ok := w[key]; ok {
		return text
	}
	return key
}

// Or returns the text of a key, or other when there is none.
func (w Words) Or(key, other string) string {
	if text, ok := w[key]; ok {
		return text
	}
	return other
}

// Fill returns the text of a key with the names in braces replaced: pairs are
// name, value, name, value.
func (w Words) Fill(key string, pairs ...string) string {
	text := w.Get(key)
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "{"+pairs[i]+"}", pairs[i+1])
	}
	return text
}

// Count returns the text of a plural key for the number n.
func (w Words) Count(l alert.Language, key string, n int) string {
	forms := strings.Split(w.Get(key), "|")
	i := min(Form(l, n), len(forms)-1)
	return strings.ReplaceAll(forms[i], "{n}", strconv.Itoa(n))
}

// Form returns which plural form a whole number takes: 0 one, 1 few, 2 many in
// Russian; 0 one, 1 other in Kazakh and English.
func Form(l alert.Language, n int) int {
	n = max(n, -n)
	if l == alert.Kazakh || l == alert.English {
		if n == 1 {
			return 0
		}
		return 1
	}
	switch ones, tens := n%10, n%100; {
	case ones == 1 && tens != 11:
		return 0
	case ones >= 2 && ones <= 4 && (tens < 12 || tens > 14):
		return 1
	default:
		return 2
	}
}

// Forms returns how many plural forms a language has.
func Forms(l alert.Language) int {
	switch l {
	case alert.Kazakh, alert.English:
		return 2
	case alert.Russian:
		return 3
	}
	return 3
}

// With returns the words whose keys begin with one of the prefixes.
func (w Words) With(prefixes ...string) Words {
	some := make(Words)
	for key, text := range w {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			some[key] = text
		}
	}
	return some
}

// Check says what differs between the keys, braces and plural forms of the
// three languages; nil when nothing does.
func Check() error {
	base := In(alert.Russian)
	for _, l := range alert.Languages() {
		w := In(l)
		for _, key := range slices.Sorted(maps.Keys(base)) {
			text, ok := w[key]
			switch {
			case !ok || strings.TrimSpace(text) == "":
				return fmt.Errorf("language %s has no text for %q", l, key)
			case names(text) != names(base[key]):
				return fmt.Errorf("language %s, key %q: braces %s, want %s", l, key, names(text), names(base[key]))
			case strings.HasPrefix(key, "n.") && strings.Count(text, "|") != Forms(l)-1:
				return fmt.Errorf("language %s, key %q: want %d plural forms", l, key, Forms(l))
			}
		}
		if len(w) != len(base) {
			return fmt.Errorf("language %s has %d keys, want %d", l, len(w), len(base))
		}
	}
	return nil
}

// names lists the distinct names in braces of a text, sorted.
func names(text string) string {
	var found []string
	for {
		_, rest, ok := strings.Cut(text, "{")
		if !ok {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		found, text = append(found, name), after
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), ",")
}
