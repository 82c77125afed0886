package web

import (
	"encoding/json"
	"strings"
	"testing"

	"nabat/gateway/alert"
)

// A screen rehearses what it may have to show, and tells nothing that it would
// not show: no place, and nothing of plans that are not for it.
func TestRehearsalTellsOnlyWhatTheScreenMayShow(t *testing.T) {
	site := fullSite()
	site.Plans = append(site.Plans,
		alert.Plan{Kind: alert.Intruder, Level: alert.LevelEmergency, Screens: []string{"guard"}, Response: alert.Shelter, Instruction: text("Тсс", "Тсс", "Only for the guard")},
		alert.Plan{Kind: alert.Violence, Level: alert.LevelEmergency, Response: alert.Shelter, Instruction: text("Тихо", "Тыныш", "For nobody")},
		alert.Plan{Kind: alert.Fire, Level: alert.LevelHelp, Screens: []string{"*"}, Instruction: text("Тихо", "Тыныш", "Quiet")})
	h := newHouse()
	s, err := New(Options{Site: site, Source: h, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	told := func(screen string) string {
		cards := s.rehearsal(s.screen(screen), alert.English)
		seen := make(map[string]bool)
		for _, c := range cards {
			if key := string(c.Status) + " " + string(c.Response); seen[key] {
				t.Errorf("%s is rehearsed twice", key)
			} else {
				seen[key] = true
			}
			for _, text := range c.Texts {
				if len(text.Places) > 0 || text.Title == "" || text.Key == "" {
					t.Errorf("a card has a place or no words: %+v", text)
				}
			}
		}
		if !seen["Actual Evacuate"] || !seen["Exercise Evacuate"] {
			t.Errorf("screen %q rehearses %v", screen, seen)
		}
		b, err := json.Marshal(cards)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, screen := range []string{"", "hall", "nobody-knows"} {
		if got := told(screen); strings.Contains(got, "Only for the guard") || strings.Contains(got, "For nobody") || strings.Contains(got, "Quiet") {
			t.Errorf("screen %q is told what it never shows: %s", screen, got)
		}
	}
	if got := told("guard"); !strings.Contains(got, "Only for the guard") {
		t.Errorf("the guard's screen does not rehearse what it may have to show: %s", got)
	}
}
