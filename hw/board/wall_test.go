package board_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"periph.io/x/conn/v3/gpio"

	"nabat/hw/board"
	"nabat/hw/board/boardtest"
	"nabat/hw/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simWall is the simulated wall: the same cases run over the kernel's pins.
type simWall struct {
	*sim.Board
	button, tamper, lamp *sim.Line
	now                  func() time.Duration
}

// newSimWall makes a wall whose clock is the bubble's.
func newSimWall() *simWall {
	start := time.Now()
	now := func() time.Duration { return time.Since(start) }
	b := sim.New(now)
	return &simWall{Board: b, now: now, button: b.Line("button"), tamper: b.Line("tamper"), lamp: b.Line("lamp")}
}

func (w *simWall) OpenButton() (board.InputPin, error) { return w.button.OpenInput() }
func (w *simWall) OpenTamper() (board.InputPin, error) { return w.tamper.OpenInput() }
func (w *simWall) OpenLamp(initial gpio.Level) (board.OutputPin, error) {
	return w.lamp.OpenOutput(initial)
}
func (w *simWall) DriveButton(l gpio.Level) error { w.button.Drive(l); return nil }
func (w *simWall) DriveTamper(l gpio.Level) error { w.tamper.Drive(l); return nil }
func (w *simWall) Lamp() (gpio.Level, error)      { return w.lamp.State().Level, nil }
func (w *simWall) Remove() error                  { w.Board.Remove(); return nil }
func (w *simWall) Insert() error                  { w.Board.Insert(); return nil }
func (w *simWall) Now() time.Duration             { return w.now() }
func (w *simWall) Occupy() (func() error, error) {
	w.button.MakeBusy(true)
	return func() error { w.button.MakeBusy(false); return nil }, nil
}

func TestSimulatedWall(t *testing.T) {
	for _, c := range boardtest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Run(t, newSimWall()) })
		})
	}
}
