package desk

import (
	"maps"
	"slices"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/words"
)

// dictionary is every text of the pages in one language: this room's own, over
// those that the gateway has for kinds, levels, outcomes, roles and conditions,
// so that a thing is called the same at both ends.
type dictionary struct {
	lang alert.Language
	w    words.Words
}

func dictionaryIn(l alert.Language) dictionary {
	w := words.In(l)
	maps.Copy(w, own(l))
	return dictionary{l, w}
}

func own(l alert.Language) words.Words {
	switch l {
	case alert.Kazakh:
		return kazakh()
	case alert.English:
		return english()
	case alert.Russian:
	}
	return russian()
}

func (d dictionary) get(key string) string       { return d.w.Get(key) }
func (d dictionary) or(key, other string) string { return d.w.Or(key, other) }
func (d dictionary) fill(key string, pairs ...string) string {
	return d.w.Fill(key, pairs...)
}
func (d dictionary) count(key string, n int) string { return d.w.Count(d.lang, key, n) }

// span says a duration with its largest unit, "14 min", which needs no plural.
func (d dictionary) span(t time.Duration) string {
	switch t = max(t, 0); {
	case t < time.Second:
		return d.count("unit.ms", int(t/time.Millisecond))
	case t < 2*time.Minute:
		return d.count("unit.s", int(t/time.Second))
	case t < 2*time.Hour:
		return d.count("unit.min", int(t/time.Minute))
	case t < 48*time.Hour:
		return d.count("unit.h", int(t/time.Hour))
	default:
		return d.count("unit.d", int(t/(24*time.Hour)))
	}
}

// scripts returns the texts that the pages' scripts show.
func (d dictionary) scripts() words.Words {
	return d.w.With("js.", "live.", "stale", "sound.", "act.", "level.", "status.", "n.js.", "ends", "detail.point", "error.unsure", "error.session")
}

// all returns everything in one text that changes with any of it.
func (d dictionary) all() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(d.w)) {
		b.WriteString(key + "=" + d.w[key] + "\n")
	}
	return b.String()
}
