package gpio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"nabat/hw/point"
)

var _ point.InputPin = (*Input)(nil)

// bufferSize is the largest event buffer that the kernel grants a line.
const bufferSize = 1024

// Input is a line held as an input. The kernel collects its edges from the
// moment it is opened, up to 1024 of them, and drops the oldest beyond that.
// One goroutine at a time waits for edges; all else may come from anywhere.
type Input struct {
	id   LineID
	file *os.File

	reading sync.Mutex // held by the goroutine that reads edges; guards the next four
	queue   []event
	buf     []byte
	tally   tally
	failed  error // why the pin is unusable, for good

	mu     sync.Mutex // guards the next four, and orders them with the file's deadline
	halted bool
	since  time.Duration // edges before this are of an earlier In
	round  uint64        // counts calls of In
	pull   gpio.Pull

	level atomic.Bool // as last read
}

// OpenInput holds the line and reports both its edges. pull chooses the bias:
// PullUp, PullDown, Float to switch it off, PullNoChange to leave it alone, as
// is right for a line with a resistor of its own. consumer is the name that
// other programs see.
//
// The error says ENODEV when the chip is not there, EBUSY when the line is held.
func OpenInput(id LineID, pull gpio.Pull, consumer string) (*Input, error) {
	config, err := inputConfig(pull, gpio.BothEdges)
	if err != nil {
		return nil, fmt.Errorf("line %s: %w", id, err)
	}
	file, err := request(id, consumer, config, bufferSize)
	if err != nil {
		return nil, err
	}
	p := &Input{id: id, file: file, pull: pull, buf: make([]byte, 64*eventSize)}
	// Without Go's poller a wait could neither end in time nor be halted.
	if err := setDeadline(file, time.Time{}); err != nil {
		return nil, errors.Join(fmt.Errorf("line %s cannot be waited for: %w", id, err), file.Close())
	}
	return p, nil
}

func inputConfig(pull gpio.Pull, edge gpio.Edge) (uapi.LineConfig, error) {
	flags := uapi.LineFlagV2Input
	switch pull {
	case gpio.PullNoChange:
	case gpio.Float:
		flags |= uapi.LineFlagV2BiasDisabled
	case gpio.PullDown:
		flags |= uapi.LineFlagV2BiasPullDown
	case gpio.PullUp:
		flags |= uapi.LineFlagV2BiasPullUp
	default:
		return uapi.LineConfig{}, fmt.Errorf("unknown bias %v", pull)
	}
	switch edge {
	case gpio.NoEdge:
	case gpio.RisingEdge:
		flags |= uapi.LineFlagV2EdgeRising
	case gpio.FallingEdge:
		flags |= uapi.LineFlagV2EdgeFalling
	case gpio.BothEdges:
		flags |= uapi.LineFlagV2EdgeBoth
	default:
		return uapi.LineConfig{}, fmt.Errorf("unknown edge %v", edge)
	}
	return uapi.LineConfig{Flags: flags}, nil
}

// setDeadline ends reads at t. On a closed file it fails with os.ErrClosed.
func setDeadline(f *os.File, t time.Time) error {
	err := f.SetReadDeadline(t)
	if err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return os.ErrClosed // as in control
	}
	return err
}

// Close gives the line back and ends a wait with os.ErrClosed.
func (p *Input) Close() error { return p.file.Close() }

// NextEdge is as point.InputPin says. An edge that is there already is returned
// whatever the timeout is.
func (p *Input) NextEdge(timeout time.Duration) (point.Edge, error) {
	e, _, err := p.next(timeout, false)
	return e, err
}

// WaitForEdge waits for an edge; -1 waits for ever. It returns false when the
// time ran out, when In or Halt was called, and when the pin became unusable:
// NextEdge tells which.
func (p *Input) WaitForEdge(timeout time.Duration) bool {
	_, ok, err := p.next(timeout, true)
	return ok && err == nil
}

