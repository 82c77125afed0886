package command

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"nabat/gateway/alert"
)

// moment is when a command came, and whether it answered a fresh word.
type moment struct {
	now, began alert.Stamp
	answered   bool
}

// fresh refuses a command of which the gateway cannot know that it was not
// carried out before. doubt: counters were lost.
func (m moment) fresh(c Claims, doubt bool) error {
	if m.answered {
		return nil
	}
	reason, what := ChallengeMissing, "carries no challenge"
	if c.Challenge != "" {
		reason, what = ChallengeWrong, "answers none of the two newest challenges"
	}
	if !m.now.Synced {
		return refuse(reason, "command %s %s, and the clock is not synchronised", c.ID, what)
	}
	start, issued := m.now.Wall.Add(m.began.Mono-m.now.Mono), time.Unix(c.Issued, 0)
	// An earlier run accepted nothing that was issued later than skew after it.
	if doubt && issued.Before(start.Add(skew)) {
		return refuse(reason, "command %s %s, the record of earlier counters was lost, and it was not issued later than %v after the gateway started", c.ID, what, skew)
	}
	// A disk that was restored from a backup knows an older counter. To restore
	// it the gateway has to start, so what was signed before that proves nothing.
	if issued.Add(time.Second).Before(start) { // iat is cut to whole seconds
		return refuse(BeforeStart, "command %s %s and was issued %v before the gateway started", c.ID, what, start.Sub(issued).Round(time.Second))
	}
	return nil
}

// judge answers a fresh command whose counter is used up by next: an error is
// the final answer. The keyring in next is changed where the command asks for
// that. g.mu is held.
func (g *Gate) judge(c Claims, payload []byte, key string, m moment, next state) (state, error) {
	final := func(reason Reason, format string, args ...any) error {
		return &Refusal{Reason: reason, ID: c.ID, Err: fmt.Errorf(format, args...)}
	}
	if m.now.Synced {
		if late := m.now.Wall.Sub(time.Unix(c.Expires, 0)); late >= 0 {
			return next, final(Expired, "it expired %v ago", late.Round(time.Second))
		}
		if early := time.Unix(c.Issued, 0).Sub(m.now.Wall); early > skew {
			return next, final(Future, "it was issued %v in the future: compare the clocks of dispatch and gateway", early.Round(time.Second))
		}
	}
	if errors.Is(c.checkVerb(), errUnknownVerb) {
		return next, final(UnknownVerb, "%w", c.checkVerb())
	}
	strict, err := decodeStrict(payload)
	if err == nil {
		err = strict.Check()
	}
	if err != nil {
		return next, final(Fields, "%w", err)
	}
	if c.Verb == Keys {
		ring, err := next.Ring.change(g.o.Keys, c, key)
		if err != nil {
			return next, final(KeyChange, "%w", err)
		}
		next.Ring = ring
		next = next.withDone(c.ID, Outcome{})
	}
	return next, nil
}

// late refuses a counter that was used up. A copy that another link may still
// bring is no replay. g.mu is held.
func (g *Gate) late(c Claims, sum [sha256.Size]byte, mono time.Duration) error {
	for i := range g.copies {
		s := &g.copies[i]
		if s.sum == sum && s.more > 0 && mono-s.mono <= copyWindow {
			s.more--
			return refuse(Duplicate, "command %s came over another link already", c.ID)
		}
	}
	return refuse(Replayed, "command %s has the counter %d, the highest was %d", c.ID, c.Counter, g.state.Counter)
}
