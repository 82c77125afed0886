package rtp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nabat/hw/audio"
)

// stream is an open group.
type stream struct {
	d    *Driver
	conn *net.UDPConn
	talk *Talk
	stop context.CancelFunc
	// ended is done when the goroutines of the stream have returned.
	ended sync.WaitGroup
	once  sync.Once
	err   error // of the first Close
}

func (d *Driver) newStream(ctx context.Context) (*stream, error) {
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	s := &stream{d: d, conn: conn, talk: NewTalk(conn, TalkOptions{Log: d.o.Log})}
	run, stop := context.WithCancelCause(context.Background())
	s.stop = func() { stop(nil) }
	s.ended.Go(func() {
		defer stop(nil)
		_ = s.talk.Run(run) // its methods say why
	})
	s.ended.Go(func() { d.watch(run, stop) })
	return s, nil
}

// watch ends the talk when the interface goes down: the kernel takes packets for
// an unplugged cable without a word.
func (d *Driver) watch(ctx context.Context, stop context.CancelCauseFunc) {
	if d.o.Interface == "" {
		return
	}
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if _, err := Interface(d.o.Interface); err != nil {
			stop(err)
			return
		}
	}
}

// why adds where and what to do to an error of the talk.
func (s *stream) why(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrRefused):
		return fmt.Errorf("RTP to %s: %w: check the port in the loudspeaker's settings", s.d.group, err)
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("RTP to %s: the network went away: is its interface up? %w (%w)", s.d.group, err, audio.ErrAbsent)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("RTP to %s: %w: the firewall of this machine forbids it", s.d.group, err)
	default:
		return fmt.Errorf("RTP to %s: %w", s.d.group, err)
	}
}

// Write implements audio.Stream.
func (s *stream) Write(ctx context.Context, samples []int16) error {
	return s.why(s.talk.Write(ctx, samples))
}

// Flush implements audio.Stream. Up to one packet has been sent and sounds; the
// loudspeakers' own buffers cannot be reached.
func (s *stream) Flush() error { return s.why(s.talk.Flush()) }

// Drain implements audio.Stream.
func (s *stream) Drain(ctx context.Context) error {
	return s.why(s.talk.Drain(ctx, s.d.c.tail))
}

// Close implements audio.Stream.
func (s *stream) Close() error {
	s.once.Do(func() {
		s.stop()
		s.ended.Wait()
		if s.d.c.goodbye {
			s.goodbye()
		}
		if err := s.conn.Close(); err != nil {
			s.err = fmt.Errorf("RTP to %s: close: %w", s.d.group, err)
		}
		s.d.closed()
	})
	return s.err
}

// goodbye tells receivers that the stream is over (RFC 3550, 6.6), on the port
// after that of the sound, so that they need not wait for a packet that does not
// come. It may be lost; they wait then.
func (s *stream) goodbye() {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return
	}
	const report, bye, version = 201, 203, 0x80
	packet := []byte{version, report, 0, 1, 0, 0, 0, 0, version | 1, bye, 0, 1, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(packet[4:], s.talk.Source())
	binary.BigEndian.PutUint32(packet[12:], s.talk.Source())
	to := &unix.SockaddrInet4{Addr: s.d.group.Addr().As4(), Port: int(s.d.group.Port()) + 1}
	_ = raw.Write(func(fd uintptr) bool {
		// A hint, not a promise: the next Open would say what is wrong.
		_ = unix.Sendto(int(fd), packet, unix.MSG_DONTWAIT, to)
		return true
	})
}
