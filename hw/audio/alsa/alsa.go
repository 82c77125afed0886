// Package alsa plays through `aplay`, and so to whatever ALSA has a name for.
//
// A program of its own stands between the gateway and a driver that hangs: it
// can be ended, and an audio library in C need not be linked.
//
// Limit: a muted or turned-down mixer of a card is not seen.
package alsa

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"nabat/hw/audio"
)

// Options say where to play.
type Options struct {
	// Device is a name that `aplay -L` lists, such as plughw:CARD=Headphones;
	// empty is "default". A plain hw: device takes its own rate and channels
	// only, which are seldom ours: use plughw:.
	Device string
	// Program is the name or path of aplay; empty is "aplay".
	Program string
}

// Driver is one ALSA device. Its methods may be called from any goroutine.
type Driver struct {
	device    string
	program   string
	kernel    kernel
	underruns atomic.Uint64

	mu     sync.Mutex
	proved time.Time // when the device was last opened well; guarded by mu
}

// New returns the driver of a device. It touches nothing.
func New(o Options) *Driver {
	d := &Driver{device: o.Device, program: o.Program, kernel: kernel{proc: "/proc/asound", dev: "/dev/snd"}}
	if d.device == "" {
		d.device = "default"
	}
	if d.program == "" {
		d.program = "aplay"
	}
	return d
}

// Open starts aplay and returns when it has opened the device.
func (d *Driver) Open(ctx context.Context) (audio.Stream, error) {
	s := &stream{driver: d, closed: make(chan struct{})}
	p, err := d.start(ctx)
	if err != nil {
		return nil, err
	}
	s.player = p
	return s, nil
}

// Close does nothing: the driver keeps nothing between streams.
func (d *Driver) Close() error { return nil }

// Underruns says how often, since New, the device ran out of samples while a
// stream was playing.
func (d *Driver) Underruns() uint64 { return d.underruns.Load() }

// path is where the program is.
func (d *Driver) path() (string, error) {
	path, err := exec.LookPath(d.program)
	if errors.Is(err, exec.ErrNotFound) || err != nil && path == "" {
		return "", fmt.Errorf("%w: no program %s: install it (apt install alsa-utils), or give its path: %w", audio.ErrAbsent, d.program, err)
	}
	return path, err
}
