package pulse

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"nabat/hw/audio"
)

const (
	sampleBytes = 2
	// latency is all that waits to sound: in the server's queue and in the sink.
	// As much as hw/audio allows, for machines that are busy; it delays neither the
	// first sound nor a Flush.
	latency = 180 * time.Millisecond
	// prebuffer is what the server waits for before it begins: more than a sink
	// takes at once at this latency (70 ms), or it would run dry at the start; not
	// more, so that the first sound follows the first few writes.
	prebuffer = 90 * time.Millisecond
	// politeness bounds Flush and the farewell of Close, which have no context.
	politeness = time.Second
)

// flow is what a server says about one stream. Any goroutine may use it.
type flow struct {
	news chan struct{} // holds a token when something below has changed

	mu      sync.Mutex
	credit  int   // bytes that the server is waiting for; guarded by mu
	starved bool  // it ran out of samples; guarded by mu
	killed  error // it ended the stream; guarded by mu
}

func newFlow() *flow { return &flow{news: make(chan struct{}, 1)} }

func (f *flow) change(how func()) {
	f.mu.Lock()
	how()
	f.mu.Unlock()
	select {
	case f.news <- struct{}{}:
	default:
	}
}

func (f *flow) grant(n int)    { f.change(func() { f.credit += n }) }
func (f *flow) starve()        { f.change(func() { f.starved = true }) }
func (f *flow) kill(why error) { f.change(func() { f.killed = why }) }

// take returns how many of want bytes may be sent now.
func (f *flow) take(want int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := max(0, min(want, f.credit)) &^ (sampleBytes - 1)
	f.credit -= n
	return n, f.killed
}

// fed says whether the stream had run dry, and forgets it.
func (f *flow) fed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	dry := f.starved
	f.starved = false
	return dry
}

// stream is a playback stream of the server.
type stream struct {
	driver  *Driver
	link    *link
	flow    *flow
	index   uint32
	sink    uint32
	bytes   []byte // of the goroutine that writes
	written bool   // since the last Flush or Drain; of the goroutine that writes

	once   sync.Once
	closed chan struct{}
}

func (d *Driver) create(ctx context.Context, l *link, sink *proto.GetSinkInfoReply) (*stream, error) {
	l.mu.Lock()
	l.serial++
	serial := l.serial
	l.mu.Unlock()
	var made proto.CreatePlaybackStreamReply
	err := l.ask(ctx, &proto.CreatePlaybackStream{
		SampleSpec:            proto.SampleSpec{Format: proto.FormatInt16LE, Channels: 1, Rate: audio.Rate},
		ChannelMap:            proto.ChannelMap{proto.ChannelMono},
		SinkIndex:             sink.SinkIndex,
		BufferMaxLength:       proto.Undefined,
		BufferTargetLength:    bytesOf(latency),
		BufferPrebufferLength: bytesOf(prebuffer),
		BufferMinimumRequest:  proto.Undefined,
		AdjustLatency:         true,
		SyncID:                serial,
		// Full and unmuted, and said to be set, or the server restores what a
		// user once did to us. Relative, or a server with flat volumes would
		// turn the sink up.
		ChannelVolumes: proto.ChannelVolumes{uint32(proto.VolumeNorm)},
		VolumeSet:      true,
		RelativeVolume: true,
		MutedSet:       true,
		// What is said in one zone must not come out in another, and a sink that
		// sleeps must not swallow it.
		NoMove:        true,
		FailOnSuspend: true,
		Properties: proto.PropList{
			"media.name": proto.PropListString(d.options.Name),
			// The role before which usual configurations hush music.
			"media.role": proto.PropListString("phone"),
		},
	}, &made)
	switch {
	case errors.Is(err, proto.ErrBadState):
		return nil, fmt.Errorf("the sink %s is suspended: `pactl suspend-sink %s 0` wakes it: %w", sink.SinkName, sink.SinkName, err)
	case errors.Is(err, proto.ErrNoSuchEntity):
		return nil, fmt.Errorf("%w: the sink %s went away: `pactl list short sinks` lists those that are there", audio.ErrAbsent, sink.SinkName)
	case err != nil:
		return nil, fmt.Errorf("open a stream to the sink %s: %w", sink.SinkName, err)
	}
	f := l.flow(made.StreamIndex)
	l.forget(made.StreamIndex)
	f.grant(int(made.Missing))
	return &stream{driver: d, link: l, flow: f, index: made.StreamIndex, sink: sink.SinkIndex, closed: make(chan struct{})}, nil
}

