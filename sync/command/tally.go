package command

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// tellEach is how often refusals of one reason may reach the journal: whoever
// floods the link must not fill the disk.
const tellEach = time.Minute

// Tally counts refusals and says which of them are to be journalled now: every
// final answer, and of the others the first of each reason and then at most one
// event a minute that counts what came since. The zero Tally is ready; its
// methods may be called from any goroutine.
type Tally struct {
	mu     sync.Mutex // guards both
	counts map[Reason]uint64
	quiet  map[Reason]*silence
}

// silence is what came since a reason was told.
type silence struct {
	told time.Duration // on the monotonic clock
	last *Refusal
	n    uint64
}

// Refused is one or more refusals for the journal.
type Refused struct {
	*Refusal
	// Count is how many refusals it stands for.
	Count uint64
}

// Note counts a refusal at a moment of the monotonic clock and returns what is
// to be journalled, which is often nothing.
func (t *Tally) Note(r *Refusal, mono time.Duration) []Refused {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts, t.quiet = make(map[Reason]uint64), make(map[Reason]*silence)
	}
	t.counts[r.Reason]++
	switch {
	case r.Final():
		return []Refused{{Refusal: r, Count: 1}}
	case r.Reason == Duplicate: // as it should be where there are two links
		return nil
	}
	if s, ok := t.quiet[r.Reason]; ok {
		s.last = r
		s.n++
		return t.dueLocked(mono)
	}
	t.quiet[r.Reason] = &silence{told: mono}
	return append(t.dueLocked(mono), Refused{Refusal: r, Count: 1})
}

// Due returns what has waited for its minute. Call it now and then.
func (t *Tally) Due(mono time.Duration) []Refused {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dueLocked(mono)
}

// Rest returns everything that waits, for the end of the process.
func (t *Tally) Rest() []Refused {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.takeLocked(func(*silence) bool { return true })
}

// Counts returns how many refusals there were of each reason since the start.
func (t *Tally) Counts() map[Reason]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

func (t *Tally) dueLocked(mono time.Duration) []Refused {
	due := t.takeLocked(func(s *silence) bool { return mono-s.told >= tellEach })
	for _, r := range due {
		t.quiet[r.Reason] = &silence{told: mono}
	}
	return due
}

// takeLocked removes the silences that ripe names, and returns what they hide.
func (t *Tally) takeLocked(ripe func(*silence) bool) []Refused {
	var list []Refused
	for reason, s := range t.quiet {
		if !ripe(s) {
			continue
		}
		delete(t.quiet, reason)
		if s.n > 0 {
			list = append(list, Refused{Refusal: s.last, Count: s.n})
		}
	}
	slices.SortFunc(list, func(a, b Refused) int { return cmp.Compare(a.Reason, b.Reason) })
	return list
}
