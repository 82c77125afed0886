package main

import (
	"fmt"
	"slices"

	"nabat/gateway/alert"
)

// arrival is one event as the far end stored it, in the order of storing.
type arrival struct {
	id     string // epoch-sequence
	epoch  string
	seq    uint64
	urgent bool
	typ    alert.Type
	data   string
}

// tally compares what the gateway's journal holds with what dispatch stored.
type tally struct {
	// Events is how many the journal holds.
	events int
	// lost names what the journal holds and dispatch does not; doubled what
	// dispatch stored twice; reordered what was stored after a later one of its
	// lane and epoch; foreign what no journal holds.
	lost, doubled, reordered, foreign []string
}

// count compares. wanted are the ids in the journal.
func count(wanted []string, stored []arrival) tally {
	t := tally{events: len(wanted)}
	seen := make(map[string]bool, len(stored))
	highest := make(map[string]uint64)
	for _, a := range stored {
		if seen[a.id] {
			t.doubled = append(t.doubled, a.id)
			continue
		}
		seen[a.id] = true
		lane := fmt.Sprint(a.epoch, a.urgent)
		if a.seq < highest[lane] {
			t.reordered = append(t.reordered, a.id)
		}
		highest[lane] = max(highest[lane], a.seq)
	}
	known := make(map[string]bool, len(wanted))
	for _, id := range wanted {
		known[id] = true
		if !seen[id] {
			t.lost = append(t.lost, id)
		}
	}
	for _, a := range stored {
		if !known[a.id] && !slices.Contains(t.foreign, a.id) {
			t.foreign = append(t.foreign, a.id)
		}
	}
	return t
}

// clean reports whether nothing went wrong.
func (t tally) clean() bool {
	return len(t.lost)+len(t.doubled)+len(t.reordered)+len(t.foreign) == 0
}

func (t tally) String() string {
	s := fmt.Sprintf("%d events: %d lost, %d doubled, %d reordered", t.events, len(t.lost), len(t.doubled), len(t.reordered))
	if len(t.foreign) > 0 {
		s += fmt.Sprintf(", %d that no journal holds", len(t.foreign))
	}
	for _, ids := range [][]string{t.lost, t.doubled, t.reordered, t.foreign} {
		if len(ids) > 0 {
			s += fmt.Sprintf(" (%v)", ids[:min(len(ids), 3)])
		}
	}
	return s
}
