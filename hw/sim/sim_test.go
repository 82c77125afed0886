package sim_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"nabat/hw/sim"
)

// That the pins behave like the kernel's is tested in hw/board, by the cases
// that run over both.

func TestContactRestsAsItIsWired(t *testing.T) {
	for _, rest := range []gpio.Level{gpio.Low, gpio.High} {
		b := sim.New(nil)
		line := b.Wire("button", rest)
		check := func(what string, level gpio.Level, pressed bool) {
			t.Helper()
			if s := line.State(); s.Level != level || s.Pressed != pressed {
				t.Errorf("rest %v, %s: %+v", rest, what, s)
			}
		}
		check("at first", rest, false)
		line.Press()
		line.Press()
		check("pressed", !rest, true)
		line.Release()
		check("released", rest, false)
		if b.Line("button") != line || line.Name() != "button" {
			t.Error("the name leads to another line")
		}
	}
}

func TestBounceTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		line := sim.New(func() time.Duration { return time.Since(start) }).Line("button")
		pin, err := line.OpenInput()
		if err != nil {
			t.Fatal(err)
		}
		if err := line.Bounce(t.Context(), time.Millisecond, 2*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		for i, want := range []time.Duration{0, time.Millisecond, 3 * time.Millisecond} {
			e, err := pin.NextEdge(0)
			if err != nil || e.At != want || e.Level != gpio.Level(i%2 == 0) || e.Lost != 0 {
				t.Errorf("edge %d: %+v, %v", i, e, err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := line.Bounce(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("Bounce with a context that has ended: %v", err)
		}
	})
}

func TestEverythingThatShowsIsAnnounced(t *testing.T) {
	b := sim.New(nil)
	lamp := b.Line("lamp")
	button := b.Wire("button", gpio.Low)
	var out *sim.Output
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"press", func() error { button.Press(); return nil }},
		{"new line", func() error { b.Line("other"); return nil }},
		{"open input", func() error { _, err := button.OpenInput(); return err }},
		{"open output", func() (err error) { out, err = lamp.OpenOutput(gpio.Low); return err }},
		{"lamp on", func() error { return out.Out(gpio.High) }},
		{"remove", func() error { b.Remove(); return nil }},
		{"insert", func() error { b.Insert(); return nil }},
	} {
		changed := b.Changed()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		select {
		case <-changed:
		default:
			t.Errorf("%s is not announced", step.name)
		}
	}
	if err := out.Out(gpio.High); !errors.Is(err, unix.ENODEV) {
		t.Errorf("Out of a lost output: %v", err)
	}
	if s := lamp.State(); s.Level == gpio.High || s.Output {
		t.Errorf("a lamp without its chip: %+v", s)
	}
	var names string
	for _, s := range b.Lines() {
		names += s.Name + " "
	}
	if names != "button lamp other " || !b.Present() {
		t.Errorf("lines %q, present %v", names, b.Present())
	}
}

func TestStampsNeverGoBackWhoeverDrives(t *testing.T) {
	line := sim.New(nil).Line("button")
	pin, err := line.OpenInput()
	if err != nil {
		t.Fatal(err)
	}
	const hands, each = 4, 100
	var wg sync.WaitGroup
	for range hands {
		wg.Go(func() {
			for range each {
				line.Toggle(1)
			}
		})
	}
	last := time.Duration(0)
	level := gpio.Low
	for i := range hands * each {
		e, err := pin.NextEdge(10 * time.Second)
		if err != nil || e.At < last || e.Level == level || e.Lost != 0 {
			t.Fatalf("edge %d after %v at %v: %+v, %v", i, level, last, e, err)
		}
		last, level = e.At, e.Level
	}
	wg.Wait()
}

func TestReadsFailOnDemand(t *testing.T) {
	line := sim.New(nil).Line("button")
	pin, err := line.OpenInput()
	if err != nil {
		t.Fatal(err)
	}
	line.FailReads(unix.EIO)
	if _, err := pin.Level(); !errors.Is(err, unix.EIO) {
		t.Errorf("got %v", err)
	}
	line.FailReads(nil)
	if _, err := pin.Level(); err != nil {
		t.Errorf("got %v", err)
	}
}
