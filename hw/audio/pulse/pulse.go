// Package pulse plays through a sound server: PulseAudio, or PipeWire, which
// speaks the same protocol.
//
// One connection is kept between streams, so that a server that froze is known
// while nothing is said and a stream opens within milliseconds. Nothing here
// waits for the server longer than its context allows: a server that does not
// answer loses its connection, and with it everything that waits on it.
//
// Limits: the files and X11 properties from which libpulse may take an address
// are not read. PulseAudio's null sink mixes two seconds ahead while nobody listens
// to it and takes nothing back, so that a first sound may begin so much later;
// sound cards do not.
package pulse

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jfreymuth/pulse/proto"

	"nabat/hw/audio"
)

// Options say where to play.
type Options struct {
	// Server is an address as PULSE_SERVER has it: a path, unix:PATH, or
	// tcp:HOST:PORT on this machine. Empty is what PULSE_SERVER says, else the
	// sockets of this user and of the machine.
	Server string
	// Sink is the output's name as `pactl list short sinks` lists it; empty is
	// the server's default at the moment of Open.
	Sink string
	// Name is shown by volume controls; empty is "Nabat".
	Name string
	// Cookie is a file with the server's cookie; empty looks where libpulse does.
	Cookie string
}

// ErrMuted is wrapped by an error about a sink that is there and works, but is
// silent: muted, or at volume zero. What is played to it is heard by nobody.
var ErrMuted = errors.New("the output is muted")

// Driver is one sink of a sound server. Its methods may be called from any
// goroutine.
type Driver struct {
	options   Options
	underruns atomic.Uint64

	turn chan struct{} // holds one token: who has it may read and replace link
	link *link         // nil, or perhaps lost
}

// New returns the driver of a sink. It connects to nothing.
func New(o Options) *Driver {
	if o.Name == "" {
		o.Name = "Nabat"
	}
	return &Driver{options: o, turn: make(chan struct{}, 1)}
}

// Underruns says how often, since New, the server ran out of samples in the
// middle of a stream.
func (d *Driver) Underruns() uint64 { return d.underruns.Load() }

// Open makes a stream to the sink, at full volume and unmuted whatever the
// server remembers of earlier streams; the sink's own volume stays. A muted sink
// is an error that wraps ErrMuted.
func (d *Driver) Open(ctx context.Context) (audio.Stream, error) {
	var opened *stream
	err := d.with(ctx, func(l *link) error {
		sink, err := d.sink(ctx, l)
		if err != nil {
			return err
		}
		opened, err = d.create(ctx, l, sink)
		return err
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// Check asks the server for the sink and returns its answer. Two things are
// noticed by Open only: a sink that somebody suspended by hand, which the server
// shows like one that sleeps because nothing plays; and a PipeWire whose core hangs
// while the part that speaks with us lives.
func (d *Driver) Check(ctx context.Context) error {
	return d.with(ctx, func(l *link) error {
		_, err := d.sink(ctx, l)
		return err
	})
}

// Close ends the connection. A later Open makes another.
func (d *Driver) Close() error {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	if d.link != nil {
		d.link.end(errClosed)
		d.link.join()
		d.link = nil
	}
	return nil
}

// with calls do with a connection, and a second time with a new one when the
// first turns out to be lost: the server was started anew in between.
func (d *Driver) with(ctx context.Context, do func(*link) error) error {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return frozen(ctx, d.options.Server)
	}
	if old := d.link; old != nil && !old.isLost() {
		err := do(old)
		if err == nil || !old.isLost() || ctx.Err() != nil {
			return err
		}
	}
	if d.link != nil {
		d.link.end(errClosed)
		d.link.join()
		d.link = nil
	}
	l, err := dial(ctx, d.options)
	if err != nil {
		return err
	}
	d.link = l
	return do(l)
}

// sink asks for the sink, and says what is wrong with it.
func (d *Driver) sink(ctx context.Context, l *link) (*proto.GetSinkInfoReply, error) {
	name := d.options.Sink
	if name == "" {
		name = "@DEFAULT_SINK@"
	}
	if len(name) > maxName {
		return nil, fmt.Errorf("%w: the name of a sink has at most %d bytes: `pactl list short sinks` lists them", audio.ErrAbsent, maxName)
	}
	var info proto.GetSinkInfoReply
	err := l.ask(ctx, &proto.GetSinkInfo{SinkIndex: proto.Undefined, SinkName: name}, &info)
	switch {
	case errors.Is(err, proto.ErrNoSuchEntity) && d.options.Sink == "":
		return nil, fmt.Errorf("%w: the sound server %s has no output: plug a sound card in; `pactl list short sinks` lists what is there", audio.ErrAbsent, l.server)
	case errors.Is(err, proto.ErrNoSuchEntity):
		return nil, fmt.Errorf("%w: the sound server %s has no sink %q: `pactl list short sinks` lists those that are there", audio.ErrAbsent, l.server, name)
	case err != nil:
		return nil, fmt.Errorf("ask for the sink %s: %w", name, err)
	case d.options.Sink == "" && info.SinkName == "auto_null":
		return nil, fmt.Errorf("%w: the sound server %s has only its own dummy output: plug a sound card in; `pactl list short sinks` lists what is there", audio.ErrAbsent, l.server)
	}
	return &info, audible(&info)
}

// audible says whether a sink lets anything through.
func audible(info *proto.GetSinkInfoReply) error {
	if info.Mute {
		return fmt.Errorf("%w: `pactl set-sink-mute %s 0` lets the sink sound", ErrMuted, info.SinkName)
	}
	for _, volume := range info.ChannelVolumes {
		if volume > 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: `pactl set-sink-volume %s 100%%` lets the sink sound", ErrMuted, info.SinkName)
}
