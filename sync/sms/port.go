package sms

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"go.bug.st/serial"
)

// ctrlZ ends a message on the line: from then on the modem has it.
const ctrlZ = 0x1a

// lookAgain is how often a read looks whether the port was closed.
const lookAgain = 200 * time.Millisecond

var (
	errPortClosed = errors.New("the modem's line is closed")
	errPortStuck  = errors.New("the modem takes no bytes")
)

// port is a serial line whose reads, writes and end are bounded. The library's
// own port would let a write hang for ever, and would write into whatever file
// got the number of its closed descriptor. All methods may be called from any
// goroutine.
type port struct {
	line    serial.Port
	timeout time.Duration // of one write

	mu     sync.Mutex // guards the fields below
	closed bool
	handed bool
	users  sync.WaitGroup // reads and writes under way; Add only under mu
	ended  chan struct{}  // closed by Close
}

func openPort(device string, baud int, timeout time.Duration) (*port, error) {
	line, err := serial.Open(device, &serial.Mode{BaudRate: baud})
	if err != nil {
		return nil, fmt.Errorf("open modem %s: %w", device, err)
	}
	if err := line.SetReadTimeout(lookAgain); err != nil {
		return nil, errors.Join(fmt.Errorf("set up modem %s: %w", device, err), line.Close())
	}
	return &port{line: line, timeout: timeout, ended: make(chan struct{})}, nil
}

// use reports whether the port is open, and holds its descriptor until done.
func (p *port) use() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.users.Add(1)
	return true
}

// Read implements io.Reader. It returns when there are bytes, or an error when
// the port is closed or the modem is gone.
func (p *port) Read(b []byte) (int, error) {
	for {
		if !p.use() {
			return 0, errPortClosed
		}
		n, err := p.line.Read(b)
		p.users.Done()
		if err != nil {
			return n, fmt.Errorf("read from the modem: %w", err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// Write implements io.Writer. A modem that takes no bytes loses what waits for
// it, and the port is of no use any more.
func (p *port) Write(b []byte) (int, error) {
	if !p.use() {
		return 0, errPortClosed
	}
	defer p.users.Done()
	p.mu.Lock()
	p.handed = p.handed || len(b) > 0 && b[len(b)-1] == ctrlZ
	p.mu.Unlock()
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() {
		n, err := p.line.Write(b)
		done <- result{n, err}
	}()
	timer := time.NewTimer(p.timeout)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.n, r.err
	case <-timer.C:
	case <-p.ended:
	}
	// What waits is thrown away, which lets the write come to its end.
	for {
		err := p.line.ResetOutputBuffer()
		timer.Reset(lookAgain)
		select {
		case <-done:
			return 0, errPortStuck
		case <-timer.C:
			if err != nil {
				<-done // the line is gone, and every write to it fails at once
				return 0, errPortStuck
			}
		}
	}
}

// begin forgets earlier messages; gave reports whether one was handed over whole
// since then, or at least might have been.
func (p *port) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handed = false
}

func (p *port) gave() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.handed
}

// forget throws away what the modem said before it was asked.
func (p *port) forget() error {
	if !p.use() {
		return errPortClosed
	}
	defer p.users.Done()
	if err := p.line.ResetInputBuffer(); err != nil {
		return fmt.Errorf("clear the modem's line: %w", err)
	}
	return nil
}

// Close ends reads and writes, waits for them and closes the line.
func (p *port) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.ended)
	p.mu.Unlock()
	p.users.Wait()
	if err := p.line.Close(); err != nil {
		return fmt.Errorf("close the modem's line: %w", err)
	}
	return nil
}
