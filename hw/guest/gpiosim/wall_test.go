//go:build inguest

// These tests run inside a guest only; hw/guest builds them with the tag
// inguest and carries them there.

package gpiosim_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"

	"nabat/hw/board"
	"nabat/hw/board/boardtest"
	"nabat/hw/gpio"
	"nabat/hw/guest/gpiosim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	buttonLine = 0
	tamperLine = 1
	lampLine   = 2
)

// kernelWall is a wall whose pins are the kernel's.
type kernelWall struct {
	chip *gpiosim.Chip

	// mu keeps pins from being opened between the return of the chip, which
	// comes with all lines low, and that of its contacts.
	mu     sync.Mutex
	levels map[int]periph.Level
}

func newKernelWall(t *testing.T, label string) *kernelWall {
	chip, err := gpiosim.New(label, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chip.Delete(); err != nil {
			t.Errorf("clear the wall away: %v", err)
		}
	})
	return &kernelWall{chip: chip, levels: make(map[int]periph.Level)}
}

func (w *kernelWall) id(line int) gpio.LineID { return gpio.LineID{Chip: w.chip.Label(), Offset: line} }

// open requests a line without a bias, which gpio-sim would take for a contact.
func (w *kernelWall) open(line int, consumer string) (board.InputPin, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	pin, err := gpio.OpenInput(w.id(line), periph.PullNoChange, consumer)
	if err != nil {
		return nil, err
	}
	return pin, nil
}

func (w *kernelWall) OpenButton() (board.InputPin, error) { return w.open(buttonLine, "button") }
func (w *kernelWall) OpenTamper() (board.InputPin, error) { return w.open(tamperLine, "tamper") }

func (w *kernelWall) OpenLamp(initial periph.Level) (board.OutputPin, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	pin, err := gpio.OpenOutput(w.id(lampLine), initial, "lamp")
	if err != nil {
		return nil, err
	}
	return pin, nil
}

func (w *kernelWall) drive(line int, level periph.Level) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.levels[line] = level
	if !w.chip.Present() {
		return nil // the hand moves, no chip sees it
	}
	return w.chip.Pull(line, bool(level))
}

func (w *kernelWall) DriveButton(level periph.Level) error { return w.drive(buttonLine, level) }
func (w *kernelWall) DriveTamper(level periph.Level) error { return w.drive(tamperLine, level) }

func (w *kernelWall) Lamp() (periph.Level, error) {
	high, err := w.chip.Value(lampLine)
	return periph.Level(high), err
}

func (w *kernelWall) Remove() error { return w.chip.Remove() }

func (w *kernelWall) Insert() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.chip.Insert(); err != nil {
		return err
	}
	for line, level := range w.levels {
		if err := w.chip.Pull(line, bool(level)); err != nil {
			return err
		}
	}
	return nil
}

func (w *kernelWall) Occupy() (release func() error, err error) {
	pin, err := w.open(buttonLine, "another program")
	if err != nil {
		return nil, err
	}
	return pin.Close, nil
}

func (w *kernelWall) Now() time.Duration {
	var ts unix.Timespec
	// The call cannot fail for this clock on Linux.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

func TestKernelWall(t *testing.T) {
	for i, c := range boardtest.Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, newKernelWall(t, fmt.Sprintf("wall-%d", i))) })
	}
}
