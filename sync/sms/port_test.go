package sms

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/creack/pty"
)

// stuckPort is a port whose far end reads nothing.
func stuckPort(t *testing.T, timeout time.Duration) *port {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(slave.Close(), master.Close()); err != nil {
			t.Error(err)
		}
	})
	p, err := openPort(slave.Name(), 115200, timeout)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAModemThatTakesNoBytes(t *testing.T) {
	p := stuckPort(t, 50*time.Millisecond)
	if n, err := p.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote %d: %v", n, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// The end of the program does not wait for a modem that takes no bytes.
func TestCloseEndsAWrite(t *testing.T) {
	p := stuckPort(t, time.Hour)
	written := make(chan error, 1)
	go func() {
		_, err := p.Write(make([]byte, 1<<20))
		written <- err
	}()
	read := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 1))
		read <- err
	}()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-written; err == nil {
		t.Error("a write of a mebibyte was taken by nobody")
	}
	if err := <-read; err == nil {
		t.Error("a byte came from nobody")
	}
}

// The number of a closed descriptor is soon another file's.
func TestAClosedPortTouchesNothing(t *testing.T) {
	p := stuckPort(t, time.Second)
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write([]byte("AT\r")); err == nil {
		t.Error("it was written somewhere")
	}
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	if err := p.forget(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("forget: %v", err)
	}
}
