// Package audio is the vocabulary of loudspeakers: samples, and outputs that
// take them. It does no I/O; each driver is a room of its own beside it.
package audio

import (
	"context"
	"errors"
	"time"
)

// Rate is how many samples a second has; samples are mono, 16 bits. It is three
// times the rate of telephony and half that of sound cards, so that both are
// reached by whole steps.
const Rate = 24000

// Frame is the usual length of one Write; FrameSamples its samples.
const (
	Frame        = 20 * time.Millisecond
	FrameSamples = Rate / 50
)

// Driver is one output: a sound card, a sound server, a multicast group, a
// telephone to call. Its methods may be called from any goroutine, but one
// Stream at a time is open.
type Driver interface {
	// Open makes the output ready. It returns an error that says what to do
	// when the output is absent, within ctx.
	Open(ctx context.Context) (Stream, error)
	// Check proves, without a sound, that Open would work at this moment. It is
	// called every few seconds while nothing is said, and must return when ctx
	// ends, whatever the far side does.
	Check(ctx context.Context) error
	// Close gives back what the driver keeps between streams.
	Close() error
}

// Stream is an open output. It is used by one goroutine, except for Close.
type Stream interface {
	// Write takes samples that sound after those before them. It blocks while
	// more than a fifth of a second waits to sound, so that who stops writing is
	// heard to stop. When it blocks for longer than ctx allows, or fails, the
	// stream is over: Close it.
	Write(ctx context.Context, samples []int16) error
	// Flush drops what was taken and has not sounded, as far as the output can.
	Flush() error
	// Drain returns when all that was taken has sounded.
	Drain(ctx context.Context) error
	// Close ends the stream at once, from any goroutine, also while another
	// method blocks, which then returns. Closing twice is allowed.
	Close() error
}

// ErrAbsent is wrapped by an error about an output that is not there: no
// card, no server, no such program. Others are about an output that fails.
var ErrAbsent = errors.New("the output is absent")
