package mqtt

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// maxInbound is the largest packet that a broker may send us, in bytes. Only
// receipts and acknowledgements come; without a bound, four bytes from the
// broker would make the client allocate 256 MiB.
const maxInbound = 64 << 10

// maxUnwritten bounds what may wait for the socket: a full window of both
// lanes at the largest allowed size, and the status.
const maxUnwritten = 2*window*(maxMaxEvent+1024) + 1<<20

var (
	errInbound   = errors.New("the broker sends a packet that is too large")
	errUnwritten = errors.New("too much waits for the socket")
	errAborted   = errors.New("connection given up")
)

// wire is the connection under the MQTT client, with three properties that the
// client needs and a plain connection lacks: Write never blocks, so neither a
// ping nor a publish can hang on a dead link; after a failed write not one more
// byte goes out, so a packet that was cut can never swallow the next one; and
// one system call carries many small packets, both ways.
type wire struct {
	net.Conn // TLS or TCP
	raw      net.Conn
	timeout  time.Duration // of one write

	in    *bufio.Reader // the reading goroutine's
	frame frame         // the reading goroutine's

	mu      sync.Mutex // guards the fields below
	pending []byte
	err     error // why nothing is written any more
	closing bool

	kick    chan struct{} // something is pending, or closing
	flushed chan struct{} // closed when the flusher has ended
}

// newWire takes over conn; raw is the TCP connection below it. The caller must
// call Close or abort, which end the one goroutine started here.
func newWire(conn, raw net.Conn, timeout time.Duration) *wire {
	w := &wire{
		Conn: conn, raw: raw, timeout: timeout, in: bufio.NewReaderSize(conn, 8<<10),
		kick: make(chan struct{}, 1), flushed: make(chan struct{}),
	}
	go w.flush()
	return w
}

// Read implements net.Conn.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.in.Read(b)
	if err == nil {
		err = w.frame.pass(b[:n])
	}
	if err != nil {
		// Our own cause comes before what closing the socket looks like.
		return n, w.fail(err)
	}
	return n, nil
}

// Write implements net.Conn; it takes b over before it returns.
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	if w.err == nil && w.closing {
		w.err = net.ErrClosed
	}
	if w.err == nil && len(w.pending)+len(b) > maxUnwritten {
		w.err = errUnwritten
	}
	if err := w.err; err != nil {
		w.mu.Unlock()
		return 0, err
	}
	w.pending = append(w.pending, b...)
	w.mu.Unlock()
	w.nudge()
	return len(b), nil
}

func (w *wire) nudge() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// flush writes what is pending until the end.
func (w *wire) flush() {
	defer close(w.flushed)
	var buf []byte
	for {
		w.mu.Lock()
		buf, w.pending = w.pending, buf[:0]
		stop := w.err != nil || (w.closing && len(buf) == 0)
		w.mu.Unlock()
		switch {
		case stop:
			return
		case len(buf) == 0:
			<-w.kick
			continue
		}
		_ = w.Conn.SetWriteDeadline(time.Now().Add(w.timeout))
		if _, err := w.Conn.Write(buf); err != nil {
			_ = w.fail(fmt.Errorf("write: %w", err))
			return
		}
		if cap(buf) > 1<<20 {
			buf = nil // one huge event must not hold its memory for ever
		}
	}
}

// fail notes the first error, breaks the connection and returns that error.
func (w *wire) fail(err error) error {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	err = w.err
	w.mu.Unlock()
	_ = w.raw.Close()
	w.nudge()
	return err
}

// abort ends the connection at once and returns when its goroutine has ended.
func (w *wire) abort() {
	_ = w.fail(errAborted)
	<-w.flushed
}

// Close writes what is pending, for one timeout at most, and closes.
func (w *wire) Close() error {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	w.nudge()
	<-w.flushed
	err := w.Conn.Close()
	_ = w.raw.Close()
	return err
}

// cause returns why the connection broke, or nil.
func (w *wire) cause() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// SetDeadline sets the deadline of reads; writes have their own.
func (w *wire) SetDeadline(t time.Time) error { return w.SetReadDeadline(t) }

// SetWriteDeadline does nothing: the client would lift the deadline before the
// bytes have left.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// frame follows the packets in a byte stream and bounds their size.
type frame struct {
	state  frameState
	length int  // of the packet, as far as it was read
	shift  uint // of the next seven bits of length
	left   int  // bytes of the body that are still to come
}

type frameState uint8

const (
	frameHeader frameState = iota
	frameLength
	frameBody
)

func (f *frame) pass(b []byte) error {
	for len(b) > 0 {
		switch f.state {
		case frameHeader:
			*f = frame{state: frameLength}
			b = b[1:]
		case frameLength:
			f.length |= int(b[0]&0x7f) << f.shift
			f.shift += 7
			if f.length > maxInbound || f.shift > 28 {
				return fmt.Errorf("%d bytes or more: %w", f.length, errInbound)
			}
			if b[0]&0x80 == 0 {
				f.state, f.left = frameBody, f.length
			}
			b = b[1:]
		case frameBody:
			n := min(f.left, len(b))
			f.left -= n
			b = b[n:]
		}
		if f.state == frameBody && f.left == 0 {
			f.state = frameHeader
		}
	}
	return nil
}
