// Package rtp speaks to IP loudspeakers: G.711 µ-law in RTP to a multicast
// group, 20 ms a packet, as all makers of paging loudspeakers understand it.
//
// Nobody answers a multicast stream. That a packet left this machine is all
// that can be known; whether a loudspeaker took it is for the ear, or for the
// loudspeaker's own supervision.
package rtp

import (
	"context"
	"errors"
	"log/slog"

	"nabat/hw/audio"
)

// Options say where a Driver speaks. The zero values of TTL and DSCP are the
// usual ones.
type Options struct {
	// Group is host:port, host or :port; what is missing is the preset's. The
	// host is an IPv4 address, usually of a multicast group.
	Group string
	// Emergency is the group that emergencies go to, in the same form; empty
	// means Group. See Driver.Emergency.
	Emergency string
	// Preset is the convention that the loudspeakers follow.
	Preset Preset
	// Interface is the name of the network interface; empty lets the kernel choose.
	Interface string
	// TTL is how many routers a packet may pass, and one more; 0 means 1, which
	// is no router. It is for multicast groups only.
	TTL int
	// DSCP marks the packets for switches; 0 means 46, expedited forwarding, and
	// a negative one leaves them unmarked.
	DSCP int
	// Loop lets programs on this machine hear the group as well.
	Loop bool
	// Log gets a line when packets were late; nil is silence.
	Log *slog.Logger
}

// Driver is one group.
type Driver struct {
	o Options
}

// New checks the options and opens nothing.
func New(o Options) (*Driver, error) {
	return &Driver{o: o}, nil
}

// Emergency returns the driver for emergencies: that of Options.Emergency, or d
// itself where there is none. Loudspeakers let that group interrupt the other,
// so that both may sound at once; each driver has one stream of its own.
func (d *Driver) Emergency() *Driver { return d }

// Open implements audio.Driver.
func (d *Driver) Open(context.Context) (audio.Stream, error) {
	return nil, errors.New("rtp: not built yet")
}

// Check implements audio.Driver.
func (d *Driver) Check(context.Context) error { return errors.New("rtp: not built yet") }

// Close implements audio.Driver; nothing is kept between streams.
func (d *Driver) Close() error { return nil }