// Write sends samples as the server asks for them.
func (s *stream) Write(ctx context.Context, samples []int16) error {
	s.bytes = s.bytes[:0]
	for _, sample := range samples {
		s.bytes = binary.LittleEndian.AppendUint16(s.bytes, uint16(sample))
	}
	for rest := s.bytes; len(rest) > 0; {
		if err := s.over(); err != nil {
			return err
		}
		n, err := s.flow.take(len(rest))
		if err != nil {
			return err
		}
		if n > 0 {
			if s.flow.fed() && s.written {
				s.driver.underruns.Add(1)
			}
			s.written = true
			if err := s.send(ctx, rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
			continue
		}
		select {
		case <-s.flow.news:
		case <-s.closed:
		case <-s.link.lost:
		case <-ctx.Done():
			return fmt.Errorf("the sound server %s takes no sound: if it hangs restart it (systemctl --user restart pulseaudio, or pipewire pipewire-pulse): %w", s.link.server, ctx.Err())
		}
	}
	return nil
}

// send hands bytes to the connection. A server that does not read them ends it.
func (s *stream) send(ctx context.Context, p []byte) error {
	stop := context.AfterFunc(ctx, func() { s.link.end(frozen(ctx, s.link.server)) })
	defer stop()
	if err := s.link.client.Send(s.index, p); err != nil {
		return fmt.Errorf("send to the sound server %s: %w", s.link.server, err)
	}
	return nil
}

// over says whether and why the stream has ended.
func (s *stream) over() error {
	select {
	case <-s.closed:
		return errClosed
	case <-s.link.lost:
		return s.link.why()
	default:
		return nil
	}
}

// Flush drops what the server has not played; what is already in the sink is
// taken back as far as the sink can.
func (s *stream) Flush() error {
	if err := s.over(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), politeness)
	defer cancel()
	s.written = false
	s.flow.fed()
	if err := s.link.ask(ctx, &proto.FlushPlaybackStream{StreamIndex: s.index}, nil); err != nil {
		return fmt.Errorf("drop what waits to sound: %w", err)
	}
	return nil
}

// Drain returns when the last sample has left the sink. A sink that was muted
// meanwhile is an error that wraps ErrMuted.
func (s *stream) Drain(ctx context.Context) error {
	if err := s.over(); err != nil {
		return err
	}
	// Not ask: the wait for the end of a long sound is given up when something
	// more important is to be said, and the server is well.
	if err := s.link.wait(ctx, s.closed, &proto.DrainPlaybackStream{StreamIndex: s.index}, nil); err != nil {
		return s.failed("wait for the end of the sound", err)
	}
	s.written = false
	s.flow.fed()
	// The server has handed everything to the sink, which still holds a part.
	var held proto.GetPlaybackLatencyReply
	if err := s.link.ask(ctx, &proto.GetPlaybackLatency{StreamIndex: s.index}, &held); err != nil {
		return s.failed("ask for the latency", err)
	}
	tail := time.NewTimer(min(time.Duration(held.Latency)*time.Microsecond, time.Second))
	defer tail.Stop()
	select {
	case <-tail.C:
	case <-s.closed:
		return errClosed
	case <-s.link.lost:
		return s.link.why()
	case <-ctx.Done():
		return ctx.Err()
	}
	var info proto.GetSinkInfoReply
	if err := s.link.ask(ctx, &proto.GetSinkInfo{SinkIndex: s.sink}, &info); err != nil {
		return s.failed("ask for the sink", err)
	}
	return audible(&info)
}

// failed is the error of a request, or what the server said about the stream:
// it knows more.
func (s *stream) failed(what string, err error) error {
	select {
	case <-s.closed:
		return errClosed
	default:
	}
	if _, killed := s.flow.take(0); killed != nil {
		return killed
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Close takes the stream from the server, with what has not sounded. A server
// that does not answer within a second loses the connection.
func (s *stream) Close() error {
	s.once.Do(func() {
		close(s.closed)
		ctx, cancel := context.WithTimeout(context.Background(), politeness)
		defer cancel()
		// The answer is of no interest: a stream that the server has ended is as
		// good, and a connection that does not answer is gone now.
		_ = s.link.ask(ctx, &proto.DeletePlaybackStream{StreamIndex: s.index}, nil)
	})
	return nil
}

func bytesOf(d time.Duration) uint32 {
	return uint32(d * audio.Rate / time.Second * sampleBytes)
}

var _ audio.Stream = (*stream)(nil)
