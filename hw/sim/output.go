package sim

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"

	"nabat/hw/point"
)

var _ point.OutputPin = (*Output)(nil)

// Output is an open output; what it drives shows in the line's State.
type Output struct {
	line *Line

	// Guarded by line.board.mu.
	lost   bool
	closed bool
}

// OpenOutput holds the line as an output that starts at the given level.
func (l *Line) OpenOutput(initial gpio.Level) (*Output, error) {
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	if err := l.holdLocked(); err != nil {
		return nil, err
	}
	l.out = &Output{line: l}
	l.level = initial
	l.board.wakeLocked()
	return l.out, nil
}

// Out drives the line.
func (p *Output) Out(level gpio.Level) error {
	p.line.board.mu.Lock()
	defer p.line.board.mu.Unlock()
	switch {
	case p.closed:
		return os.ErrClosed
	case p.lost:
		return fmt.Errorf("simulated line %s: the chip is gone: %w", p.line.name, unix.ENODEV)
	}
	if p.line.level != level {
		p.line.level = level
		p.line.board.wakeLocked()
	}
	return nil
}

// Close gives the line back; it keeps its level.
func (p *Output) Close() error {
	p.line.board.mu.Lock()
	defer p.line.board.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	p.closed = true
	if p.line.out == p {
		p.line.out = nil
		p.line.board.wakeLocked()
	}
	return nil
}

// PWM is not simulated.
func (p *Output) PWM(gpio.Duty, physic.Frequency) error {
	return fmt.Errorf("PWM on simulated line %s: %w", p.line.name, errors.ErrUnsupported)
}

// Halt leaves the level as it is: a lamp that shows an alarm goes on showing it.
func (p *Output) Halt() error { return nil }

// Name returns the line's name.
func (p *Output) Name() string { return p.line.name }

// Number returns the order in which the line was first named.
func (p *Output) Number() int { return p.line.number }

// Function returns "Out".
func (p *Output) Function() string { return "Out" }

func (p *Output) String() string { return "sim:" + p.line.name }
