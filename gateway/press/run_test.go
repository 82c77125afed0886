package press

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"nabat/hw/point"
)

func TestRunKeepsPointsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		signals := make(chan point.Signal)
		var got []Gesture
		done := make(chan error)
		go func() { done <- Run(ctx, signals, func(g Gesture) { got = append(got, g) }) }()

		for _, id := range []string{"a", "b"} {
			signals <- point.Signal{Point: id, Change: point.Inactive, Initial: true, Settled: true}
		}
		signals <- point.Signal{Point: "a", Change: point.Active, At: 100 * ms}
		signals <- point.Signal{Point: "b", Change: point.Active, At: 105 * ms}
		signals <- point.Signal{Point: "b", Change: point.Inactive, At: 108 * ms}
		signals <- point.Signal{Point: "a", Change: point.Active, At: 110 * ms, Settled: true}
		synctest.Wait()
		if taps := only(got, Tap); len(taps) != 1 || taps[0].Point != "a" || taps[0].At != 100*ms {
			t.Errorf("taps are %+v, want one of a at 100 ms", taps)
		}

		// Time alone changes nothing: a hold needs a signal that says so.
		before := len(got)
		timer := time.NewTimer(time.Hour)
		<-timer.C
		synctest.Wait()
		if len(got) != before {
			t.Errorf("an hour without signals gave %+v", got[before:])
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("after cancel: %v", err)
		}
	})
}

func TestRunSaysThatTheWallHasEnded(t *testing.T) {
	signals := make(chan point.Signal)
	close(signals)
	if err := Run(t.Context(), signals, func(Gesture) {}); !errors.Is(err, ErrEnded) {
		t.Errorf("got %v, want ErrEnded", err)
	}
}
