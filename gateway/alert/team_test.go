package alert

import (
	"testing"
)

func TestATeamIsCalledByItsNameWhereThereIsOne(t *testing.T) {
	for m, want := range map[Mark]string{
		{Who: "anna", Why: "Group 3"}: "Group 3",
		{Who: "anna"}:                 "anna",
		{}:                            "",
	} {
		if got := m.Team(); got != want {
			t.Errorf("%+v is called %q, want %q", m, got, want)
		}
	}
}
