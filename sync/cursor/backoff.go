package cursor

import "time"

// Backoff says how long to wait between two attempts. It is pure.
type Backoff struct {
	// Base is the longest wait after the first failure; it doubles with each
	// further one until Cap.
	Base, Cap time.Duration
	// Urgent caps the wait while alarms wait.
	Urgent time.Duration
	// Refused is the longest wait after a refusal, alarms or not: trying fast
	// mends nothing there and looks like an attack. At least half of it passes.
	Refused time.Duration
	// Gap is the least time between two attempts when a new alarm or a network
	// that came up cuts the wait short; RefusedGap is the same after a refusal.
	Gap, RefusedGap time.Duration
}

// DefaultBackoff returns the waits that suit a gateway among a thousand.
func DefaultBackoff() Backoff {
	return Backoff{
		Base: time.Second, Cap: time.Minute, Urgent: 2 * time.Second,
		Refused: time.Minute, Gap: 250 * time.Millisecond, RefusedGap: 5 * time.Second,
	}
}

// Wait returns the wait after a number of failures in a row (1 is the first).
// random is in [0, 1); with full jitter a thousand gateways that lost the same
// server do not come back at the same moment.
func (b Backoff) Wait(failures int, urgent, refused bool, random float64) time.Duration {
	if refused {
		return b.Refused/2 + time.Duration(random*float64(b.Refused/2))
	}
	limit := b.Base
	for i := 1; i < failures && limit < b.Cap; i++ {
		limit *= 2
	}
	limit = min(limit, b.Cap)
	if urgent {
		limit = min(limit, b.Urgent)
	}
	return time.Duration(random * float64(limit))
}

// leastGap returns the least time between two attempts.
func (b Backoff) leastGap(refused bool) time.Duration {
	if refused {
		return b.RefusedGap
	}
	return b.Gap
}
