package web

import (
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
)

func TestTheConsoleSaysWhoWasAskedAndWhoIsNext(t *testing.T) {
	h := newHouse()
	s := newTestServer(t, h, nil)
	site := testSite()
	site.Plans = append(site.Plans, alert.Plan{Kind: alert.Medical, Level: alert.LevelEmergency, Lamps: true, Escalation: []alert.Step{
		{To: alert.RoleDuty}, {After: time.Minute, To: alert.RoleHead}, {After: 5 * time.Minute, To: "district"},
	}})
	s.opt.Site = site
	a := h.press(raise{kind: alert.Medical, place: "gym", level: alert.LevelEmergency, ago: 2 * time.Minute})
	plan := site.Plan(alert.Medical, alert.LevelEmergency)
	do := func(i int) {
		h.change(func(v *alert.View) {
			known, _ := v.State.Alert(a.Key)
			ev := known.Escalation(i, plan.Escalation[i])
			ev.At = h.now()
			v.State = v.State.Next(ev)
			v.Open = v.State.Open()
		})
	}
	look := func() (asked string, next *nextJSON) {
		c := s.consoleNow(alert.English, h.now()).Alerts[0]
		return strings.Join(c.Asked, ", "), c.Next
	}
	do(0)
	if asked, next := look(); asked != "duty adult" || next == nil || next.Who != "head" {
		t.Errorf("one step: asked %q, next %+v", asked, next)
	}
	do(1)
	asked, next := look()
	if asked != "duty adult, head" || next == nil || next.Who != "district" {
		t.Fatalf("two steps: asked %q, next %+v", asked, next)
	}
	if at := next.At - a.First.At.Mono.Milliseconds(); at != 300_000 {
		t.Errorf("the next step is told for %d ms after the press", at)
	}
	if err := h.Acknowledge(t.Context(), alert.Decision{Alert: a.ID, Number: a.Last.Number, Who: "duty"}); err != nil {
		t.Fatal(err)
	}
	if asked, next := look(); asked != "duty adult, head" || next != nil {
		t.Errorf("taken: asked %q, next %+v", asked, next)
	}
}
