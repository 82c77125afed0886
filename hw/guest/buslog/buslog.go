// Package buslog is the far end of the guest's buses (the kernel module
// nabat_bus): it reads what drivers sent, and makes a bus fail, hang, go away
// and come back. It runs inside a guest, as root, with debugfs mounted.
package buslog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Devices of the buses.
const (
	I2C = "/dev/i2c-7"
	SPI = "/dev/spidev5.0"
)

const (
	debugfs    = "/sys/kernel/debug/nabat_bus"
	parameters = "/sys/module/nabat_bus/parameters"
)

// Sent is one transfer to a device.
type Sent struct {
	// SPI says which bus it was.
	SPI bool
	// Address is that of an I2C device, or the chip select.
	Address int
	// Level is that of the watched line, and false where none is watched.
	Level bool
	Bytes []byte
}

// head goes before each transfer: kind, level, address, length.
const head = 8

// Parse reads a log. What is left of a transfer that is not complete is
// returned as rest.
func Parse(log []byte) (list []Sent, rest []byte, err error) {
	for len(log) >= head {
		n := binary.LittleEndian.Uint32(log[4:8])
		if log[0] != 'i' && log[0] != 's' {
			return list, nil, fmt.Errorf("log of the buses: a transfer of kind %#x", log[0])
		}
		if uint64(len(log)-head) < uint64(n) {
			break
		}
		list = append(list, Sent{
			SPI: log[0] == 's', Level: log[1] == 1, Address: int(binary.LittleEndian.Uint16(log[2:4])), Bytes: log[head : head+int(n) : head+int(n)],
		})
		log = log[head+int(n):]
	}
	return list, log, nil
}

// Reader reads the log. One goroutine uses it, and there is one at a time.
type Reader struct {
	file *os.File
	rest []byte
}

// Open opens the log.
func Open() (*Reader, error) {
	f, err := os.Open(filepath.Join(debugfs, "log"))
	if err != nil {
		return nil, fmt.Errorf("log of the buses (add nabat_bus to the guest's modules, mount debugfs): %w", err)
	}
	return &Reader{file: f}, nil
}

// Close closes the log.
func (r *Reader) Close() error { return r.file.Close() }

// Read returns what was sent since the last call. It does not wait.
func (r *Reader) Read() ([]Sent, error) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := r.file.Read(buffer)
		r.rest = append(r.rest, buffer[:n]...)
		if errors.Is(err, io.EOF) || (err == nil && n == 0) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the log of the buses: %w", err)
		}
	}
	list, rest, err := Parse(r.rest)
	r.rest = append([]byte(nil), rest...)
	if err != nil {
		return nil, err
	}
	lost, err := number(filepath.Join(debugfs, "lost"))
	if err == nil && lost > 0 {
		err = fmt.Errorf("%d transfers did not fit into the log of the buses: read it more often", lost)
	}
	return list, err
}

// Watch notes the level of a GPIO line with every transfer.
func Watch(chip string, line int) error {
	return errors.Join(write(filepath.Join(parameters, "watch_chip"), chip), write(filepath.Join(parameters, "watch_line"), strconv.Itoa(line)))
}

// Bus is one of the buses, to be troubled.
type Bus string

// The buses.
const (
	OfI2C Bus = "i2c"
	OfSPI Bus = "spi"
)

func (b Bus) set(name string, value int) error {
	return write(filepath.Join(debugfs, string(b), name), strconv.Itoa(value))
}

// Fail makes every transfer end with an errno; 0 ends that.
func (b Bus) Fail(errno int) error { return b.set("error", errno) }

// Silence lets one I2C address not acknowledge, as if the device were
// unplugged; 0 plugs it in again.
func (b Bus) Silence(address int) error { return b.set("silent", address) }

// Hang makes transfers wait until it is called with false.
func (b Bus) Hang(hang bool) error {
	if hang {
		return b.set("hang", 1)
	}
	return b.set("hang", 0)
}

// Remove takes the bus away. The I2C device goes when nobody has it open.
func (b Bus) Remove() error { return b.set("present", 0) }

// Insert puts the bus back.
func (b Bus) Insert() error { return b.set("present", 1) }

// Present says whether the bus is there.
func (b Bus) Present() (bool, error) {
	n, err := number(filepath.Join(debugfs, string(b), "present"))
	return n != 0, err
}

func write(file, text string) error {
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("trouble a bus: %w", err)
	}
	return nil
}

func number(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("ask a bus: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("ask a bus: %w", err)
	}
	return n, nil
}
