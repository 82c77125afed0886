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
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	"nabat/hw/audio"
)

// Options say where a Driver speaks. The zero values of TTL and DSCP are the
// usual ones.
type Options struct {
	// Group is host:port; with the preset Algo also "", host or :port. The host is
	// an IPv4 address, of a multicast group or, without a preset, of one device.
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

// Driver is one group. It keeps nothing between streams.
type Driver struct {
	o         Options
	c         convention
	group     netip.AddrPort
	emergency *Driver

	mu sync.Mutex
	// open says that there is a stream. mu guards it.
	open bool
}

// New checks the options and opens nothing.
func New(o Options) (*Driver, error) {
	c, err := o.Preset.convention()
	if err != nil {
		return nil, err
	}
	if o.TTL == 0 {
		o.TTL = 1
	}
	if o.DSCP == 0 {
		o.DSCP = 46
	}
	if o.TTL < 1 || o.TTL > 255 || o.DSCP > 63 {
		return nil, fmt.Errorf("group %q: the TTL must be 1 to 255 and the DSCP at most 63", o.Group)
	}
	d := &Driver{o: o, c: c}
	if d.group, err = c.resolve(o.Preset, o.Group); err != nil {
		return nil, err
	}
	d.emergency = d
	if o.Emergency != "" {
		group, err := c.resolve(o.Preset, o.Emergency)
		if err != nil {
			return nil, fmt.Errorf("for emergencies: %w", err)
		}
		if group != d.group {
			d.emergency = &Driver{o: o, c: c, group: group}
			d.emergency.emergency = d.emergency
		}
	}
	return d, nil
}

// Emergency returns the driver for emergencies: that of Options.Emergency, or d
// itself where there is none. Loudspeakers let that group interrupt the other,
// and each of the two drivers has a stream of its own.
func (d *Driver) Emergency() *Driver { return d.emergency }

// String returns the address of the group.
func (d *Driver) String() string { return d.group.String() }

// Open implements audio.Driver. Nothing is sent before the first samples.
func (d *Driver) Open(ctx context.Context) (audio.Stream, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open {
		return nil, fmt.Errorf("RTP to %s: a stream is open already", d.group)
	}
	s, err := d.newStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("RTP to %s: %w", d.group, err)
	}
	d.open = true
	return s, nil
}

// Check proves that the interface is there and up, and that packets find a way
// to the group. It sends none.
func (d *Driver) Check(ctx context.Context) error {
	c, err := d.dial(ctx)
	if err != nil {
		return fmt.Errorf("RTP to %s: %w", d.group, err)
	}
	return c.Close()
}

// Close implements audio.Driver; there is nothing to give back.
func (d *Driver) Close() error { return nil }

// closed lets the next stream be opened.
func (d *Driver) closed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = false
}

var errDown = errors.New("the network interface is down")
