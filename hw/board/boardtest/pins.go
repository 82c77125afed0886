package boardtest

import (
	"errors"
	"os"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"nabat/hw/board"
	"nabat/hw/point"
)

func openButton(t *testing.T, w Wall) board.InputPin {
	t.Helper()
	pin, err := w.OpenButton()
	must(t, err)
	t.Cleanup(func() {
		if err := pin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return pin
}

// inBackground runs a wait that has to be still blocked after a moment.
func inBackground[T any](t *testing.T, what string, wait func() T) (result func() T) {
	t.Helper()
	done := make(chan T, 1)
	go func() { done <- wait() }()
	select {
	case <-done:
		t.Fatalf("%s did not wait", what)
	case <-time.After(50 * time.Millisecond):
	}
	return func() T {
		t.Helper()
		select {
		case v := <-done:
			return v
		case <-time.After(patience):
			t.Fatalf("%s waits for ever", what)
			panic("unreachable")
		}
	}
}

func pinContract(t *testing.T, w Wall) {
	pin := openButton(t, w)
	if _, err := pin.NextEdge(0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("NextEdge(0) without an edge: %v", err)
	}
	if pin.WaitForEdge(0) || pin.WaitForEdge(20*time.Millisecond) {
		t.Error("WaitForEdge saw an edge that nobody made")
	}
	if _, err := w.OpenButton(); board.FaultOf(err) != point.FaultBusy || err == nil {
		t.Errorf("a held line was given out again: %v", err)
	}

	result := inBackground(t, "WaitForEdge(-1)", func() bool { return pin.WaitForEdge(-1) })
	must(t, w.DriveButton(gpio.High))
	if !result() {
		t.Error("WaitForEdge(-1) missed the edge")
	}
	function := pin.Function() //nolint:staticcheck // on its way out, and still a promise of gpio.PinIn
	if pin.Read() != gpio.High || pin.String() == "" || pin.Name() == "" || function != "In" || pin.Number() < 0 {
		t.Error("the pin does not know itself")
	}

	// An edge that is there already is returned by the shortest wait.
	must(t, w.DriveButton(gpio.Low))
	before := w.Now()
	e := awaitEdge(t, pin)
	if e.Level != gpio.Low || e.Lost != 0 || e.At > before {
		t.Errorf("got %+v; it was driven Low before %v", e, before)
	}

	// In ends a wait and forgets what happened before it.
	result = inBackground(t, "WaitForEdge(-1)", func() bool { return pin.WaitForEdge(-1) })
	must(t, pin.In(gpio.PullNoChange, gpio.BothEdges))
	if result() {
		t.Error("In has to end WaitForEdge with false")
	}
	must(t, w.DriveButton(gpio.High))
	must(t, w.DriveButton(gpio.Low))
	must(t, pin.In(gpio.PullNoChange, gpio.RisingEdge))
	must(t, w.DriveButton(gpio.High))
	must(t, w.DriveButton(gpio.Low))
	if e := awaitEdge(t, pin); e.Level != gpio.High {
		t.Errorf("got %+v, asked for rising edges", e)
	}
	if pin.WaitForEdge(50 * time.Millisecond) {
		t.Error("more than the one rising edge since In")
	}
}

// awaitEdge polls with the shortest wait: the kernel hands an edge out a moment
// after the level has changed.
func awaitEdge(t *testing.T, pin board.InputPin) point.Edge {
	t.Helper()
	end := time.After(patience)
	for {
		e, err := pin.NextEdge(0)
		if err == nil {
			return e
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("NextEdge: %v", err)
		}
		select {
		case <-end:
			t.Fatal("the edge never came")
		case <-time.After(time.Millisecond):
		}
	}
}

func haltIsSticky(t *testing.T, w Wall) {
	pin := openButton(t, w)
	next := func() error { _, err := pin.NextEdge(-1); return err }
	result := inBackground(t, "NextEdge(-1)", next)
	must(t, pin.Halt())
	if err := result(); !errors.Is(err, point.ErrHalted) {
		t.Errorf("NextEdge during Halt: %v", err)
	}
	must(t, w.DriveButton(gpio.High))
	if err := next(); !errors.Is(err, point.ErrHalted) {
		t.Errorf("NextEdge after Halt: %v", err)
	}
	if pin.WaitForEdge(-1) {
		t.Error("WaitForEdge after Halt saw an edge")
	}
	if err := pin.In(gpio.PullNoChange, gpio.BothEdges); !errors.Is(err, point.ErrHalted) {
		t.Errorf("In after Halt: %v", err)
	}
}

func closeIsFinal(t *testing.T, w Wall) {
	pin := openButton(t, w)
	next := func() error { _, err := pin.NextEdge(-1); return err }
	result := inBackground(t, "NextEdge(-1)", next)
	must(t, pin.Close())
	if err := result(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("NextEdge during Close: %v", err)
	}
	_, levelErr := pin.Level()
	for what, err := range map[string]error{
		"NextEdge": next(), "Level": levelErr, "In": pin.In(gpio.PullNoChange, gpio.BothEdges), "Close": pin.Close(),
	} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	must(t, pin.Halt())

	lamp, err := w.OpenLamp(gpio.Low)
	must(t, err)
	must(t, lamp.Close())
	if err := lamp.Out(gpio.High); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Out after Close: %v", err)
	}
}

func lostIsFinal(t *testing.T, w Wall) {
	pin := openButton(t, w)
	next := func() error { _, err := pin.NextEdge(-1); return err }
	must(t, w.DriveButton(gpio.High))
	if level := pin.Read(); level != gpio.High {
		t.Errorf("Read: %v", level)
	}
	awaitEdge(t, pin)
	result := inBackground(t, "NextEdge(-1)", next)
	must(t, w.Remove())
	if err := result(); board.FaultOf(err) != point.FaultLost {
		t.Errorf("NextEdge during the removal: %v", err)
	}
	must(t, w.Insert())
	if err := next(); board.FaultOf(err) != point.FaultLost {
		t.Errorf("NextEdge of the old pin with the chip back: %v", err)
	}
	if _, err := pin.Level(); board.FaultOf(err) != point.FaultLost {
		t.Errorf("Level of the old pin with the chip back: %v", err)
	}
	if level := pin.Read(); level != gpio.High {
		t.Errorf("Read of a lost pin invents %v", level)
	}
}

func lateReader(t *testing.T, w Wall) {
	pin := openButton(t, w)
	toggle := func(n int) {
		level := pin.Read()
		for range n {
			level = !level
			must(t, w.DriveButton(level))
		}
		// The last edges are on their way; none may be waited for by reading.
		pass(100 * time.Millisecond)
	}
	toggle(40)
	read, lost := drain(t, pin)
	if read != 40 || lost != 0 {
		t.Errorf("of 40 edges %d were read and %d lost", read, lost)
	}
	toggle(1100)
	read, lost = drain(t, pin)
	if read != 1024 || lost != 76 {
		t.Errorf("of 1100 edges %d were read and %d lost, want 1024 and 76", read, lost)
	}
	toggle(1)
	read, lost = drain(t, pin)
	if read != 1 || lost != 0 {
		t.Errorf("of one edge %d were read and %d lost", read, lost)
	}
}

func drain(t *testing.T, pin board.InputPin) (read int, lost uint32) {
	t.Helper()
	for {
		e, err := pin.NextEdge(0)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return read, lost
		}
		must(t, err)
		read++
		lost += e.Lost
	}
}

