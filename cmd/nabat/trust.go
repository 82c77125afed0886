package main

import (
	"slices"
	"sync"

	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/event"
)

// conditionForked holds when dispatch has more events of this journal than the
// journal itself: it was restored from a backup, or runs twice.
const conditionForked = "journal-forked"

// receiptCheck judges what dispatch says to have, for all links. A receipt for
// events that this journal has not written is not about its events: the next
// press must not look received, and no cursor may pass a row because of it.
// Nor may any later receipt of that epoch, because dispatch holds other events
// under the names that this journal gives next.
type receiptCheck struct {
	stats  func() journal.Stats
	health *health.Registry

	mu     sync.Mutex
	forked string // guarded by mu; the epoch that is not ours alone
}

// trust reports whether a receipt may be believed. Any goroutine may call it.
func (c *receiptCheck) trust(r event.Receipt) bool {
	stats := c.stats()
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Epoch == c.forked {
		return false
	}
	beyond := func(seq uint64) bool { return seq > stats.LastSeq }
	if r.Epoch != stats.Epoch || (!beyond(r.Through) && !slices.ContainsFunc(r.Above, beyond)) {
		return true
	}
	c.forked = r.Epoch
	c.health.Set(conditionForked, "dispatch has stored events of this journal that the journal does not hold: its disk was copied or restored from a backup. Stop the gateway and move journal.db away, so that a new journal begins")
	return false
}
