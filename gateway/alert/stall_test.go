package alert

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// stalled is a gateway whose disk commits when it likes: a raise acts at once,
// a clear acts when it is committed. It knows every press by itself and keeps
// no marks, so that it can tell what must be open.
type stalled struct {
	state   State
	number  uint64
	ids     int
	queue   []Event // handed to the disk, not committed
	durable []Event
	presses []modelPress
}

type modelPress struct {
	key       Key
	number    uint64
	level     Level
	status    Status
	committed bool
	cleared   bool // by a clear that was committed, of a person who saw it
}

func (g *stalled) press(key Key, typ Type, gesture Gesture, level Level, status Status) {
	g.number++
	a, _ := g.state.Alert(key)
	id := a.ID
	if !a.Open() {
		g.ids++
		id = fmt.Sprintf("id-%04d", g.ids)
	}
	e := Event{Type: typ, Subject: id, Numbering: key.Numbering, Number: g.number, Kind: key.Kind,
		Level: level, Status: status, Gesture: gesture, Place: &Location{ID: key.Place}}
	g.state = g.state.Next(e)
	g.queue = append(g.queue, e)
	g.presses = append(g.presses, modelPress{key: key, number: g.number, level: level, status: status})
}

// commit makes the oldest waiting event durable; clears act now.
func (g *stalled) commit() {
	e := g.queue[0]
	g.queue, g.durable = g.queue[1:], append(g.durable, e)
	if e.Type == Cleared {
		g.state = g.state.Next(e)
	}
	key, _ := e.Key()
	for i, p := range g.presses {
		switch {
		case e.Type == Cleared && p.key == key && p.number <= e.Number:
			g.presses[i].cleared = true
		case e.Type != Cleared && p.number == e.Number:
			g.presses[i].committed = true
		}
	}
}

// crash loses what was not committed, and starts from the rest.
func (g *stalled) crash(numbering string) {
	g.state = fold(g.durable)
	g.queue = nil
	g.number = g.state.HighestNumber(numbering)
	var left []modelPress
	for _, p := range g.presses {
		if p.committed {
			left = append(left, p)
		}
	}
	g.presses = left
}

func (g *stalled) check(t *rapid.T, keys []Key) {
	for _, key := range keys {
		var stands bool
		level, status := LevelHelp, Test
		for _, p := range g.presses {
			if p.key != key || p.cleared {
				continue
			}
			stands, level = true, max(level, p.level)
			if p.status == Actual || status == Test {
				status = p.status
			}
		}
		a, _ := g.state.Alert(key)
		if a.Open() != stands {
			t.Fatalf("%v: open is %v, but a press that nobody has cleared stands: %v\n%+v", key, a.Open(), stands, g.presses)
		}
		if stands && (a.Level() != level || a.Status() != status) {
			t.Fatalf("%v is %v and %v, want %v and %v\n%+v", key, a.Level(), a.Status(), level, status, g.presses)
		}
	}
}

func TestAStalledDiskNeverLosesThePressAfterAClear(t *testing.T) {
	keys := []Key{{"n", "room-1", Help}, {"n", "room-1", Fire}, {"n", "room-2", Help}}
	rapid.Check(t, func(t *rapid.T) {
		g := new(stalled)
		anyKey := func(t *rapid.T) Key { return rapid.SampledFrom(keys).Draw(t, "key") }
		anyStatus := func(t *rapid.T) Status { return rapid.SampledFrom([]Status{Actual, Exercise, Test}).Draw(t, "status") }
		t.Repeat(map[string]func(*rapid.T){
			"tap": func(t *rapid.T) { g.press(anyKey(t), Raised, Tap, LevelHelp, anyStatus(t)) },
			"hold": func(t *rapid.T) {
				key := anyKey(t)
				if a, _ := g.state.Alert(key); !a.Open() {
					t.Skip("a hold escalates an open alert")
				}
				g.press(key, Escalated, Hold, LevelEmergency, anyStatus(t))
			},
			"clear": func(t *rapid.T) {
				a, _ := g.state.Alert(anyKey(t))
				if !a.Open() {
					t.Skip("nothing to clear")
				}
				// The person may have looked at an older page.
				seen := rapid.Uint64Range(1, a.Last.Number).Draw(t, "seen")
				g.queue = append(g.queue, Event{Type: Cleared, Subject: a.ID, Numbering: a.Numbering, Number: seen,
					Kind: a.Kind, Place: &a.Place, Outcome: Resolved})
			},
			"commit": func(t *rapid.T) {
				if len(g.queue) == 0 {
					t.Skip("nothing waits")
				}
				g.commit()
			},
			"crash": func(*rapid.T) { g.crash("n") },
			"":      func(t *rapid.T) { g.check(t, keys) },
		})
	})
}

// The story in one line, for readers.
func TestPressClearPress(t *testing.T) {
	key := Key{"n", "room-1", Help}
	g := new(stalled)
	g.press(key, Raised, Tap, LevelHelp, Actual)
	a, _ := g.state.Alert(key)
	g.queue = append(g.queue, Event{Type: Cleared, Subject: a.ID, Numbering: "n", Number: 1, Kind: Help, Place: &a.Place, Outcome: FalsePress})
	g.press(key, Escalated, Hold, LevelEmergency, Actual) // while the disk still has the clear before it
	for len(g.queue) > 0 {
		g.commit()
	}
	a, _ = g.state.Alert(key)
	if !a.Open() || a.Level() != LevelEmergency || a.Last.Number != 2 || a.Cleared.Outcome != FalsePress {
		t.Errorf("the second press is lost: %+v", a)
	}
}