func lampLevel(t *testing.T, w Wall) {
	pin, err := w.OpenLamp(gpio.High)
	must(t, err)
	defer func() { must(t, pin.Close()) }()
	checkLamp(t, w, gpio.High)
	// In another driver this very call turns the output into an input.
	function := pin.Function() //nolint:staticcheck // on its way out, and still a promise of gpio.PinOut
	if function != "Out" || pin.String() == "" || pin.Name() == "" || pin.Number() < 0 {
		t.Error("the pin does not know itself")
	}
	if err := pin.PWM(gpio.DutyHalf, 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("PWM: %v", err)
	}
	must(t, pin.Halt())
	checkLamp(t, w, gpio.High)
	must(t, pin.Out(gpio.Low))
	checkLamp(t, w, gpio.Low)
	if _, err := w.OpenLamp(gpio.High); board.FaultOf(err) != point.FaultBusy || err == nil {
		t.Errorf("a held line was given out again: %v", err)
	}
	checkLamp(t, w, gpio.Low)
}

func checkLamp(t *testing.T, w Wall, want gpio.Level) {
	t.Helper()
	got, err := w.Lamp()
	must(t, err)
	if got != want {
		t.Fatalf("the lamp line is %v, want %v", got, want)
	}
}

func lampRemoval(t *testing.T, w Wall) {
	lamp := board.NewOutput("lamp", false, w.OpenLamp)
	defer func() { must(t, lamp.Close()) }()
	must(t, lamp.Set(true))
	checkLamp(t, w, gpio.High)
	must(t, w.Remove())
	for range 3 {
		if err := lamp.Set(true); err == nil || board.FaultOf(err) != point.FaultLost {
			t.Fatalf("Set without a chip: %v", err)
		}
	}
	must(t, w.Insert())
	end := time.After(patience)
	for lamp.Set(true) != nil {
		select {
		case <-end:
			t.Fatal("the lamp does not come back")
		case <-time.After(20 * time.Millisecond):
		}
	}
	checkLamp(t, w, gpio.High)
	must(t, lamp.Set(false))
	checkLamp(t, w, gpio.Low)
}
