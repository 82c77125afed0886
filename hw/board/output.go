package board

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"nabat/hw/point"
)

// OutputPin is an output that can be given back.
type OutputPin interface {
	point.OutputPin
	io.Closer
}

// Output is one lamp or relay that opens its pin by itself, whenever it has to
// be set and is not open. It starts nothing; all methods may be called from any
// goroutine. Make it with NewOutput.
type Output struct {
	id        string
	activeLow bool
	open      func(initial gpio.Level) (OutputPin, error)

	mu      sync.Mutex // guards the fields below
	pin     OutputPin  // nil: not open
	err     error      // why it is not open
	next    time.Time  // when opening is tried again
	backoff time.Duration
	closed  bool
}

// NewOutput makes an output. open requests the pin with the level that it has
// to have from the first moment; activeLow: the lamp lights on Low.
func NewOutput(id string, activeLow bool, open func(initial gpio.Level) (OutputPin, error)) *Output {
	return &Output{id: id, activeLow: activeLow, open: open}
}

// ID returns the point's id.
func (o *Output) ID() string { return o.id }

// Set switches the output. When the pin has failed it is opened anew at once;
// when that fails too, further calls return the same error without touching
// the hardware until the back-off (100 ms to 5 s) is over. So a caller that
// repeats Set every few seconds gets the lamp back by itself. FaultOf names the
// fault behind the error.
func (o *Output) Set(on bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return fmt.Errorf("output %s: %w", o.id, os.ErrClosed)
	}
	level := gpio.Level(on != o.activeLow)
	if o.pin != nil {
		err := o.pin.Out(level)
		if err == nil {
			o.backoff = 0
			return nil
		}
		o.dropLocked(err)
	}
	if o.err != nil && time.Now().Before(o.next) {
		return o.err
	}
	pin, err := o.open(level)
	if err != nil {
		o.err = fmt.Errorf("output %s: %w", o.id, err)
		o.backoff = min(max(2*o.backoff, firstBackoff), maxBackoff)
		o.next = time.Now().Add(o.backoff)
		return o.err
	}
	o.pin, o.err = pin, nil
	return nil
}

func (o *Output) dropLocked(err error) {
	// The pin is useless already; a failing Close changes nothing.
	_ = o.pin.Close()
	o.pin = nil
	o.err = fmt.Errorf("output %s: %w", o.id, err)
}

// Close gives the pin back as it is now; what a released line drives is the
// chip's choice, so switch the output as it should stay before. Later Sets fail.
func (o *Output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	o.closed = true
	if o.pin == nil {
		return nil
	}
	err := o.pin.Close()
	o.pin = nil
	if err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("output %s: %w", o.id, err)
	}
	return nil
}
