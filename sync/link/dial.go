package link

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Dialer returns a dialer of TCP connections that break when what was sent
// stays without the other machine's acknowledgement for longer than unacked.
// Without that the kernel goes on sending into a dead link for a quarter of an
// hour.
func Dialer(timeout, unacked time.Duration) net.Dialer {
	return net.Dialer{Timeout: timeout, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacked.Milliseconds()))
		}); e != nil {
			return e
		}
		if err != nil {
			return fmt.Errorf("set TCP_USER_TIMEOUT: %w", err)
		}
		return nil
	}}
}
