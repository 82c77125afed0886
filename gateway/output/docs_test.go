package output

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The page that staff print and hang up says what the lamps really do.
func TestThePageAboutLampsTellsTheSame(t *testing.T) {
	page, err := os.ReadFile("../../docs/lamps.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Rhythms() {
		beat := map[bool]string{true: "on", false: "off"}[r.On]
		if !r.Steady {
			beat = strings.Trim(fmt.Sprint(r.MS), "[]")
		}
		line := fmt.Sprintf("| %s | %s | %s | %s | %s |", r.Name, beat, r.Meaning.EN, r.Meaning.RU, r.Meaning.KK)
		if !strings.Contains(string(page), line) {
			t.Errorf("docs/lamps.md lacks the line\n%s", line)
		}
	}
}
