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

	"nabat/hw/audio/g711"
)

// Ahead is how much sound a Talk holds before Write blocks.
const Ahead = 200 * time.Millisecond

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

// waiting returns how many bytes have not been sent.
func (t *Talk) waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.queue)
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
