package amplifier_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"nabat/hw/audio"
	"nabat/hw/audio/amplifier"
)

func TestNoClicksWhileALoudspeakerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{}
		a := amplifier.New(r, amplifier.Options{Lead: lead, Tail: tail})
		broken := errors.New("no card")
		sp := &speaker{relay: r, fail: broken}
		d := a.Driver(sp)
		if _, err := d.Open(t.Context()); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		asked := r.sets
		for range 5 {
			if _, err := d.Open(t.Context()); !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
		}
		if r.sets != asked {
			t.Errorf("the relay was moved %d times by attempts that were in vain", r.sets-asked)
		}
		sp.fail = nil
		start := time.Now()
		s := open(t, d)
		if took := time.Since(start); took != lead || !r.is() {
			t.Errorf("it is back: opened after %v, keyed %v", took, r.is())
		}
		_ = s.Close()
		pass(tail)
		// Given up during the lead, after the loudspeaker was opened.
		sp.fail = broken
		_, _ = d.Open(t.Context())
		sp.fail = nil
		ctx, cancel := context.WithTimeout(t.Context(), lead/2)
		defer cancel()
		if _, err := d.Open(ctx); !errors.Is(err, context.DeadlineExceeded) || r.is() {
			t.Errorf("given up during the lead: %v, keyed %v", err, r.is())
		}
	})
}

// A card that is pulled out in the midst of a sound is away for the next attempt,
// which may come when the relay has been released.
func TestNoClickAfterASoundThatBroke(t *testing.T) {
	broken := errors.New("no such device")
	for name, one := range map[string]struct {
		end    func(t *testing.T, s audio.Stream)
		clicks bool
	}{
		"while it is written":    {func(t *testing.T, s audio.Stream) { _ = s.Write(t.Context(), nil) }, false},
		"while it sounds out":    {func(t *testing.T, s audio.Stream) { _ = s.Drain(t.Context()) }, false},
		"while it is broken off": {func(_ *testing.T, s audio.Stream) { _ = s.Flush() }, false},
		"because it was closed":  {func(t *testing.T, s audio.Stream) { _, _ = s.Close(), s.Write(t.Context(), nil) }, true},
		"unnoticed":              {func(*testing.T, audio.Stream) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &relay{}
				sp := &speaker{relay: r}
				d := amplifier.New(r, amplifier.Options{Lead: lead, Tail: tail}).Driver(sp)
				s := open(t, d)
				sp.fail, sp.broken = broken, broken
				one.end(t, s)
				_ = s.Close()
				pass(tail)
				before := r.sets
				if _, err := d.Open(t.Context()); !errors.Is(err, broken) || r.is() {
					t.Errorf("got %v, keyed %v", err, r.is())
				}
				if clicked := r.sets != before; clicked != one.clicks {
					t.Errorf("the relay was moved: %v", clicked)
				}
			})
		})
	}
}

// A stream that was given up is no loudspeaker that fails: relay and loudspeaker
// of the next sound are waited for together.
func TestASoundThatWasGivenUpDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{}
		sp := &speaker{relay: r, after: lead, broken: errors.New("interrupted")}
		d := amplifier.New(r, amplifier.Options{Lead: lead, Tail: tail}).Driver(sp)
		s := open(t, d)
		up, giveUp := context.WithCancel(t.Context())
		giveUp()
		_ = s.Write(up, nil)
		_ = s.Close()
		pass(tail)
		start := time.Now()
		s = open(t, d)
		if took := time.Since(start); took != lead {
			t.Errorf("opened after %v, want %v", took, lead)
		}
		_ = s.Close()
		pass(tail)
	})
}

// What breaks and is well again within the tail sounds on without a click and
// without another lead, however long it takes to open.
func TestASoundThatIsBackWithinTheTailKeepsTheRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{}
		sp := &speaker{relay: r, after: 2 * tail, broken: errors.New("no such device")}
		d := amplifier.New(r, amplifier.Options{Lead: lead, Tail: tail}).Driver(sp)
		s := open(t, d)
		since := r.since
		_ = s.Write(t.Context(), nil)
		_ = s.Close()
		sp.broken = nil
		start := time.Now()
		s = open(t, d)
		if took := time.Since(start); took != 2*tail || !r.is() || !r.since.Equal(since) {
			t.Errorf("opened after %v, keyed %v, since the first sound %v", took, r.is(), r.since.Equal(since))
		}
		_ = s.Close()
		pass(tail)
		start = time.Now()
		s = open(t, d)
		if took := time.Since(start); took != 2*tail {
			t.Errorf("the next sound: opened after %v, as if the loudspeaker still failed", took)
		}
		_ = s.Close()
		pass(tail)
	})
}
