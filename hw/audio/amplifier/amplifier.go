// Package amplifier keys the relay of an amplifier before a loudspeaker sounds
// and releases it afterwards.
//
// It is never left keyed. It is released when the last stream has ended, when a
// stream could not be opened, at Close and at New, which undoes what a crash
// before left. When the process dies in any other way, SIGKILL included, the
// kernel takes the GPIO line back from it: on the usual pin controllers the line
// is an input again and the relay drops. A relay that needs a level to drop
// wants a pull resistor to that level.
package amplifier

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"nabat/hw/audio"
)

// Relay is a switch. Set is called by one goroutine at a time, must not block
// for long, and may be told what it already is.
type Relay interface {
	Set(keyed bool) error
}

// Options are about the time around a sound; zero is none.
type Options struct {
	// Lead is how long the relay is keyed before Open returns, Tail how long it
	// stays keyed after the last stream's end.
	Lead, Tail time.Duration
	// Log gets a line when the relay does not follow, and when it does again; nil
	// is silence.
	Log *slog.Logger
}

// Amplifier is one relay, for any number of loudspeakers. Its methods may be
// called from any goroutine.
type Amplifier struct {
	relay      Relay
	lead, tail time.Duration
	log        *slog.Logger

	mu sync.Mutex
	// users counts open streams and those that are being opened. mu guards it.
	users int
}

// New releases the relay: a crash may have left it keyed.
func New(relay Relay, o Options) *Amplifier {
	return &Amplifier{relay: relay, lead: o.Lead, tail: o.Tail, log: o.Log}
}

// Driver returns d with this amplifier keyed around each of its streams. Closing
// it closes d, not the amplifier.
func (a *Amplifier) Driver(d audio.Driver) audio.Driver { return &driver{amplifier: a, under: d} }

// Close releases the relay at once.
func (a *Amplifier) Close() error { return a.relay.Set(false) }

type driver struct {
	amplifier *Amplifier
	under     audio.Driver
}

func (d *driver) Open(context.Context) (audio.Stream, error) {
	return nil, errors.New("amplifier: not built yet")
}
func (d *driver) Check(ctx context.Context) error { return d.under.Check(ctx) }
func (d *driver) Close() error                    { return d.under.Close() }
