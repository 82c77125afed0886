package words

import (
	"strings"
	"testing"

	"nabat/gateway/alert"
)

func TestEveryKeyExistsInAllLanguages(t *testing.T) {
	if err := Check(); err != nil {
		t.Fatal(err)
	}
	for _, l := range alert.Languages() {
		w := In(l)
		for _, k := range alert.Kinds() {
			if _, ok := w["kind."+string(k)]; !ok {
				t.Errorf("%s: kind %s has no name", l, k)
			}
		}
		for _, o := range alert.Outcomes() {
			if _, ok := w["outcome."+string(o)]; !ok {
				t.Errorf("%s: outcome %s has no name", l, o)
			}
		}
		for _, s := range []alert.Status{alert.Actual, alert.Exercise, alert.Test} {
			if _, ok := w["status."+string(s)]; !ok {
				t.Errorf("%s: status %s has no name", l, s)
			}
		}
		for truth := alert.TruthRaised; truth <= alert.TruthAccepted; truth++ {
			for _, key := range []string{"chain." + truth.String(), "chain." + truth.String() + ".means"} {
				if _, ok := w[key]; !ok {
					t.Errorf("%s: no text for %s", l, key)
				}
			}
		}
	}
}

func TestKazakhAndRussianAreNotTheSame(t *testing.T) {
	ru, kk := In(alert.Russian), In(alert.Kazakh)
	for key := range ru {
		// Names, and words that Kazakh took over.
		if ru[key] == kk[key] && !strings.HasPrefix(key, "app.") && !strings.HasPrefix(key, "role.") &&
			key != "login.pin" && key != "journal.title" && key != "origin.console" && key != "condition.other" {
			t.Errorf("%s is the same in both languages: %q", key, ru[key])
		}
	}
}

func TestPluralForms(t *testing.T) {
	for _, c := range []struct {
		lang alert.Language
		key  string
		n    int
		want string
	}{
		{alert.Russian, "n.minutes.ago", 1, "1 минуту назад"},
		{alert.Russian, "n.minutes.ago", 2, "2 минуты назад"},
		{alert.Russian, "n.minutes.ago", 5, "5 минут назад"},
		{alert.Russian, "n.minutes.ago", 11, "11 минут назад"},
		{alert.Russian, "n.minutes.ago", 21, "21 минуту назад"},
		{alert.Russian, "n.minutes.ago", 112, "112 минут назад"},
		{alert.Russian, "n.seconds.in", 22, "через 22 секунды"},
		{alert.Kazakh, "n.minutes.ago", 1, "1 минут бұрын"},
		{alert.Kazakh, "n.minutes.ago", 5, "5 минут бұрын"},
		{alert.English, "n.minutes.ago", 1, "1 minute ago"},
		{alert.English, "n.minutes.ago", 0, "0 minutes ago"},
	} {
		if got := In(c.lang).Count(c.lang, c.key, c.n); got != c.want {
			t.Errorf("%s %s %d: got %q, want %q", c.lang, c.key, c.n, got, c.want)
		}
	}
}
