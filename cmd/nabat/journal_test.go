package main

import (
	"testing"

	"nabat/gateway/alert"
)

// Whoever reads the play log wants to know what was said, and where.
func TestJournalTellsWhatWasSaid(t *testing.T) {
	said := alert.Event{Type: alert.AnnouncementSaid, Zones: []string{"hall", "yard"}, Text: &alert.Text{KK: "Сабақ\nбасталды"}}
	if got, want := words(said), ` hall,yard "Сабақ\nбасталды"`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := words(alert.Event{Type: alert.Raised}); got != "" {
		t.Errorf("a press says %q", got)
	}
}
