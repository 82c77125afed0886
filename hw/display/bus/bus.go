// Package bus opens the I2C and SPI buses that displays hang on, by the names
// of their devices, and says what to do when one is not there.
//
// It uses periph's packages for the kernel's own interface and nothing else of
// periph's host: no registry, no driver of a particular board.
package bus

import (
	"errors"
	"fmt"
	"os"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/host/v3/sysfs"
)

// I2C opens a bus such as "/dev/i2c-1". A transfer on it may take as long as
// the kernel's driver likes, because the kernel's own limit is one of that
// driver; whoever must not wait bounds the call from outside.
func I2C(device string) (i2c.BusCloser, error) {
	var number int
	if n, err := fmt.Sscanf(device, "/dev/i2c-%d", &number); n != 1 || err != nil || device != fmt.Sprintf("/dev/i2c-%d", number) {
		return nil, fmt.Errorf("I2C bus %q: want a name such as /dev/i2c-1", device)
	}
	if err := present(device, "I2C", "i2c"); err != nil {
		return nil, err
	}
	b, err := sysfs.NewI2C(number)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w; is its kernel module i2c-dev loaded?", device, err)
	}
	return b, nil
}

// SPI opens a port such as "/dev/spidev0.0", bytes in mode 0, at no more than
// speed. The kernel drives the chip select.
func SPI(device string, speed physic.Frequency) (*Port, error) {
	var number, chip int
	if n, err := fmt.Sscanf(device, "/dev/spidev%d.%d", &number, &chip); n != 2 || err != nil || device != fmt.Sprintf("/dev/spidev%d.%d", number, chip) {
		return nil, fmt.Errorf("SPI port %q: want a name such as /dev/spidev0.0", device)
	}
	if err := present(device, "SPI", "spi"); err != nil {
		return nil, err
	}
	p, err := sysfs.NewSPI(number, chip)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", device, err)
	}
	c, err := p.Connect(speed, spi.Mode0, 8)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set up %s: %w", device, err), p.Close())
	}
	return &Port{port: p, conn: c}, nil
}

// Port is an open SPI port. It is used by one goroutine.
type Port struct {
	port spi.PortCloser
	conn spi.Conn
}

// Conn returns what bytes are sent through.
func (p *Port) Conn() spi.Conn { return p.conn }

// Close gives the port back. Closing twice is allowed.
func (p *Port) Close() error {
	if p.port == nil {
		return nil
	}
	port := p.port
	p.port = nil
	return port.Close()
}

// present says what to do when a device cannot be there.
func present(device, name, group string) error {
	switch _, err := os.Stat(device); {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s is not there: switch %s on (raspi-config, Interface Options) or plug its adapter in: %w", device, name, err)
	case err != nil:
		return fmt.Errorf("look at %s: %w", device, err)
	}
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s may not be opened: add the service's user to the group %s: %w", device, group, err)
	case err != nil:
		return fmt.Errorf("open %s: %w", device, err)
	}
	return f.Close()
}
