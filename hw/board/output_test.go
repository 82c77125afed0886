package board_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"nabat/hw/board"
	"nabat/hw/point"
)

func TestLampIsTriedSeldomAndComesBackAsItShouldBe(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		tries := 0
		lamp := board.NewOutput("lamp", true, func(initial gpio.Level) (board.OutputPin, error) {
			tries++
			return w.OpenLamp(initial)
		})
		w.lamp.MakeBusy(true)
		for range 600 { // a caller that repeats itself ten times a second
			if err := lamp.Set(true); board.FaultOf(err) != point.FaultBusy || err == nil {
				t.Fatalf("Set of a busy lamp: %v", err)
			}
			pass(100 * time.Millisecond)
		}
		if tries < 10 || tries > 20 {
			t.Errorf("%d tries in a minute", tries)
		}
		w.lamp.MakeBusy(false)
		pass(5 * time.Second)
		if err := lamp.Set(true); err != nil {
			t.Fatal(err)
		}
		if l := w.lamp.State().Level; l != gpio.Low {
			t.Errorf("an active-low lamp that is on has %v", l)
		}
		if err := lamp.Set(false); err != nil || w.lamp.State().Level != gpio.High {
			t.Errorf("off: %v, %v", w.lamp.State().Level, err)
		}
		if err := errors.Join(lamp.Close(), lamp.Close()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := lamp.Set(true); !errors.Is(err, os.ErrClosed) || lamp.ID() != "lamp" {
			t.Errorf("Set after Close: %v", err)
		}
	})
}
