// Package sim is a simulated board: pins that behave like the kernel's, wired
// to contacts and lamps that a test or a page operates.
//
// Like the kernel's character device it stamps edges with CLOCK_MONOTONIC,
// keeps the last 1024 of them for each open input and drops the oldest when
// nobody reads, refuses a line that is held, and answers ENODEV on everything
// once the chip is gone. All of it may be used from any goroutine.
package sim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"nabat/hw/point"
)

// Board is one simulated chip. Make it with New.
type Board struct {
	now func() time.Duration

	mu      sync.Mutex // guards the fields below and those of all lines and pins
	gone    bool
	lines   map[string]*Line
	changed chan struct{}
}

// Line is one line of the board, seen from the wall: the contact or lamp that
// is wired to it.
type Line struct {
	board  *Board
	name   string
	number int

	// Guarded by board.mu.
	rest  gpio.Level
	level gpio.Level
	busy  bool
	fault error
	in    *Input
	out   *Output
}

// State is what is to be seen of a line from outside.
type State struct {
	Name string
	// Level is the electrical level: what the contact or the output drives.
	Level gpio.Level
	// Pressed says that a contact is away from its rest.
	Pressed bool
	// Input and Output say that a program holds the line as such.
	Input, Output bool
}

// New makes a board without lines. now is the clock that stamps edges; nil is
// CLOCK_MONOTONIC.
func New(now func() time.Duration) *Board {
	if now == nil {
		now = point.Monotonic
	}
	return &Board{now: now, lines: make(map[string]*Line)}
}

// Wire connects a contact that rests at the given level to a line, and
// releases it. The line is made when it is first named.
func (b *Board) Wire(name string, rest gpio.Level) *Line {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lineLocked(name)
	l.rest = rest
	l.driveLocked(rest)
	return l
}

// Line returns the line of that name, made at rest on Low when it is new.
func (b *Board) Line(name string) *Line {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lineLocked(name)
}

func (b *Board) lineLocked(name string) *Line {
	l, ok := b.lines[name]
	if !ok {
		l = &Line{board: b, name: name, number: len(b.lines)}
		b.lines[name] = l
		b.wakeLocked()
	}
	return l
}

// Remove pulls the chip out: every held line is lost with ENODEV, lamps go
// dark, and nothing can be opened until Insert.
func (b *Board) Remove() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
	for _, l := range b.lines {
		if l.in != nil {
			l.in.loseLocked()
			l.in = nil
		}
		if l.out != nil {
			l.out.lost = true
			l.out = nil
			l.level = gpio.Low
		}
	}
	b.wakeLocked()
}

// Insert puts the chip back. Contacts are as the hand left them.
func (b *Board) Insert() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = false
	b.wakeLocked()
}

// Present says whether the chip is there.
func (b *Board) Present() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.gone
}

// Lines returns the state of all lines, sorted by name.
func (b *Board) Lines() []State {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]State, 0, len(b.lines))
	for _, l := range b.lines {
		list = append(list, l.stateLocked())
	}
	slices.SortFunc(list, func(x, y State) int { return cmp.Compare(x.Name, y.Name) })
	return list
}

// Changed returns a channel that is closed at the next change of anything that
// Lines or Present tells. Take the channel first, then look.
func (b *Board) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

func (b *Board) wakeLocked() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// Name returns the line's name.
func (l *Line) Name() string { return l.name }

// State returns what is to be seen of the line now.
func (l *Line) State() State {
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	return l.stateLocked()
}

func (l *Line) stateLocked() State {
	return State{
		Name: l.name, Level: l.level, Pressed: l.out == nil && l.level != l.rest,
		Input: l.in != nil, Output: l.out != nil,
	}
}

// Press takes the contact away from its rest. Pressing a pressed one does nothing.
func (l *Line) Press() {
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	l.driveLocked(!l.rest)
}

// Release lets the contact go back to its rest.
func (l *Line) Release() {
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	l.driveLocked(l.rest)
}

// Drive puts an electrical level on the line, as a wire would.
func (l *Line) Drive(level gpio.Level) {
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	l.driveLocked(level)
}

// Toggle changes the level n times as fast as it can.
func (l *Line) Toggle(n int) {
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	for range n {
		l.driveLocked(!l.level)
	}
}

// Bounce changes the level once, and once more after each gap, and returns
// after the last change or with the context's error.
func (l *Line) Bounce(ctx context.Context, gaps ...time.Duration) error {
	l.Toggle(1)
	for _, gap := range gaps {
		timer := time.NewTimer(gap)
		select {
		case <-timer.C:
			l.Toggle(1)
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	return nil
}

func (l *Line) driveLocked(level gpio.Level) {
	// A contact wired across a driven output does not move it.
	if level == l.level || l.out != nil {
		return
	}
	l.level = level
	if l.in != nil {
		l.in.edgeLocked(level)
	}
	l.board.wakeLocked()
}

// MakeBusy lets another program hold the line, or give it back. It does not
// take the line away from a pin that is open already.
func (l *Line) MakeBusy(busy bool) {
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	l.busy = busy
}

// FailReads makes every read of the line's level fail with err; nil ends it.
func (l *Line) FailReads(err error) {
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	l.fault = err
}

// holdLocked says why the line cannot be requested now.
func (l *Line) holdLocked() error {
	switch {
	case l.board.gone:
		return fmt.Errorf("simulated line %s: the chip is gone: %w", l.name, unix.ENODEV)
	case l.busy || l.in != nil || l.out != nil:
		return fmt.Errorf("simulated line %s is held by another program: %w", l.name, unix.EBUSY)
	}
	return nil
}
