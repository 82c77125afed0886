package sms

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// ctrlZ ends a message on the line: from then on the modem has it.
const ctrlZ = 0x1a

// port is a serial line whose writes and end are bounded. The library sets the
// line up and clears it; bytes go over a descriptor of our own, because the
// library's writes hang for ever on a modem that takes none, and would go into
// whatever file got the number of its closed descriptor. All methods may be
// called from any goroutine.
type port struct {
	file    *os.File
	timeout time.Duration // of one write
	handed  atomic.Bool

	mu   sync.Mutex // guards line, which is nil when closed
	line serial.Port
}

func openPort(device string, baud int, timeout time.Duration) (*port, error) {
	// First ours: the library's keeps others out.
	file, err := os.OpenFile(device, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open modem: %w", err)
	}
	line, err := serial.Open(device, &serial.Mode{BaudRate: baud})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set up modem %s: %w", device, err), file.Close())
	}
	return &port{file: file, line: line, timeout: timeout}, nil
}

// Read implements io.Reader.
func (p *port) Read(b []byte) (int, error) { return p.file.Read(b) }

// Write implements io.Writer. After an error the line is of no use any more:
// nobody knows what the modem has understood.
func (p *port) Write(b []byte) (int, error) {
	if len(b) > 0 && b[len(b)-1] == ctrlZ {
		p.handed.Store(true)
	}
	if err := p.file.SetWriteDeadline(time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	return p.file.Write(b)
}

// begin forgets earlier messages; gave reports whether one was handed over
// since then, or at least might have been.
func (p *port) begin()     { p.handed.Store(false) }
func (p *port) gave() bool { return p.handed.Load() }

// forget throws away what the modem said before it was asked.
func (p *port) forget() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line == nil {
		return os.ErrClosed
	}
	if err := p.line.ResetInputBuffer(); err != nil {
		return fmt.Errorf("clear the modem's line: %w", err)
	}
	return nil
}

// Close ends reads and writes and closes the line.
func (p *port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line == nil {
		return nil
	}
	// What waits is thrown away, or the kernel would wait for the modem to take it.
	_ = p.line.ResetOutputBuffer() // a line that is gone has nothing left
	err := errors.Join(p.file.Close(), p.line.Close())
	p.line = nil
	if err != nil {
		return fmt.Errorf("close the modem's line: %w", err)
	}
	return nil
}