// next returns the next edge. With untilIn it returns false, without an error,
// when In is called meanwhile.
func (p *Input) next(timeout time.Duration, untilIn bool) (point.Edge, bool, error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	var deadline time.Time
	if timeout >= 0 {
		deadline = time.Now().Add(timeout)
	}
	p.mu.Lock()
	began := p.round
	p.mu.Unlock()
	for {
		p.mu.Lock()
		halted, since, round := p.halted, p.since, p.round
		var err error
		if !halted {
			err = setDeadline(p.file, deadline)
		}
		p.mu.Unlock()
		switch {
		case halted:
			return point.Edge{}, false, point.ErrHalted
		case p.failed != nil:
			return point.Edge{}, false, p.failed
		case err != nil:
			return point.Edge{}, false, p.fail(err)
		case untilIn && round != began:
			return point.Edge{}, false, nil
		}
		for len(p.queue) > 0 {
			e := p.tally.edge(p.queue[0])
			p.queue = p.queue[1:]
			if e.At >= since {
				return e, true, nil
			}
		}
		err = p.fill()
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return point.Edge{}, false, p.fail(err)
		case !deadline.IsZero() && !time.Now().Before(deadline):
			return point.Edge{}, false, p.ended()
		}
		// Otherwise Halt or In pulled the deadline forward: look again.
	}
}

// ended returns the error of a wait whose time ran out, at the same moment as
// Halt perhaps.
func (p *Input) ended() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.halted {
		return point.ErrHalted
	}
	return os.ErrDeadlineExceeded
}

func (p *Input) fail(err error) error {
	p.failed = fmt.Errorf("read edges of line %s: %w", p.id, err)
	return p.failed
}

// fill reads what the kernel has, or waits for it until the file's deadline.
func (p *Input) fill() error {
	// os.File does not even try to read when the deadline has passed, and an
	// edge that waits must not be missed: so the first try is our own.
	n := 0
	err := control(p.file, func(fd uintptr) (err error) {
		for {
			n, err = unix.Read(int(fd), p.buf)
			if !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	})
	if errors.Is(err, unix.EAGAIN) {
		n, err = p.file.Read(p.buf)
	}
	switch {
	case err != nil:
		return err
	case n <= 0:
		return io.ErrUnexpectedEOF
	}
	p.queue, err = parseEvents(p.queue[:0], p.buf[:n])
	return err
}

// Level reads the level now, or says why it cannot.
func (p *Input) Level() (gpio.Level, error) {
	values := uapi.LineValues{Mask: 1}
	err := control(p.file, func(fd uintptr) error { return uapi.GetLineValuesV2(fd, &values) })
	if err != nil {
		return gpio.Low, fmt.Errorf("read level of line %s: %w", p.id, err)
	}
	level := gpio.Level(values.Get(0) == 1)
	p.level.Store(bool(level))
	return level, nil
}

// Read returns the level; when the pin has become unusable, the last one that
// could be read, so that a lost chip does not look like a press. Level tells
// the difference.
func (p *Input) Read() gpio.Level {
	if level, err := p.Level(); err == nil {
		return level
	}
	return gpio.Level(p.level.Load())
}

// In changes bias and edges and forgets the edges that wait. After Halt it
// fails: open the pin anew.
func (p *Input) In(pull gpio.Pull, edge gpio.Edge) error {
	config, err := inputConfig(pull, edge)
	if err != nil {
		return fmt.Errorf("line %s: %w", p.id, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.halted {
		return point.ErrHalted
	}
	err = control(p.file, func(fd uintptr) error { return uapi.SetLineConfigV2(fd, &config) })
	if err != nil {
		return fmt.Errorf("configure line %s: %w", p.id, err)
	}
	p.pull = pull
	p.since = point.Monotonic()
	p.round++
	// A past deadline wakes whoever waits, to look again.
	return setDeadline(p.file, time.Unix(1, 0))
}

// Halt ends every wait, now and later, with point.ErrHalted.
func (p *Input) Halt() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.halted = true
	err := setDeadline(p.file, time.Unix(1, 0))
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// Pull returns the bias that was asked for.
func (p *Input) Pull() gpio.Pull {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pull
}

// DefaultPull is not known to the kernel's interface.
func (p *Input) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// Name returns the line as LineID writes it.
func (p *Input) Name() string { return p.id.String() }

// Number returns the offset on the chip.
func (p *Input) Number() int { return p.id.Offset }

// Function returns "In". It asks nothing of the line.
func (p *Input) Function() string { return "In" }

func (p *Input) String() string { return p.id.String() }
