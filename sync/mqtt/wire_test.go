package mqtt

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// cutConn takes limit bytes and then fails in the middle of a write.
type cutConn struct {
	net.Conn
	mu    sync.Mutex
	limit int
	got   bytes.Buffer
}

func (c *cutConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(b), c.limit)
	c.limit -= n
	c.got.Write(b[:n])
	if n < len(b) {
		c.limit = 1 << 20 // the network is back: a second write would work
		return n, os.ErrDeadlineExceeded
	}
	return n, nil
}

func (c *cutConn) SetWriteDeadline(time.Time) error { return nil }

func TestAfterACutPacketNotOneByteMoreGoesOut(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close() //nolint:errcheck // a pipe
	c := &cutConn{Conn: ours, limit: 10}
	w := newWire(c, ours, time.Second)
	if _, err := w.Write([]byte("0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	<-w.flushed
	if _, err := w.Write([]byte("next packet")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the next write gives %v, want the first failure", err)
	}
	w.abort()
	if got := c.got.String(); got != "0123456789" {
		t.Errorf("%q went out", got)
	}
	if _, err := w.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read gives %v, want the first failure", err)
	}
}

func TestWriteNeverBlocksAndIsBounded(t *testing.T) {
	ours, theirs := net.Pipe() // nobody reads
	defer theirs.Close()       //nolint:errcheck // a pipe
	w := newWire(ours, ours, time.Hour)
	chunk := make([]byte, 1<<20)
	var err error
	for range 2*maxUnwritten/len(chunk) + 2 {
		if _, err = w.Write(chunk); err != nil {
			break
		}
	}
	if !errors.Is(err, errUnwritten) {
		t.Errorf("got %v, want the bound", err)
	}
	w.abort()
}

func TestCloseWritesWhatIsPending(t *testing.T) {
	ours, theirs := net.Pipe()
	w := newWire(ours, ours, time.Second)
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(theirs)
		got <- b
	}()
	for range 100 {
		if _, err := w.Write([]byte("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if b := <-got; len(b) != 1000 {
		t.Errorf("%d bytes arrived, want 1000", len(b))
	}
}

func TestAPacketThatIsTooLargeEndsTheConnectionUnread(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close() //nolint:errcheck // a pipe
	w := newWire(ours, ours, time.Second)
	defer w.abort()
	go func() { _, _ = theirs.Write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0, 0}) }()
	if _, err := packets.ReadPacket(w); !errors.Is(err, errInbound) {
		t.Errorf("got %v, want errInbound", err)
	}
}

// FuzzFrame compares the follower with the client's own reading, cut at any
// places.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0xd0, 0, 0x40, 2, 0, 1, 0x30, 5, 0, 1, 'a', 'b', 'c'}, uint8(1))
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x80, 1}, uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		var one, parts frame
		errOne := one.pass(b)
		var errParts error
		for rest := b; len(rest) > 0 && errParts == nil; {
			n := min(int(cut)+1, len(rest))
			errParts = parts.pass(rest[:n])
			rest = rest[n:]
		}
		if (errOne == nil) != (errParts == nil) || (errOne == nil && one != parts) {
			t.Fatalf("whole: %v %+v, in parts: %v %+v", errOne, one, errParts, parts)
		}
		if one.left < 0 || one.left > maxInbound {
			t.Fatalf("%d bytes are due", one.left)
		}
	})
}
