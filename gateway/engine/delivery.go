package engine

import "nabat/gateway/alert"

// receipt is what dispatch's application has said about one epoch.
type receipt struct {
	through uint64          // every event up to here is stored for good
	above   map[uint64]bool // these beyond it as well
}

// maxAbove bounds how many stored events beyond the high-water mark are
// remembered for an epoch; a receipt that names more replaces the older ones.
const maxAbove = 4096

func (r receipt) covers(seq uint64) bool { return seq <= r.through || r.above[seq] }

// maxEarly bounds how many sent events are remembered that no press is known
// of yet: the journal's answer and the link's report may cross.
const maxEarly = 256

// Sent notes that a broker or server has taken exactly the event ref. Others
// before it may have been refused, and are not covered.
func (e *Engine) Sent(ref alert.Ref) {
	e.do(func() {
		for key, s := range e.saved {
			if s.ref == ref {
				s.sent = true
				e.saved[key] = s
				e.dirty = true
				return
			}
		}
		if len(e.early) >= maxEarly {
			clear(e.early)
		}
		e.early[ref] = true
	})
}

// Received notes that dispatch's application has stored every event of the
// epoch up to sequence through, and those listed in above.
func (e *Engine) Received(epoch string, through uint64, above []uint64) {
	e.do(func() {
		if !e.knows(epoch) {
			return // not ours: a stranger must not grow our memory
		}
		r := e.receipts[epoch]
		r.through = max(r.through, through)
		if r.above == nil || len(r.above)+len(above) > maxAbove {
			r.above = make(map[uint64]bool)
		}
		for i, seq := range above {
			if i < maxAbove && seq > r.through {
				r.above[seq] = true
			}
		}
		e.receipts[epoch] = r
		e.receive()
	})
}

// knows reports whether any press that was saved has the given epoch.
func (e *Engine) knows(epoch string) bool {
	if epoch == e.numbering {
		return true
	}
	for _, s := range e.saved {
		if s.ref.Epoch == epoch {
			return true
		}
	}
	return false
}

// receive makes an event of every receipt that covers the highest saved press
// of an open alert for the first time.
func (e *Engine) receive() {
	for key, s := range e.saved {
		a, ok := e.state.Alert(key)
		if ok && a.Open() && a.Received.Number < s.number && e.receipts[s.ref.Epoch].covers(s.ref.Seq) {
			e.act(e.decision(alert.Received, a, alert.Decision{Number: s.number, Origin: "dispatch"}))
		}
	}
}

// proof tells how far the alert's highest press has verifiably come by itself.
func (e *Engine) proof(a alert.Alert) alert.Truth {
	s := e.saved[a.Key]
	switch {
	case a.Covers(a.Received):
		return alert.TruthReceived
	case s.number >= a.Last.Number && s.sent:
		return alert.TruthSent
	case s.number >= a.Last.Number && s.durable:
		return alert.TruthSaved
	default:
		return alert.TruthRaised
	}
}
