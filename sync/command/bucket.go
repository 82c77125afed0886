package command

import "time"

// Verifying costs a small processor about a millisecond: a flood of commands
// may take a few per cent of it, and no more.
const (
	verifyBurst = 40
	verifyEach  = 50 * time.Millisecond // one more verification
)

// bucket limits work by the monotonic clock. The zero bucket is full.
type bucket struct {
	spent int
	since time.Duration // up to when time has been turned into room
}

func (b *bucket) take(mono time.Duration) bool {
	free := int(max(mono-b.since, 0) / verifyEach)
	b.spent -= min(free, b.spent)
	b.since += time.Duration(free) * verifyEach
	if b.spent >= verifyBurst {
		return false
	}
	b.spent++
	return true
}
