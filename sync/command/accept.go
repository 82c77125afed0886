package command

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// skew is how far dispatch's clock may be ahead of the gateway's.
const skew = 2 * time.Minute

// copyWindow is for how long another link may bring its copy of a command.
const copyWindow = time.Minute

// maxCopies bounds the memory of copies.
const maxCopies = 64

// seen is a command that was accepted a moment ago.
type seen struct {
	sum  [sha256.Size]byte
	mono time.Duration
	more int // how many copies may still come
}

// Accept checks a command as a link received it; retained is the flag of an
// MQTT message. It returns the command once its counter is on the disk, so that
// no copy of it is ever accepted again; every error is a *Refusal.
//
// Whoever carries the command out tells Done how that ended. A command of the
// verb Keys is carried out by Accept itself, together with the counter.
func (g *Gate) Accept(compact []byte, retained bool) (Command, error) {
	switch {
	case g == nil:
		return Command{}, refuse(NoKeys, "no [[command_key]] is configured")
	case retained:
		return Command{}, refuse(Retained, "the broker had kept the command; somebody published it as retained")
	case len(compact) > MaxBytes:
		return Command{}, refuse(TooLarge, "%d bytes, at most %d", len(compact), MaxBytes)
	}
	jws, err := parse(compact)
	if err != nil {
		return Command{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	key := jws.Signatures[0].Protected.KeyID
	payload, err := g.verify(jws, key)
	if err != nil {
		return Command{}, err
	}
	c, err := g.decide(compact, payload, key)
	if r, ok := errors.AsType[*Refusal](err); ok {
		r.Counter = c.Counter
		return Command{}, r
	}
	return c, err
}

// Done notes durably how a command ended that Accept returned, so that the same
// command under another signature is answered and not done again. When that
// cannot be written it is remembered until the gateway ends, and the error says so.
func (g *Gate) Done(id string, o Outcome) error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	next := g.state.withDone(id, o)
	if err := g.store(next); err != nil {
		g.state = next
		return fmt.Errorf("remember how command %s ended: %w", id, err)
	}
	return nil
}

// parse reads the outer form; nothing in it is to be believed yet.
func parse(compact []byte) (*jose.JSONWebSignature, error) {
	// The decoder passes over line breaks; one command has one form only.
	if bytes.ContainsAny(compact, "\r\n") {
		return nil, refuse(Malformed, "the text is no compact JWS")
	}
	jws, err := jose.ParseSignedCompact(string(compact), []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return nil, refuse(malformed(compact), "the text is no compact JWS of the type %s that is signed with EdDSA", typ)
	}
	if len(jws.Signatures) != 1 || len(jws.Signatures[0].Signature) == 0 {
		return nil, refuse(Unsigned, "the signature is empty")
	}
	h := jws.Signatures[0].Protected
	if h.ExtraHeaders[jose.HeaderType] != typ || checkKeyID(h.KeyID) != nil {
		return nil, refuse(Malformed, "the header does not name a key and the type %s", typ)
	}
	return jws, nil
}

// malformed looks at the header once more, only to say what is wrong with a
// text that is refused anyway.
func malformed(compact []byte) Reason {
	parts := bytes.SplitN(compact, []byte("."), 4)
	if len(parts) != 3 {
		return Malformed
	}
	b, err := base64.RawURLEncoding.DecodeString(string(parts[0]))
	var h struct {
		Algorithm string `json:"alg"`
	}
	switch {
	case err != nil || json.Unmarshal(b, &h) != nil || h.Algorithm == "":
		return Malformed
	case bytes.EqualFold([]byte(h.Algorithm), []byte("none")) || len(parts[2]) == 0:
		return Unsigned
	case h.Algorithm != string(jose.EdDSA):
		return Algorithm
	}
	return Malformed
}

// verify returns what one of the trusted keys has signed. g.mu is held.
func (g *Gate) verify(jws *jose.JSONWebSignature, id string) ([]byte, error) {
	key, ok := g.state.Ring.find(g.o.Keys, id)
	if !ok {
		return nil, refuse(UnknownKey, "no key %s is trusted", id)
	}
	if !g.budget.take(g.o.Now().Mono) {
		return nil, refuse(Busy, "too many commands at once")
	}
	payload, err := jws.Verify(ed25519.PublicKey(key.Public))
	if err != nil {
		return nil, refuse(Signature, "the signature is not of key %s", id)
	}
	return payload, nil
}

// decide judges an authentic command and uses up its counter. It returns the
// counter with a refusal as well, as far as it is known. g.mu is held.
func (g *Gate) decide(compact, payload []byte, key string) (Command, error) {
	var c Claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Command{}, refuse(Malformed, "the claims cannot be read: %w", err)
	}
	command := Command{Claims: c}
	if c.Audience != g.o.Audience {
		return command, refuse(Audience, "it is for %.130q, this is %s", c.Audience, g.o.Audience)
	}
	if err := c.checkFrame(); err != nil {
		return command, refuse(Malformed, "%w", err)
	}
	now := g.o.Now()
	sum := sha256.Sum256(compact)
	if c.Counter <= g.state.Counter {
		return command, g.late(c, sum, now.Mono)
	}
	m := moment{now: now, began: g.began, answered: g.words.holds(c.Challenge, now.Mono)}
	if err := m.fresh(c, g.state.Doubt); err != nil {
		return command, err
	}
	next, answer := g.state, error(nil)
	next.Counter = c.Counter
	next.Doubt = false // whatever was accepted before has a lower counter
	command.Before = next.before(c.ID)
	if command.Before == nil {
		next, answer = g.judge(c, payload, key, m, next)
	}
	if err := g.store(next); err != nil {
		return command, refuse(NotStored, "command %s: %w", c.ID, err)
	}
	if answer != nil {
		return command, answer
	}
	g.copies = append(slices.DeleteFunc(g.copies, func(s seen) bool { return now.Mono-s.mono > copyWindow }), seen{sum: sum, mono: now.Mono, more: g.o.Links - 1})
	g.copies = g.copies[max(0, len(g.copies)-maxCopies):]
	return command, nil
}
