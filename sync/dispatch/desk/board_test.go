package desk

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nabat/gateway/alert"
	"nabat/sync/dispatch/store"
)

// TestOneGatewayHidesNoOther: a gateway that claims more emergencies than a page
// has cards leaves room for a quiet call of another school.
func TestOneGatewayHidesNoOther(t *testing.T) {
	w := newTown(t)
	const many = mostCards + 5
	for i := range uint64(many) {
		w.press(press{gateway: library(), id: fmt.Sprintf("flood-%d", i), number: i + 1, kind: alert.Fire, level: alert.LevelEmergency,
			place: alert.Location{ID: fmt.Sprintf("hall-%d", i), Path: []string{"Зал"}}})
	}
	w.press(press{id: "quiet", number: 1, kind: alert.Help, level: alert.LevelHelp})
	s := w.desk(nil)
	p, err := s.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	of := func(g store.Gateway) (n int) {
		for _, a := range p.Alerts {
			if a.Gateway == g {
				n++
			}
		}
		return n
	}
	if of(school()) != 1 || of(library()) != mostOfGateway || p.More != many-mostOfGateway {
		t.Errorf("%d cards of the quiet school, %d of the loud one, %d more", of(school()), of(library()), p.More)
	}
	// The newest of a crowd are shown: what happens there now.
	if !slices.ContainsFunc(p.Alerts, func(a store.Alert) bool { return a.ID == fmt.Sprintf("flood-%d", many-1) }) {
		t.Error("the newest alert of the loud school is not shown")
	}
}

func TestCardsAreSharedOut(t *testing.T) {
	var list []store.Alert
	add := func(site string, n int) {
		for i := range n {
			list = append(list, store.Alert{Gateway: store.Gateway{Site: site, ID: "main"}, Alert: alert.Alert{ID: fmt.Sprint(site, i)}})
		}
	}
	add("a", 50)
	add("b", 50)
	add("c", 2)
	add("d", 1)
	count := make(map[string]int)
	got := fair(list, 10)
	for _, a := range got {
		count[a.Gateway.Site]++
	}
	if len(got) != 10 || count["c"] != 2 || count["d"] != 1 || count["a"] != 4 || count["b"] != 3 {
		t.Errorf("%d cards: %v", len(got), count)
	}
	if !slices.IsSortedFunc(got, func(x, y store.Alert) int {
		at := func(a store.Alert) int {
			return slices.IndexFunc(list, func(b store.Alert) bool { return a.ID == b.ID })
		}
		return at(x) - at(y)
	}) {
		t.Error("the order of the list is lost")
	}
}

// TestManyPressesFitInMemory: the CAP messages of an alert share their
// references, and a page offers the latest of them only.
func TestManyPressesFitInMemory(t *testing.T) {
	w := newTown(t)
	const many = 3 * mostMessages
	for i := range uint64(many) {
		w.press(press{id: "alert-1", number: i + 1, kind: alert.Fire, level: alert.LevelEmergency})
	}
	a, err := w.store.Alert(t.Context(), school(), "alert-1")
	if err != nil {
		t.Fatal(err)
	}
	timeline, err := w.store.Timeline(t.Context(), school(), "alert-1")
	if err != nil {
		t.Fatal(err)
	}
	list := messages("dispatch.test", "Dispatch", a, timeline)
	if len(list) != many || list[many-1].Serial != many {
		t.Fatalf("%d messages", len(list))
	}
	for i, m := range list {
		if n := len(m.Earlier); n != min(i, mostMessages) || n > 0 && (m.Earlier[n-1].Serial != i || cap(m.Earlier) != n) {
			t.Fatalf("message %d refers to %d others, %d are held", m.Serial, n, cap(m.Earlier))
		}
	}
	if n := testing.AllocsPerRun(1, func() { messages("dispatch.test", "Dispatch", a, timeline[:2*mostMessages]) }); n > 60*mostMessages {
		t.Errorf("%.0f allocations for %d messages", n, 2*mostMessages)
	}
	v := open(t, w.desk(nil)).in("boris", otherSecret)
	if status, body := v.get(one("alert-1")); status != 200 || strings.Count(body, "/cap?message=") != mostMessages {
		t.Errorf("%d: the page offers %d messages", status, strings.Count(body, "/cap?message="))
	}
}

// TestADrillHasNoButton: nobody pressed one, so none is named.
func TestADrillHasNoButton(t *testing.T) {
	w := newTown(t)
	place := alert.Location{ID: "gym", Path: []string{"Спортзал"}}
	w.send(school(), alert.Event{Type: alert.Raised, Subject: "drill-1", Numbering: "drills", Number: 1, Kind: alert.Fire, Level: alert.LevelEmergency,
		Status: alert.Exercise, Place: &place, Origin: "dispatch"})
	v := open(t, w.desk(nil)).in("boris", otherSecret)
	if status, body := v.get(one("drill-1") + "?lang=en"); status != 200 || strings.Contains(body, "Button: ") {
		t.Errorf("%d: the page of a drill names a button", status)
	}
}
