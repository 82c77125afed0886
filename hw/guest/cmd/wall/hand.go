package main

import (
	"time"

	"golang.org/x/sys/unix"

	"nabat/hw/guest/gpiosim"
)

// button is one contact on a simulated line.
type button struct {
	point string
	chip  *gpiosim.Chip
	line  int
	// restHigh says that the line is high while nobody presses.
	restHigh bool
}

// moment brackets something between two readings of CLOCK_MONOTONIC: it
// happened not before from and not after to.
type moment struct{ from, to time.Duration }

// stroke is one press: the contact's way down and up again.
type stroke struct{ down, up moment }

// atLeast and atMost are the bounds of how long the contact was closed.
func (s stroke) atLeast() time.Duration { return s.up.from - s.down.to }
func (s stroke) atMost() time.Duration  { return s.up.to - s.down.from }

// move presses or releases the button.
func (b button) move(pressed bool) (moment, error) {
	from := now()
	err := b.chip.Pull(b.line, pressed != b.restHigh)
	return moment{from: from, to: now()}, err
}

// press closes the contact for at least the given time.
func (b button) press(length time.Duration) (s stroke, err error) {
	if s.down, err = b.move(true); err != nil {
		return s, err
	}
	rest(s.down.to + length)
	s.up, err = b.move(false)
	return s, err
}

// rattle closes and opens the contact n times with pulses and pauses of the
// lengths that next returns, ends open, and returns the strokes.
func (b button) rattle(n int, next func() time.Duration) ([]stroke, error) {
	strokes := make([]stroke, 0, n)
	for range n {
		s, err := b.press(next())
		if err != nil {
			return nil, err
		}
		strokes = append(strokes, s)
		rest(s.up.to + next())
	}
	return strokes, nil
}

func now() time.Duration {
	var ts unix.Timespec
	// The call cannot fail for this clock on Linux.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

// rest waits until a time of CLOCK_MONOTONIC. It is the pace of the hand and
// never a wait for somebody else; Go's timers are too coarse for bounces.
func rest(until time.Duration) {
	ts := unix.NsecToTimespec(int64(until))
	for {
		err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil)
		if err != unix.EINTR { //nolint:errorlint // an errno, compared as the system call returns it
			return
		}
	}
}
