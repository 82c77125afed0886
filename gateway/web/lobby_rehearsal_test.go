package web

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"nabat/gateway/alert"
)

// A page rehearses each thing that it may have to ask for, in its languages, and
// tells nothing of the site's plans and places.
func TestRehearsalTellsNothingOfTheSite(t *testing.T) {
	site := fullSite()
	for _, k := range alert.Kinds() {
		site.Plans = append([]alert.Plan{{Kind: k, Level: alert.LevelEmergency, Screens: []string{"guard"}, ShowPlace: true,
			Response: alert.Prepare, Instruction: text("Тайно", "Құпия", "A secret of the site")}}, site.Plans...)
	}
	h := newHouse()
	s, err := New(Options{Site: site, Source: h, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	langs := []alert.Language{alert.Kazakh, alert.Russian}
	cards := s.rehearsal(langs)
	var seen []string
	for _, c := range cards {
		seen = append(seen, string(c.Status)+" "+string(c.Response))
		for i, text := range c.Texts {
			if text.Lang != langs[i] || text.Title == "" || text.Key == "" || len(text.Places) > 0 {
				t.Errorf("a card has a place, no words, or another language: %+v", text)
			}
		}
	}
	for _, want := range []string{"Actual Evacuate", "Actual Shelter", "Exercise Evacuate"} {
		if !slices.Contains(seen, want) {
			t.Errorf("%s is not rehearsed, only %q", want, seen)
		}
	}
	if slices.Sort(seen); len(slices.Compact(slices.Clone(seen))) != len(seen) {
		t.Errorf("something is rehearsed twice: %q", seen)
	}
	b, err := json.Marshal(cards)
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"Тайно", "Құпия", "Prepare", "Травля", "Буллинг"} {
		if strings.Contains(string(b), never) {
			t.Errorf("a page that everyone can open tells %q: %s", never, b)
		}
	}
}
