package announce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"nabat/gateway/health"
	"nabat/hw/audio"
)

// Bounds of what an output may take. Whatever is left hanging is a condition
// within five seconds.
const (
	openLimit  = 3 * time.Second
	writeLimit = 2 * time.Second
	flushLimit = time.Second
	closeLimit = time.Second
	checkEvery = 2 * time.Second
	checkLimit = 2500 * time.Millisecond
)

// Bounds of the pause between two attempts to open an output.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// proven is how many frames an output takes before it counts as mended.
const proven = 25

// errHung is wrapped by the error of an output that did not answer in time.
var errHung = errors.New("it does not answer")

// errHeard ends a call early: something else may have to be said.
var errHeard = errors.New("something has changed")

// output is a loudspeaker's driver behind bounds: no call of the driver is
// waited for longer than its limit. One that takes longer is abandoned, the
// stream is closed from outside, and nothing is opened until it has returned.
// The player's goroutine owns every field.
type output struct {
	speaker Speaker
	health  *health.Registry
	log     *slog.Logger

	stream  audio.Stream
	urgent  bool              // stream is that of the driver for emergencies
	busy    []<-chan struct{} // calls about a stream that was abandoned; each is closed when its call returns
	frames  int               // taken by stream
	retry   time.Duration     // the pause before the next attempt
	retryAt time.Time
	failed  string // for which announcement the last attempt was
	trouble error  // why it does not work; nil when it does

	probe   *probe
	probeAt time.Time
	calls   sync.WaitGroup
}

// probe is one Check under way.
type probe struct {
	cancel  context.CancelFunc
	done    chan error
	late    time.Time // when it counts as hung
	dropped bool      // its word is worth nothing any more
}

func newOutput(s Speaker, h *health.Registry, log *slog.Logger) *output {
	return &output{speaker: s, health: h, log: log.With("speaker", s.ID)}
}

func (o *output) open() bool { return o.stream != nil }

// down reports whether the output does not work as far as is known.
func (o *output) down() bool { return o.trouble != nil }

// ready reports whether it is time to try. What is new is tried at once.
func (o *output) ready(key string) bool {
	return o.stream != nil || o.failed != key || !time.Now().Before(o.retryAt)
}

// ensure has a stream open, of the driver for emergencies if it is for one and
// there is one.
func (o *output) ensure(ctx context.Context, emergency bool) error {
	urgent := emergency && o.speaker.Emergency != nil
	if o.stream != nil && o.urgent != urgent {
		if urgent { // what waits there was dropped: nothing is worth waiting for
			o.release(ctx)
		} else {
			o.drain(ctx, ears{})
		}
	}
	if o.stream != nil {
		return nil
	}
	if o.probe != nil { // it must not be in the way, and its word is worth nothing now
		o.probe.cancel()
		o.probe.dropped = true
	}
	if err := o.returned(ctx); err != nil {
		return err
	}
	driver := o.speaker.Driver
	if urgent {
		driver = o.speaker.Emergency
	}
	var (
		mu     sync.Mutex // guards both below
		stream audio.Stream
		late   bool
	)
	returned, err := o.call(ctx, openLimit, ears{}, func(c context.Context) error {
		s, err := driver.Open(c)
		mu.Lock()
		defer mu.Unlock()
		if late && s != nil {
			_ = s.Close() // nobody waits for it any more
			return err
		}
		stream = s
		return err
	})
	mu.Lock()
	defer mu.Unlock()
	late = true
	switch {
	case err != nil && stream != nil:
		o.stream = stream
		o.abandon(returned)
	case err != nil:
		o.busy = append(o.busy, returned)
	default:
		o.stream, o.urgent, o.frames = stream, urgent, 0
	}
	return err
}

// returned waits a moment until the calls about an earlier stream have come
// back, because a driver has one stream at a time.
func (o *output) returned(ctx context.Context) error {
	timer := time.NewTimer(firstRetry)
	defer timer.Stop()
	for len(o.busy) > 0 {
		select {
		case <-o.busy[0]:
			o.busy = o.busy[1:]
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return fmt.Errorf("%w: an earlier call has not come back", errHung)
		}
	}
	return nil
}

// write hands over samples. After an error the stream is gone.
func (o *output) write(ctx context.Context, samples []int16) error {
	s := o.stream
	returned, err := o.call(ctx, writeLimit, ears{}, func(c context.Context) error { return s.Write(c, samples) })
	if err != nil {
		o.abandon(returned)
		return err
	}
	if o.frames++; o.frames == proven {
		o.works()
	}
	return nil
}

// flush drops what must not sound any more. An output that cannot is closed,
// which drops it as well.
func (o *output) flush(ctx context.Context) {
	if o.stream == nil {
		return
	}
	s := o.stream
	if returned, err := o.call(ctx, flushLimit, ears{}, func(context.Context) error { return s.Flush() }); err != nil {
		o.abandon(returned)
	}
}

// drain lets all sound that was taken, unless something is heard before, and
// closes the stream.
func (o *output) drain(ctx context.Context, e ears) {
	s := o.stream
	returned, err := o.call(ctx, writeLimit, e, s.Drain)
	switch {
	case err == nil:
		o.works()
		o.release(ctx)
	case errors.Is(err, errHeard) || ctx.Err() != nil:
		o.abandon(returned)
	default:
		o.abandon(returned)
		o.failing("", err)
	}
}

// release closes the stream in good order.
func (o *output) release(ctx context.Context) {
	if s := o.stream; s != nil {
		o.stream = nil
		if returned, err := o.call(ctx, closeLimit, ears{}, func(context.Context) error { return s.Close() }); err != nil {
			o.busy = append(o.busy, returned)
		}
	}
}

// abandon closes a stream from outside, whatever hangs in it.
func (o *output) abandon(returned <-chan struct{}) {
	s, closed := o.stream, make(chan struct{})
	o.stream = nil
	o.calls.Go(func() {
		defer close(closed)
		_ = contained(s.Close)
	})
	if returned != nil {
		o.busy = append(o.busy, returned)
	}
	o.busy = append(o.busy, closed)
}
