package rtp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"nabat/hw/audio"
)

// dial opens a socket to the group, with the interface looked up by its name
// anew: after an unplugged adapter it is another one.
func (d *Driver) dial(ctx context.Context) (*net.UDPConn, error) {
	var ifi *net.Interface
	if d.o.Interface != "" {
		var err error
		if ifi, err = Interface(d.o.Interface); err != nil {
			return nil, err
		}
	}
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = d.prepare(int(fd), ifi) }); e != nil {
			return e
		}
		return err
	}}
	if ifi != nil && !d.group.Addr().IsMulticast() {
		local, err := IPv4(ifi)
		if err != nil {
			return nil, err
		}
		dialer.LocalAddr = &net.UDPAddr{IP: local}
	}
	c, err := dialer.DialContext(ctx, "udp4", d.group.String())
	switch {
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EADDRNOTAVAIL):
		remedy := "plug the network cable in, or name the interface of the loudspeakers"
		if ifi != nil {
			remedy = fmt.Sprintf("give %s an IPv4 address", ifi.Name)
		}
		return nil, fmt.Errorf("there is no way to the loudspeakers' network: %s: %w (%w)", remedy, err, audio.ErrAbsent)
	case err != nil:
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	return c.(*net.UDPConn), nil
}

// prepare sets the options of a socket before it is connected, because the
// kernel chooses the way, and by it the sender's address, when it connects.
func (d *Driver) prepare(fd int, ifi *net.Interface) error {
	if d.o.DSCP > 0 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, d.o.DSCP<<2); err != nil {
			return fmt.Errorf("mark packets with DSCP %d: %w", d.o.DSCP, err)
		}
	}
	if !d.group.Addr().IsMulticast() {
		return nil
	}
	loop := 0
	if d.o.Loop {
		loop = 1
	}
	err := errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, d.o.TTL),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, loop),
	)
	if ifi != nil {
		err = errors.Join(err, unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifi.Index)}))
	}
	if err != nil {
		return fmt.Errorf("prepare a socket for multicast: %w", err)
	}
	return nil
}

// Interface finds a network interface that is up, and carries. Its error names
// those that there are.
func Interface(name string) (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the network interfaces: %w", err)
	}
	var names []string
	for _, ifi := range all {
		names = append(names, ifi.Name)
		if ifi.Name != name {
			continue
		}
		if ifi.Flags&net.FlagUp == 0 || ifi.Flags&net.FlagRunning == 0 {
			return nil, fmt.Errorf("interface %s: %w: switch it on, or plug its cable in (%w)", name, errDown, audio.ErrAbsent)
		}
		return &ifi, nil
	}
	return nil, fmt.Errorf("there is no network interface %q here, only %s: correct the configuration, or plug the adapter in (%w: %w)",
		name, strings.Join(names, ", "), os.ErrNotExist, audio.ErrAbsent)
}

// IPv4 returns the first address of an interface.
func IPv4(ifi *net.Interface) (net.IP, error) {
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", ifi.Name, err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			return n.IP.To4(), nil
		}
	}
	return nil, fmt.Errorf("interface %s has no IPv4 address: give it one (%w)", ifi.Name, audio.ErrAbsent)
}
