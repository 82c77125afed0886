package cursor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// NetworkWatch hears from the kernel when a network comes up, so that no
// back-off waits out a link that is there again. It sends nothing.
type NetworkWatch struct {
	mu sync.Mutex
	up chan struct{} // guarded by mu; closed and replaced at each change
}

// NewNetworkWatch returns a watch that does nothing until Run.
func NewNetworkWatch() *NetworkWatch { return &NetworkWatch{up: make(chan struct{})} }

// Up returns a channel that is closed when a link gains its carrier, an
// address is given or a default route appears. Any goroutine may call it.
func (w *NetworkWatch) Up() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.up
}

func (w *NetworkWatch) signal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.up)
	w.up = make(chan struct{})
}

// Run listens until ctx ends, then returns nil. An error means that the kernel
// offers no such socket; back-offs then run their full time, no more.
func (w *NetworkWatch) Run(ctx context.Context) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open a netlink socket to watch networks: %w", err)
	}
	f := os.NewFile(uintptr(fd), "netlink")
	defer f.Close() //nolint:errcheck // a socket that was only read
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR |
		unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		return fmt.Errorf("join the netlink groups of links, addresses and routes: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 64<<10)
	for {
		n, err := f.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS):
			// The kernel dropped messages: something happened.
			w.signal()
		case err != nil:
			return fmt.Errorf("read the netlink socket: %w", err)
		case cameUp(buf[:n]):
			w.signal()
		}
	}
}

// cameUp reports whether one of the messages says that a network came up. A
// message that cannot be read counts as no.
func cameUp(b []byte) bool {
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return false
	}
	for _, m := range messages {
		switch m.Header.Type {
		case unix.RTM_NEWADDR:
			return true
		case unix.RTM_NEWLINK:
			// struct ifinfomsg: family, pad, type(2), index(4), flags(4), change(4).
			if len(m.Data) >= unix.SizeofIfInfomsg && binary.NativeEndian.Uint32(m.Data[8:])&unix.IFF_LOWER_UP != 0 {
				return true
			}
		case unix.RTM_NEWROUTE:
			// struct rtmsg: family, dst_len, src_len, tos, table, …
			if len(m.Data) >= unix.SizeofRtMsg && m.Data[1] == 0 && m.Data[4] == unix.RT_TABLE_MAIN {
				return true
			}
		}
	}
	return false
}
