package gpio

import (
	"errors"
	"fmt"
	"os"

	"github.com/warthog618/go-gpiocdev/uapi"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"

	"nabat/hw/point"
)

var _ point.OutputPin = (*Output)(nil)

// Output is a line held as an output. Nothing but Out changes it. Its methods
// may be called from any goroutine.
type Output struct {
	id   LineID
	file *os.File
}

// OpenOutput holds the line as an output that has the initial level from the
// first moment. consumer is the name that other programs see.
//
// The error says ENODEV when the chip is not there, EBUSY when the line is held.
func OpenOutput(id LineID, initial gpio.Level, consumer string) (*Output, error) {
	config := uapi.LineConfig{Flags: uapi.LineFlagV2Output}
	values := uapi.NewLineBitmap(bit(initial))
	config.AddAttribute(uapi.LineConfigAttribute{Attr: uapi.OutputValues(values).Encode(), Mask: 1})
	file, err := request(id, consumer, config, 0)
	if err != nil {
		return nil, err
	}
	return &Output{id: id, file: file}, nil
}

// Out drives the line. ENODEV means that the chip is gone: open the pin anew.
func (p *Output) Out(level gpio.Level) error {
	values := uapi.LineValues{Bits: uapi.NewLineBitmap(bit(level)), Mask: 1}
	err := control(p.file, func(fd uintptr) error { return uapi.SetLineValuesV2(fd, values) })
	if err != nil {
		return fmt.Errorf("drive line %s: %w", p.id, err)
	}
	return nil
}

func bit(level gpio.Level) int {
	if level {
		return 1
	}
	return 0
}

// Close gives the line back. What it drives then is the chip's choice.
func (p *Output) Close() error { return p.file.Close() }

// PWM is not offered by the kernel's interface.
func (p *Output) PWM(gpio.Duty, physic.Frequency) error {
	return fmt.Errorf("PWM on line %s: %w", p.id, errors.ErrUnsupported)
}

// Halt leaves the level as it is: a lamp that shows an alarm goes on showing it.
func (p *Output) Halt() error { return nil }

// Name returns the line as LineID writes it.
func (p *Output) Name() string { return p.id.String() }

// Number returns the offset on the chip.
func (p *Output) Number() int { return p.id.Offset }

// Function returns "Out". It asks nothing of the line, and leaves it an output.
func (p *Output) Function() string { return "Out" }

func (p *Output) String() string { return p.id.String() }
