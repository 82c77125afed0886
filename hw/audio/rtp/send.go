package rtp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pion/rtp"
	"golang.org/x/sys/unix"
)

const (
	// burst is how many packets go out at once after a late wake-up; what is
	// later than that moves the whole stream, because a receiver throws away what
	// it cannot keep.
	burst = 5
	// hush is how long silence is sent while nothing is written; then the talk
	// spurt is over, so that loudspeakers go back to their music.
	hush = time.Second
)

// ErrRefused is wrapped when the far side says again and again that nobody
// takes the packets there.
var ErrRefused = errors.New("nobody takes the packets at the far side")

// Run sends until ctx ends, then it returns nil, or the cause that ctx was ended
// with; or until packets cannot be sent. It is called once. After it the other
// methods fail, with that cause.
func (t *Talk) Run(ctx context.Context) (err error) {
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.err = errEnded
		if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		if err != nil {
			t.err = err
		}
		close(t.done)
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	quiet := time.Now()
	for {
		if !t.o.Always {
			select {
			case <-ctx.Done():
				return nil
			case <-t.fresh:
			}
			if t.waiting() == 0 {
				continue // it was said of what has been sent since
			}
		}
		t.stamp += uint32(time.Since(quiet)/t.o.Packet) * uint32(t.size)
		quiet, err = t.spurt(ctx, timer)
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// spurt sends packets, the first with the marker, until nothing has been
// written for hush; it returns when the next packet would have been due.
func (t *Talk) spurt(ctx context.Context, timer *time.Timer) (time.Time, error) {
	due, empty := time.Now(), 0
	if !t.o.Always && t.waiting() < t.size {
		// The rest of the first packet is about to be written.
		due = due.Add(t.o.Packet)
	}
	for marker := true; ; marker = false {
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return due, nil
			case <-timer.C:
			}
		} else if ctx.Err() != nil {
			return due, nil
		}
		if late := time.Since(due); late > burst*t.o.Packet {
			t.o.Log.Warn("sound was late", "late", late)
			due = due.Add(late - burst*t.o.Packet)
		}
		payload, sound := t.take(due.Add(t.o.Packet))
		if sound {
			empty = 0
		} else if empty++; !t.o.Always && time.Duration(empty)*t.o.Packet > hush {
			return due, nil
		}
		if err := t.send(payload, marker); err != nil {
			return due, err
		}
		due = due.Add(t.o.Packet)
	}
}

// take returns the next packet's sound, with silence where there is none; if
// any is in it, it will have sounded at until.
func (t *Talk) take(until time.Time) (payload []byte, sound bool) {
	payload = make([]byte, t.size)
	t.mu.Lock()
	defer t.mu.Unlock()
	n := copy(payload, t.queue)
	t.queue = append(t.queue[:0], t.queue[n:]...)
	for i := n; i < len(payload); i++ {
		payload[i] = t.silence
	}
	if n > 0 {
		t.sounded = until
	}
	wake(t.moved)
	return payload, n > 0
}

func (t *Talk) send(payload []byte, marker bool) error {
	p := rtp.Packet{
		Header: rtp.Header{
			Version: 2, Marker: marker, PayloadType: uint8(t.o.Law),
			SequenceNumber: t.sequence, Timestamp: t.stamp, SSRC: t.source,
		},
		Payload: payload,
	}
	b, err := p.Marshal()
	if err != nil {
		return fmt.Errorf("make an RTP packet: %w", err)
	}
	t.sequence++
	t.stamp += uint32(t.size)
	_, err = t.to.Write(b)
	if errors.Is(err, unix.ECONNREFUSED) {
		// It tells of a packet before this one, which was not sent for it.
		if err := t.refusal(); err != nil {
			return err
		}
		_, err = t.to.Write(b)
	}
	switch {
	case err == nil, errors.Is(err, unix.ECONNREFUSED):
		return nil
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN):
		return nil // the card is full for a moment: one packet is lost, as on the wire
	default:
		return fmt.Errorf("send a packet: %w", err)
	}
}

// refusal counts what the far side's kernel says. One is a device that opens
// its port a moment after its answer; three that follow each other are none.
func (t *Talk) refusal() error {
	now := time.Now()
	if now.Sub(t.refused) > 2500*time.Millisecond {
		t.refusals = 0
	}
	t.refused = now
	if t.refusals++; t.refusals >= 3 {
		return ErrRefused
	}
	return nil
}
