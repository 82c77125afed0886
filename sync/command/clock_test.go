package command

import (
	"testing"
	"time"
)

func TestWithoutAClockAFreshWordIsNeeded(t *testing.T) {
	for name, wall := range map[string]func(time.Time) time.Time{
		"1970":               func(time.Time) time.Time { return time.Unix(40, 0) },
		"ten years too late": func(w time.Time) time.Time { return w.AddDate(10, 0, 0) },
		"ten years early":    func(w time.Time) time.Time { return w.AddDate(-10, 0, 0) },
		"right by chance":    func(w time.Time) time.Time { return w },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			true1 := b.clock().Wall
			b.step(wall(true1), false)
			dispatch := func(word string) []byte { // dispatch's clock is right
				return b.sign(b.claims(Acknowledge, func(c *Claims) {
					c.Issued, c.Expires, c.Challenge = true1.Unix(), true1.Unix()+60, word
				}))
			}
			b.refused(dispatch(""), ChallengeMissing)
			b.refused(dispatch("WORD"), ChallengeWrong)
			word := b.gate.Challenge()
			compact := dispatch(word)
			b.accept(compact)
			b.refused(compact, Replayed)
			b.accept(dispatch(word)) // the counter is what makes a word good once

			b.pass(challengeEvery)
			second := b.gate.Challenge()
			if second == word {
				t.Fatal("the word does not change")
			}
			b.accept(dispatch(word))
			b.accept(dispatch(second))
			b.pass(challengeLife - challengeEvery - time.Second)
			b.accept(dispatch(word))
			b.pass(time.Second)
			b.refused(dispatch(word), ChallengeWrong) // used up
			b.accept(dispatch(second))
			b.open()
			b.refused(dispatch(second), ChallengeWrong) // of another run
			b.accept(dispatch(b.gate.Challenge()))
			b.step(true1, true)
			b.accept(dispatch(""))
		})
	}
}

func TestOnlyTheTwoNewestWordsHold(t *testing.T) {
	b := newBench(t)
	b.step(time.Unix(0, 0), false)
	var words []string
	for range 3 {
		words = append(words, b.gate.Challenge())
		b.pass(challengeEvery)
	}
	b.pass(-challengeEvery + time.Second)
	b.refused(b.fresh(words[0]), ChallengeWrong)
	b.accept(b.fresh(words[1]))
	b.accept(b.fresh(words[2]))
}

// A word that nobody asked for meanwhile is old all the same.
func TestAWordGrowsOldUnread(t *testing.T) {
	b := newBench(t)
	b.step(time.Unix(0, 0), false)
	word := b.gate.Challenge()
	b.pass(challengeLife)
	b.refused(b.fresh(word), ChallengeWrong)
	if b.gate.Challenge() == word {
		t.Error("the old word is told again")
	}
}
