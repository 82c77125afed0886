package boardtest

import (
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"nabat/hw/board"
	"nabat/hw/point"
)

func pressIsTwoEdges(t *testing.T, w Wall) {
	p, _ := start(t, w, board.Input{})
	first := p.awaitAny(t, "first reading", 0, isInitial)
	if s := first[0]; s.Change != point.Inactive || !s.Settled || s.Point != "button" {
		t.Fatalf("the first signal is not a settled reading of an open contact: %s", describe(first))
	}
	must(t, w.DriveButton(gpio.High))
	pass(30 * time.Millisecond)
	must(t, w.DriveButton(gpio.Low))
	got := p.await(t, "settled release", func(s []point.Signal) bool {
		return len(edges(s)) == 2 && isSettled(point.Inactive)(s[len(s)-1])
	})
	checkEdges(t, got, point.Active, point.Inactive)
	e := edges(got)
	// The wall waited that long between two writes, so the stamps are no closer.
	if held := e[1].At - e[0].At; held < 30*time.Millisecond {
		t.Errorf("a press of 30 ms was stamped as %v", held)
	}
	if n := count(got, isFaulted); n != 0 {
		t.Errorf("a press made a fault: %s", describe(got))
	}
}

func bounceStorm(t *testing.T, w Wall) {
	p, _ := start(t, w, board.Input{})
	p.awaitAny(t, "first reading", 0, isInitial)
	const toggles = 25 // odd: it ends pressed
	var want []point.Change
	level := gpio.Low
	for range toggles {
		level = !level
		must(t, w.DriveButton(level))
		want = append(want, change(level))
		pass(time.Millisecond)
	}
	got := p.await(t, "settled press", func(s []point.Signal) bool {
		return len(edges(s)) == toggles && isSettled(point.Active)(s[len(s)-1])
	})
	checkEdges(t, got, want...)
	var last time.Duration
	seen := false
	for _, s := range got {
		if isEdge(s) {
			last, seen = s.At, true
		}
		if seen && s.Settled && s.At-last < 10*time.Millisecond {
			t.Fatalf("a reading counts as settled %v after an edge: %s", s.At-last, describe(got))
		}
	}
}

func change(level gpio.Level) point.Change {
	if level {
		return point.Active
	}
	return point.Inactive
}

func heldAtStart(t *testing.T, w Wall) {
	must(t, w.DriveButton(gpio.High))
	p, _ := start(t, w, board.Input{})
	got := p.awaitAny(t, "first reading", 0, isInitial)
	if s := got[0]; s.Change != point.Active || !s.Settled {
		t.Fatalf("a held button was not found so: %s", describe(got))
	}
	p.awaitAny(t, "second reading", 1, isSettled(point.Active))
	must(t, w.DriveButton(gpio.Low))
	got = p.awaitAny(t, "settled release", 0, isSettled(point.Inactive))
	checkEdges(t, got, point.Inactive)
	if n := count(got, isInitial); n != 1 {
		t.Errorf("the button was found %d times: %s", n, describe(got))
	}
}

func normallyClosed(t *testing.T, w Wall) {
	must(t, w.DriveButton(gpio.High)) // closed at rest
	p, _ := start(t, w, board.Input{Wiring: board.Wiring{NormallyClosed: true}})
	got := p.awaitAny(t, "first reading", 0, isInitial)
	if got[0].Change != point.Inactive {
		t.Fatalf("a closed contact at rest counts as actuated: %s", describe(got))
	}
	must(t, w.DriveButton(gpio.Low))
	p.awaitAny(t, "settled press", 0, isSettled(point.Active))
	must(t, w.DriveButton(gpio.High))
	got = p.await(t, "settled release", func(s []point.Signal) bool {
		return len(edges(s)) == 2 && isSettled(point.Inactive)(s[len(s)-1])
	})
	checkEdges(t, got, point.Active, point.Inactive)
}

func removalIdle(t *testing.T, w Wall) {
	p, _ := start(t, w, board.Input{})
	p.awaitAny(t, "first reading", 0, isInitial)
	must(t, w.Remove())
	p.awaitAny(t, "fault", 0, isFault(point.FaultLost))
	pass(time.Second) // several tries to open it fail meanwhile
	must(t, w.Insert())
	got := p.await(t, "reading after the fault", func(s []point.Signal) bool { return count(s, isInitial) == 2 })
	if f, r, a := count(got, isFaulted), count(got, isRestored), count(got, isActive); f != 1 || r != 1 || a != 0 {
		t.Fatalf("%d faults, %d restored, %d active: %s", f, r, a, describe(got))
	}
	if n := len(got); !isRestored(got[n-2]) || got[n-1].Change != point.Inactive || !got[n-1].Settled {
		t.Errorf("restored and a reading have to end it: %s", describe(got))
	}
	// And it works again.
	must(t, w.DriveButton(gpio.High))
	got = p.awaitAny(t, "settled press", 0, isSettled(point.Active))
	checkEdges(t, got, point.Active)
}

