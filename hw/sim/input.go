package sim

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"nabat/hw/point"
)

var _ point.InputPin = (*Input)(nil)

// bufferSize is the largest event buffer that the kernel grants a line request.
const bufferSize = 1024

// Input is an open input. It keeps edges from the moment it is opened until
// Close. One goroutine at a time waits for edges; the rest is free.
type Input struct {
	line *Line

	// Guarded by line.board.mu.
	queue  []event
	seq    uint32 // of the last edge that happened
	read   uint32 // of the last edge that was read
	round  uint64 // counts calls of In
	edge   gpio.Edge
	pull   gpio.Pull
	lost   bool
	halted bool
	closed bool
	wake   chan struct{} // closed and replaced whenever a waiter has to look again
}

type event struct {
	level gpio.Level
	at    time.Duration
	seq   uint32
}

// OpenInput holds the line as an input that reports both edges.
func (l *Line) OpenInput() (*Input, error) {
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	if err := l.holdLocked(); err != nil {
		return nil, err
	}
	l.in = &Input{line: l, edge: gpio.BothEdges, pull: gpio.PullNoChange, wake: make(chan struct{})}
	l.board.wakeLocked()
	return l.in, nil
}

// Close gives the line back. Waiters return os.ErrClosed.
func (p *Input) Close() error {
	p.line.board.mu.Lock()
	defer p.line.board.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	p.closed = true
	if p.line.in == p {
		p.line.in = nil
	}
	p.wakeLocked()
	p.line.board.wakeLocked()
	return nil
}

// NextEdge is as point.InputPin says.
func (p *Input) NextEdge(timeout time.Duration) (point.Edge, error) {
	e, _, err := p.next(timeout, false)
	return e, err
}

// WaitForEdge waits for an edge; -1 waits for ever. It returns false when the
// time ran out, when In or Halt was called, and when the pin became unusable.
func (p *Input) WaitForEdge(timeout time.Duration) bool {
	_, ok, err := p.next(timeout, true)
	return ok && err == nil
}

// next returns the next edge. With untilIn it returns false, without an error,
// when In is called meanwhile.
func (p *Input) next(timeout time.Duration, untilIn bool) (point.Edge, bool, error) {
	var expired <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	mu := &p.line.board.mu
	mu.Lock()
	defer mu.Unlock()
	round := p.round
	for {
		switch {
		case p.halted:
			return point.Edge{}, false, point.ErrHalted
		case p.closed:
			return point.Edge{}, false, os.ErrClosed
		case p.lost:
			return point.Edge{}, false, p.errGone()
		case untilIn && p.round != round:
			return point.Edge{}, false, nil
		case len(p.queue) > 0:
			e := p.queue[0]
			p.queue = p.queue[1:]
			lost := e.seq - p.read - 1
			p.read = e.seq
			return point.Edge{Level: e.level, At: e.at, Lost: lost}, true, nil
		case timeout == 0:
			return point.Edge{}, false, os.ErrDeadlineExceeded
		}
		wake := p.wake
		mu.Unlock()
		select {
		case <-wake:
		case <-expired:
			timeout = 0
		}
		mu.Lock()
	}
}

// Level reads the level now, or says why it cannot.
func (p *Input) Level() (gpio.Level, error) {
	p.line.board.mu.Lock()
	defer p.line.board.mu.Unlock()
	switch {
	case p.closed:
		return gpio.Low, os.ErrClosed
	case p.lost:
		return gpio.Low, p.errGone()
	case p.line.fault != nil:
		return gpio.Low, fmt.Errorf("read simulated line %s: %w", p.line.name, p.line.fault)
	}
	return p.line.level, nil
}

// Read returns the level; the last one that the wire had when the pin is
// unusable. Level tells the difference.
func (p *Input) Read() gpio.Level {
	p.line.board.mu.Lock()
	defer p.line.board.mu.Unlock()
	return p.line.level
}

// In chooses the edges to report from now on and forgets those that wait.
func (p *Input) In(pull gpio.Pull, edge gpio.Edge) error {
	p.line.board.mu.Lock()
	defer p.line.board.mu.Unlock()
	switch {
	case p.halted:
		return point.ErrHalted
	case p.closed:
		return os.ErrClosed
	case p.lost:
		return p.errGone()
	}
	p.pull, p.edge = pull, edge
	p.queue = nil
	p.read = p.seq
	p.round++
	p.wakeLocked()
	return nil
}

// Halt ends every wait, now and later, with point.ErrHalted.
func (p *Input) Halt() error {
	p.line.board.mu.Lock()
	defer p.line.board.mu.Unlock()
	p.halted = true
	p.wakeLocked()
	return nil
}

// Pull returns the bias that In asked for; the wall decides the level anyway.
func (p *Input) Pull() gpio.Pull {
	p.line.board.mu.Lock()
	defer p.line.board.mu.Unlock()
	return p.pull
}

// DefaultPull is not known.
func (p *Input) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// Name returns the line's name.
func (p *Input) Name() string { return p.line.name }

// Number returns the order in which the line was first named.
func (p *Input) Number() int { return p.line.number }

// Function returns "In".
func (p *Input) Function() string { return "In" }

func (p *Input) String() string { return "sim:" + p.line.name }

func (p *Input) edgeLocked(level gpio.Level) {
	if (level == gpio.High && p.edge&gpio.RisingEdge == 0) || (level == gpio.Low && p.edge&gpio.FallingEdge == 0) {
		return
	}
	p.seq++
	if len(p.queue) == bufferSize {
		p.queue = p.queue[1:]
	}
	p.queue = append(p.queue, event{level: level, at: p.line.board.now(), seq: p.seq})
	p.wakeLocked()
}

// loseLocked drops what waits, as the kernel does when the chip goes.
func (p *Input) loseLocked() {
	p.lost = true
	p.queue = nil
	p.wakeLocked()
}

func (p *Input) wakeLocked() {
	close(p.wake)
	p.wake = make(chan struct{})
}

func (p *Input) errGone() error {
	return fmt.Errorf("simulated line %s: the chip is gone: %w", p.line.name, unix.ENODEV)
}
