package mqtt

import "time"

// State reports whether the link is up and since when it is so; since is zero
// before the first attempt. It may be called from any goroutine.
func (p *Publisher) State() (up bool, since time.Time) {
	return p.ledger.State()
}
