package store

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/command"
)

// TestALaterWordIsNotUndoneByAnEarlierOne: the first command got lost, the
// second was carried out. Signed anew, the first would be the last word.
func TestALaterWordIsNotUndoneByAnEarlierOne(t *testing.T) {
	respond := func(id, about string) command.Claims {
		return command.Claims{ID: id, Verb: command.Responding, Alert: about}
	}
	verb := func(id string, v command.Verb) command.Claims { return command.Claims{ID: id, Verb: v} }
	cases := map[string]struct {
		lost, done command.Claims
		state      CommandState
		waits      bool // the other one has no answer either
	}{
		"the time of arrival goes back":  {respond("c1", "a1"), respond("c2", "a1"), CommandRefused, false},
		"the team has arrived":           {respond("c1", "a1"), command.Claims{ID: "c2", Verb: command.Arrived, Alert: "a1"}, CommandRefused, false},
		"a drill begins after its end":   {verb("c1", command.DrillStart), verb("c2", command.DrillEnd), CommandRefused, false},
		"a new drill is ended":           {verb("c1", command.DrillEnd), verb("c2", command.DrillStart), CommandRefused, false},
		"both wait":                      {respond("c1", "a1"), respond("c2", "a1"), CommandRefused, true},
		"a drill and its end wait":       {verb("c1", command.DrillStart), verb("c2", command.DrillEnd), CommandRefused, true},
		"an end and the next drill wait": {verb("c1", command.DrillEnd), verb("c2", command.DrillStart), CommandPending, true},
		"two drills":                     {verb("c1", command.DrillStart), verb("c2", command.DrillStart), CommandPending, false},
		"another alert":                  {respond("c1", "a1"), respond("c2", "a2"), CommandPending, false},
		"something else about the alert": {respond("c1", "a1"), command.Claims{ID: "c2", Verb: command.Acknowledge, Alert: "a1"}, CommandPending, false},
		"a clear is wanted all the same": {command.Claims{ID: "c1", Verb: command.Clear, Alert: "a1"}, respond("c2", "a1"), CommandPending, false},
		"in order":                       {respond("c2", "a1"), respond("c1", "a1"), CommandPending, false},
	}
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				g := Gateway{"school-12", strings.ReplaceAll(name, " ", "-")}
				if _, err := s.AddGateway(ctx, g, "", "test"); err != nil {
					t.Fatal(err)
				}
				both := []command.Claims{c.lost, c.done}
				slices.SortFunc(both, func(a, b command.Claims) int { return strings.Compare(a.ID, b.ID) })
				for _, one := range both {
					if _, err := s.Issue(ctx, g, one, "anna", stampSigner{}); err != nil {
						t.Fatal(err)
					}
					w.add(time.Second)
				}
				others := 0
				if c.waits {
					others = 1
				} else {
					ingest(t, s, said(g, "e1", 1, alert.Event{Type: alert.CommandAccepted, Command: c.done.ID, At: stamp(w.now(), "b", 1, true)}, "mqtt", w.now()))
				}
				w.add(20 * time.Second)
				again, err := s.Reissue(ctx, g, w.now(), stampSigner{})
				if err != nil || len(again) == others+1 != (c.state == CommandPending) {
					t.Errorf("signed anew: %+v, %v", again, err)
				}
				list, err := s.CommandsOf(ctx, g, "", 10)
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(list, func(x Command) bool { return x.Claims.ID == c.lost.ID })
				if list[i].State != c.state || (c.state == CommandRefused) != (list[i].Reason != "") {
					t.Errorf("%s (%s), want %s", list[i].State, list[i].Reason, c.state)
				}
			})
		}
	})
}

// TestAFormThatWasReplacedIsNotTakenForPublished: the broker took the old form
// while the command was signed anew.
func TestAFormThatWasReplacedIsNotTakenForPublished(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		c, err := s.Issue(ctx, school, command.Claims{ID: "c1", Verb: command.Acknowledge, Alert: "a1"}, "anna", stampSigner{})
		if err != nil {
			t.Fatal(err)
		}
		w.add(time.Second)
		if list, err := s.Reissue(ctx, school, w.now(), stampSigner{}); err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		if err := s.Published(ctx, school, "c1", c.Claims.Counter); err != nil {
			t.Fatal(err)
		}
		if list, err := s.Unpublished(ctx, time.Minute, 10); err != nil || len(list) != 1 {
			t.Errorf("%d commands are to be published, want 1; %v", len(list), err)
		}
	})
}
