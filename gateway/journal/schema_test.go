package journal

import (
	"database/sql"
	"errors"
	"testing"

	"nabat/gateway/alert"
)

// reshape runs statements on a journal file that nobody uses.
func reshape(t *testing.T, path string, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.Exec(statements)
	must(t, errors.Join(err, db.Close()))
}

func TestFileWithoutItsTablesIsSetAsideAndSalvaged(t *testing.T) {
	const n = 200
	for name, c := range map[string]struct {
		hurt            string
		alarms, routine int  // at least so many come back
		open            bool // the alerts are known at once
	}{
		"no counters":               {"DROP TABLE meta", n, n, true},
		"no alarm lane":             {"DROP TABLE alarm", n / 2, n, true}, // its pages are free, and some were used anew
		"no routine lane":           {"DROP TABLE routine", n, n / 2, true},
		"no cursors":                {"DROP TABLE cursor", n, n, true},
		"no alerts":                 {"DROP TABLE alert", n, n, false},
		"no parked rows":            {"DROP TABLE parked", n, n, true},
		"no notes of salvage":       {"DROP TABLE salvage", n, n, true},
		"counters of another shape": {"ALTER TABLE meta RENAME COLUMN seq TO number", n, n, true},
		"alerts of another shape":   {"ALTER TABLE alert RENAME COLUMN data TO body", n, n, false},
		"lane of another shape":     {"ALTER TABLE alarm RENAME COLUMN crc TO sum", n, n, true},
		"version forgotten":         {"PRAGMA user_version = 0", n, n, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, refs, _ := damaged(t, n, func(path string) { reshape(t, path, c.hurt) })
			if r.holds(conditionMemory) || !r.Stats().Durable {
				t.Fatal("the journal runs in memory")
			}
			if state, _ := r.Recorded(); c.open && len(state.Open()) != 7 {
				t.Errorf("%d alerts are open at once, want all 7 rooms", len(state.Open()))
			}
			r.mustPut(raise(n + 1))
			rows, said := r.salvaged()
			got := make(map[alert.Type]int)
			for _, row := range rows {
				if of, ok := refs[row.Ref]; ok && of == row.Type {
					got[of]++
				}
			}
			t.Logf("%d alarms and %d routine events came back; %s", got[alert.Raised], got[alert.LinkUp], said.Detail)
			if got[alert.Raised] < c.alarms || got[alert.LinkUp] < c.routine {
				t.Errorf("%d alarms and %d routine events came back, want %d and %d", got[alert.Raised], got[alert.LinkUp], c.alarms, c.routine)
			}
			r.stop()
			r = start(t, r.opt)
			if state, _ := r.Recorded(); len(state.Open()) != 7 {
				t.Errorf("%d alerts are open at the next start, want all 7 rooms", len(state.Open()))
			}
		})
	}
}
