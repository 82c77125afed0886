package seats

import (
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door is a listener in memory, because a bubble cannot wait for the kernel;
// the tests of gateway/web and gateway/control knock at real ones.
type door struct {
	peers chan net.Conn
	once  sync.Once
	shut  chan struct{}
}

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.peers:
		return c, nil
	case <-d.shut:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error   { d.once.Do(func() { close(d.shut) }); return nil }
func (d *door) Addr() net.Addr { return &net.UnixAddr{} }

// house runs a listener with n seats before which so many peers wait. let in
// is filled as they are accepted; ended holds why no more are.
func house(n, waiting int) (l net.Listener, in chan net.Conn, ended chan error) {
	d := &door{peers: make(chan net.Conn, waiting), shut: make(chan struct{})}
	for range waiting {
		ours, _ := net.Pipe()
		d.peers <- ours
	}
	l = Listen(d, n)
	in, ended = make(chan net.Conn, waiting), make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			in <- c
		}
	}()
	return l, in, ended
}

func TestSeatIsFreeAgainWhenItsPeerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, in, ended := house(2, 5)
		inside := func(want int) {
			t.Helper()
			synctest.Wait()
			if len(in) != want {
				t.Errorf("%d peers let in, want %d", len(in), want)
			}
		}
		inside(2)
		first := <-in
		inside(1)
		first.Close()
		inside(2)
		first.Close() // frees one seat only
		inside(2)
		l.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept ended with %v", err)
		}
	})
}

func TestCloseEndsAnAcceptThatWaitsForASeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, ended := house(1, 2)
		synctest.Wait()
		l.Close()
		l.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept ended with %v", err)
		}
	})
}

func TestFailedAcceptKeepsNoSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{peers: make(chan net.Conn, 1), shut: make(chan struct{})}
		close(d.shut) // Accept fails while the listener above it is open
		l := Listen(d, 1)
		for range 3 {
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept: %v", err)
			}
		}
	})
}
