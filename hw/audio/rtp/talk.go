package rtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtp"
	"golang.org/x/sys/unix"

	"nabat/hw/audio/g711"
)

const (
	// Ahead is how much sound a Talk holds before Write blocks.
	Ahead = 200 * time.Millisecond
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

// errEnded is what the methods of a Talk say after its end without an error.
var errEnded = errors.New("the stream is closed")

// TalkOptions say how a Talk is made. The zero options are PCMU, 20 ms.
type TalkOptions struct {
	Law g711.Law
	// Packet is how much sound a packet holds, 10 to 60 ms; 0 means 20 ms.
	Packet time.Duration
	// Always sends silence from the beginning and for as long as nothing is
	// written: a telephone that hears nothing hangs up.
	Always bool
	// Log gets a line when packets were late; nil is silence.
	Log *slog.Logger
}

// Talk is one RTP stream: samples in, packets out, one each 20 ms by the
// monotonic clock. A deadline is counted from the first packet, so that nothing
// drifts. Write, Flush and Drain are for one goroutine, Run for another.
type Talk struct {
	to       io.Writer
	o        TalkOptions
	size     int // of a packet, in bytes
	silence  byte
	sequence uint16
	stamp    uint32
	source   uint32
	refusals int
	refused  time.Time

	fresh chan struct{} // something was queued
	moved chan struct{} // something was sent
	done  chan struct{} // Run has returned, with err

	mu sync.Mutex
	// encoder and queue hold what has not been sent; sounded is when the last
	// packet with sound in it will have sounded; err is why Run returned. mu
	// guards them.
	encoder *g711.Encoder
	queue   []byte
	sounded time.Time
	err     error
}

// NewTalk returns a stream to w, of which each Write must send one packet.
// Nothing is sent before Run.
func NewTalk(w io.Writer, o TalkOptions) *Talk {
	if o.Packet == 0 {
		o.Packet = 20 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Talk{
		to: w, o: o, size: int(o.Packet * g711.Rate / time.Second), silence: o.Law.Silence(),
		sequence: uint16(rand.Uint32()), stamp: rand.Uint32(), source: rand.Uint32(),
		fresh: make(chan struct{}, 1), moved: make(chan struct{}, 1), done: make(chan struct{}),
		encoder: g711.NewEncoder(o.Law),
	}
}

// Source returns the stream's random SSRC.
func (t *Talk) Source() uint32 { return t.source }

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

// waiting returns how many bytes have not been sent.
func (t *Talk) waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.queue)
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

// Write queues samples and blocks while more than Ahead waits.
func (t *Talk) Write(ctx context.Context, samples []int16) error {
	t.mu.Lock()
	if t.err != nil {
		defer t.mu.Unlock()
		return t.err
	}
	t.queue = t.encoder.Encode(t.queue, samples)
	t.mu.Unlock()
	wake(t.fresh)
	for t.waiting() > int(Ahead*g711.Rate/time.Second) {
		select {
		case <-t.moved:
		case <-t.done:
			return t.why()
		case <-ctx.Done():
			return fmt.Errorf("the sound is not taken: %w", ctx.Err())
		}
	}
	return nil
}

// Flush drops what has not been sent. What was sent sounds: no packet can be
// called back.
func (t *Talk) Flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = t.queue[:0]
	t.encoder.Reset()
	if errors.Is(t.err, errEnded) {
		return nil
	}
	return t.err
}

// Drain returns when all that was written has sounded, and then tail for the
// receivers' own buffers, during which silence is sent.
func (t *Talk) Drain(ctx context.Context, tail time.Duration) error {
	t.mu.Lock()
	t.queue = t.encoder.Finish(t.queue)
	t.mu.Unlock()
	wake(t.fresh)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		t.mu.Lock()
		left, until := len(t.queue), t.sounded.Add(tail)
		t.mu.Unlock()
		wait := time.Until(until)
		if left == 0 && wait <= 0 {
			return nil
		}
		over := timer.C
		if left > 0 {
			over = nil
		}
		timer.Reset(wait)
		select {
		case <-t.moved:
		case <-over:
		case <-t.done:
			return t.why()
		case <-ctx.Done():
			return fmt.Errorf("the sound has not ended: %w", ctx.Err())
		}
	}
}

// why returns the reason of the end; it is for after done.
func (t *Talk) why() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
