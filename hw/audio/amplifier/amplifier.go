// Package amplifier keys the relay of an amplifier before a loudspeaker sounds
// and releases it afterwards.
//
// It is never left keyed. It is released when the last stream has ended, when a
// stream could not be opened, at Close and at New, which undoes what a crash
// before left. When the process dies in any other way, SIGKILL included, the
// kernel takes the GPIO line back from it, and most pin controllers make an input
// of it again, so that the relay drops. The kernel of Raspberry Pi OS leaves the
// line as it was, until New of the next start a few seconds later;
// "dtparam=strict_gpiod" in its config.txt has it drop at once. A relay that
// needs a level to drop wants a pull resistor to that level.
//
// A relay that does not follow silences nothing: the loudspeaker sounds all the
// same, because an amplifier may be on by itself, and Check says what is wrong.
package amplifier

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
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
	// users counts open streams and those that are being opened; ready is when
	// the amplifier has been keyed for lead; release is running while the tail
	// lasts; err is why the relay did not follow last. mu guards them and the relay.
	users   int
	keyed   bool
	closed  bool
	ready   time.Time
	release *time.Timer
	err     error
}

// New releases the relay: a crash may have left it keyed. Check says whether it
// followed.
func New(relay Relay, o Options) *Amplifier {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Amplifier{relay: relay, lead: o.Lead, tail: o.Tail, log: o.Log}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(false)
	return a
}

// set moves the relay and keeps why it did not follow. The caller holds mu.
func (a *Amplifier) set(keyed bool) {
	a.keyed = keyed
	err := a.relay.Set(keyed)
	switch {
	case err != nil && a.err == nil:
		a.log.Error("the amplifier's relay does not follow", "keyed", keyed, "error", err)
	case err == nil && a.err != nil:
		a.log.Info("the amplifier's relay follows again")
	}
	a.err = err
}

// key keys the relay for one more user and waits until it has been keyed for the
// lead. Whoever called it calls unkey once, whatever it returned.
func (a *Amplifier) key(ctx context.Context) error {
	a.mu.Lock()
	a.users++
	if a.release != nil {
		a.release.Stop()
		a.release = nil
	}
	if a.closed {
		a.mu.Unlock()
		return nil // the loudspeaker sounds, if it can
	}
	if !a.keyed || a.err != nil {
		if !a.keyed {
			a.ready = time.Now().Add(a.lead)
		}
		a.set(true)
	}
	wait := time.Until(a.ready)
	if a.err != nil {
		wait = 0
	}
	a.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the amplifier: %w", ctx.Err())
	}
}

func (a *Amplifier) isKeyed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.keyed
}

// unkey takes one user away. After the last one the relay is released when the
// tail has passed, or at once.
func (a *Amplifier) unkey(atOnce bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.users--; a.users > 0 || a.closed {
		return
	}
	if atOnce || a.tail <= 0 {
		a.set(false)
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(a.tail, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		// A stopped timer may be here already, behind the one who stopped it.
		if a.release == timer {
			a.release = nil
			a.set(false)
		}
	})
	a.release = timer
}

// check tells the relay once more what it should be, and why it does not follow.
func (a *Amplifier) check() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	a.set(a.keyed)
	if a.err != nil {
		return fmt.Errorf("the amplifier's relay does not follow: check its line and its wiring: %w", a.err)
	}
	return nil
}

// Close releases the relay at once and leaves it alone from then on: streams
// that are still open go on without it. Closing twice is allowed.
func (a *Amplifier) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	if a.release != nil {
		a.release.Stop()
		a.release = nil
	}
	a.set(false)
	a.closed = true
	if a.err != nil {
		return fmt.Errorf("release the amplifier: %w", a.err)
	}
	return nil
}
