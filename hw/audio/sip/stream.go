package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
	"golang.org/x/sys/unix"

	"nabat/hw/audio/g711"
	"nabat/hw/audio/rtp"
)

const (
	// deaf is how long a device may leave a question within a call unanswered,
	// pause the time between two questions: together under 5 s.
	deaf  = 3 * time.Second
	pause = time.Second
	// tail is how long the device keeps sound back to even the network out.
	tail = 200 * time.Millisecond
	// expedited is DSCP 46 as the kernel wants it.
	expedited = 46 << 2
)

// stream is an answered call.
type stream struct {
	c    *call
	conn *net.UDPConn
	talk *rtp.Talk
	run  context.Context
	stop context.CancelCauseFunc
	over func()
	// running is done when the goroutines of the stream have returned.
	running sync.WaitGroup
	once    sync.Once

	mu sync.Mutex
	// law and version are of the last description of ours; session never
	// changes. mu guards them.
	law              g711.Law
	session, version uint64
}

// call calls and returns the stream of the answered call. over is called once,
// when nothing of the call is left, whatever became of it.
func (d *Driver) call(ctx context.Context, over func()) (_ *stream, err error) {
	windsUp := false // somebody else calls over
	defer func() {
		if err != nil && !windsUp {
			over()
		}
	}()
	password, err := d.password()
	if err != nil {
		return nil, err
	}
	var c *call
	ready := make(chan struct{})
	a, err := d.newAgent(ctx, func(req *sip.Request, tx *sip.ServerTx) {
		<-ready
		c.serve(req, tx)
	})
	if err != nil {
		return nil, err
	}
	c = a.newCall(d)
	close(ready)
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: a.local.AsSlice()})
	if err != nil {
		a.close()
		return nil, fmt.Errorf("open a socket for the sound: %w", err)
	}
	s := &stream{c: c, conn: conn, over: over, session: rand.Uint64() >> 2, version: 1}
	fail := func(ended func(context.Context)) {
		windsUp = true
		_ = conn.Close()
		go func() { // over says when it has ended; Driver.Close waits for that
			defer over()
			defer a.close()
			end, cancel := context.WithTimeout(context.Background(), windUp)
			defer cancel()
			ended(end)
		}()
	}
	res, early, rung, err := c.invite(ctx, offer(s.local(), s.session, s.version, laws()...), password)
	switch {
	case err != nil && c.tx != nil && ctx.Err() != nil:
		fail(func(end context.Context) { c.abandon(end, rung) })
		return nil, err
	case err != nil:
		a.close()
		_ = conn.Close()
		return nil, err
	}
	description := res.Body()
	if len(description) == 0 {
		description = early
	}
	err = c.establish(res)
	var m media
	if err == nil {
		m, err = parse(description)
	}
	if err == nil && m.held {
		err = errors.New("the device answers, but does not want to hear: look for its audio or paging settings")
	}
	if err == nil {
		s.law = m.law
		err = s.aim(m)
	}
	if err != nil {
		fail(c.bye)
		return nil, err
	}
	s.begin(m)
	return s, nil
}

// local returns where our sound comes from.
func (s *stream) local() netip.AddrPort {
	return s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// aim connects the socket, so that only the device is heard, and what its kernel
// says of a closed port.
func (s *stream) aim(m media) error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("aim the sound: %w", err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = errors.Join(
			unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, expedited),
			unix.Connect(int(fd), &unix.SockaddrInet4{Addr: m.to.Addr().As4(), Port: int(m.to.Port())}),
		)
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("aim the sound at %s: %w", m.to, err)
	}
	return nil
}

// packets writes to the connected socket, which net does not know to be one.
type packets struct{ conn *net.UDPConn }

func (p packets) Write(b []byte) (int, error) {
	raw, err := p.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		failed = unix.Send(int(fd), b, unix.MSG_DONTWAIT)
		return true
	})
	return len(b), errors.Join(err, failed)
}

// begin starts the sound and the watch over the device.
func (s *stream) begin(m media) {
	s.talk = rtp.NewTalk(packets{s.conn}, rtp.TalkOptions{Law: m.law, Packet: m.packet, Always: true, Log: s.c.d.o.Log})
	s.run, s.stop = context.WithCancelCause(context.Background())
	s.c.mu.Lock()
	s.c.stop, s.c.retarget, s.c.describe = s.stop, s.retarget, s.describe
	s.c.mu.Unlock()
	s.running.Go(func() { _ = s.talk.Run(s.run) }) // its methods say why
	s.running.Go(func() {
		if err := s.c.alive(s.run, wait); err != nil {
			s.stop(err)
		}
	})
	s.c.d.o.Log.Info("call answered", "device", s.c.d.String(), "sound", m.to.String())
}

func wait(ctx context.Context) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// retarget turns the sound to where the device wants it from now on. On hold it
// goes on to where it was: who holds a call hears no worse for it.
func (s *stream) retarget(m media) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.held {
		return nil
	}
	if m.law != s.law {
		return errors.New("another coding in the middle of a call is not spoken here")
	}
	return s.aim(m)
}

// describe is our side of the call once more, in the coding that was agreed.
func (s *stream) describe() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	return offer(s.local(), s.session, s.version, s.law)
}

// why adds whom and what to do to an error of the talk.
func (s *stream) why(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rtp.ErrRefused):
		return fmt.Errorf("call to %s: %w: the device has let go of the call", s.c.d, err)
	default:
		return fmt.Errorf("call to %s: %w", s.c.d, err)
	}
}

// Write implements audio.Stream.
func (s *stream) Write(ctx context.Context, samples []int16) error {
	return s.why(s.talk.Write(ctx, samples))
}

// Flush implements audio.Stream. Up to one packet has been sent and sounds.
func (s *stream) Flush() error { return s.why(s.talk.Flush()) }

// Drain implements audio.Stream.
func (s *stream) Drain(ctx context.Context) error { return s.why(s.talk.Drain(ctx, tail)) }

// Close stops the sound at once and hangs up, of which the device's answer is
// waited for in the background.
func (s *stream) Close() error {
	s.once.Do(func() {
		hungUp := errors.Is(context.Cause(s.run), errHungUp)
		s.stop(nil)
		s.running.Wait()
		_ = s.conn.Close()
		s.c.d.closed()
		go func() { // over says when it has ended; Driver.Close waits for that
			defer s.over()
			defer s.c.a.close()
			defer s.c.tx.Terminate()
			if hungUp {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), windUp)
			defer cancel()
			s.c.bye(ctx)
		}()
	})
	return nil
}