func removalHeld(t *testing.T, w Wall) {
	p, _ := start(t, w, board.Input{})
	p.awaitAny(t, "first reading", 0, isInitial)
	must(t, w.DriveButton(gpio.High))
	p.awaitAny(t, "settled press", 0, isSettled(point.Active))
	must(t, w.Remove())
	p.awaitAny(t, "fault", 0, isFault(point.FaultLost))
	pass(time.Second)
	got, _ := p.look()
	checkEdges(t, got, point.Active)
	if s := got[len(got)-1]; !isFaulted(s) || count(got, isFaulted) != 1 {
		t.Fatalf("a lost chip has to be one fault and silence: %s", describe(got))
	}
	skip := len(got)
	must(t, w.Insert())
	got = p.awaitAny(t, "settled reading of the held button", skip, isSettled(point.Active))
	if !isRestored(got[skip]) {
		t.Errorf("restored has to come first: %s", describe(got))
	}
	must(t, w.DriveButton(gpio.Low))
	p.awaitAny(t, "settled release", len(got), isSettled(point.Inactive))
}

func busyLine(t *testing.T, w Wall) {
	release, err := w.Occupy()
	must(t, err)
	p, _ := start(t, w, board.Input{})
	p.awaitAny(t, "fault", 0, isFault(point.FaultBusy))
	pass(time.Second)
	must(t, release())
	got := p.awaitAny(t, "first reading", 0, isInitial)
	if len(got) != 3 || !isFaulted(got[0]) || !isRestored(got[1]) || got[2].Change != point.Inactive {
		t.Errorf("want one fault, restored, a reading: %s", describe(got))
	}
}

func tamper(t *testing.T, w Wall) {
	p, _ := start(t, w, board.Input{Tamper: w.OpenTamper})
	p.awaitAny(t, "first reading", 0, isInitial)
	must(t, w.DriveTamper(gpio.High))
	got := p.awaitAny(t, "fault", 0, isFault(point.FaultTamper))
	if n := count(got, isActive); n != 0 {
		t.Fatalf("an open housing looks like a press: %s", describe(got))
	}
	skip := len(got)
	must(t, w.DriveButton(gpio.High))
	p.awaitAny(t, "settled press", skip, isSettled(point.Active))
	must(t, w.DriveButton(gpio.Low))
	got = p.await(t, "settled release", func(s []point.Signal) bool {
		return len(edges(s)) == 2 && isSettled(point.Inactive)(s[len(s)-1])
	})
	checkEdges(t, got, point.Active, point.Inactive)
	for _, s := range got[skip:] {
		if isEdge(s) {
			t.Fatalf("an edge came before the contact was introduced anew: %s", describe(got))
		}
		if isInitial(s) {
			break
		}
	}
	skip = len(got)
	must(t, w.DriveTamper(gpio.Low))
	got = p.awaitAny(t, "restored", skip, isRestored)
	if f, r, a := count(got, isFaulted), count(got, isRestored), count(got[skip:], isActive); f != 1 || r != 1 || a != 0 {
		t.Errorf("%d faults, %d restored, %d active after it closed: %s", f, r, a, describe(got))
	}
}

func kilohertz(t *testing.T, w Wall) {
	p, _ := start(t, w, board.Input{})
	p.awaitAny(t, "first reading", 0, isInitial)
	const toggles = 5000
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	want := make([]point.Change, 0, toggles)
	level := gpio.Low
	for range toggles {
		<-tick.C
		level = !level
		must(t, w.DriveButton(level))
		want = append(want, change(level))
	}
	got := p.await(t, "5000 edges and a rest", func(s []point.Signal) bool {
		return len(edges(s)) >= toggles && s[len(s)-1].Settled
	})
	checkEdges(t, got, want...)
	if n := count(got, isFaulted); n != 0 {
		t.Errorf("a reader that keeps up reports a fault: %s", describe(got))
	}
}

func cancel(t *testing.T, w Wall) {
	p, stop := start(t, w, board.Input{Tamper: w.OpenTamper})
	p.awaitAny(t, "first reading", 0, isInitial)
	stop()
	for _, open := range []func() (board.InputPin, error){w.OpenButton, w.OpenTamper} {
		pin, err := open()
		must(t, err)
		must(t, pin.Close())
	}
	if got, _ := p.look(); count(got, isFaulted) != 0 {
		t.Errorf("the end looks like a fault: %s", describe(got))
	}
}
