package command

import (
	"crypto/rand"
	"crypto/subtle"
	"sync"
	"time"
)

// challenges are the two newest fresh words, in memory only: what an earlier
// run has said proves nothing about now.
type challenges struct {
	mu   sync.Mutex // guards both
	now  word
	last word
}

type word struct {
	text string
	born time.Duration // on the monotonic clock
}

// newest returns the present word, which is a new one when the old has had its
// time.
func (c *challenges) newest(mono time.Duration) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.text == "" || mono-c.now.born >= challengeEvery {
		c.last, c.now = c.now, word{text: rand.Text(), born: mono}
	}
	return c.now.text
}

// holds reports whether text is one of the two words and not too old.
func (c *challenges) holds(text string, mono time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	good := 0
	for _, w := range []word{c.now, c.last} {
		if w.text != "" && mono-w.born < challengeLife {
			good |= subtle.ConstantTimeCompare([]byte(w.text), []byte(text))
		}
	}
	return good == 1
}
