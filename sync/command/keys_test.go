package command

import (
	"os"
	"testing"
	"time"
)

// by signs with another key.
func (b *bench) by(s *Signer, c Claims) []byte {
	b.t.Helper()
	compact, err := s.Sign(c)
	if err != nil {
		b.t.Fatal(err)
	}
	return []byte(compact)
}

func (b *bench) adding(k Key) Claims {
	return b.claims(Keys, func(c *Claims) { c.Retire, c.Add = "", &k })
}

func (b *bench) retiring(id string) Claims { return b.claims(Keys, func(c *Claims) { c.Retire = id }) }

func TestKeysChangeWithoutAVisit(t *testing.T) {
	b := newBench(t)
	second := mustSigner(t, mustKey(t, "key-2"))
	b.refused(b.by(second, b.claims(DrillEnd, nil)), UnknownKey)
	b.refused(b.by(second, b.adding(second.Public())), UnknownKey)
	add := b.adding(second.Public())
	b.accept(b.sign(add))
	if got := b.accept(b.sign(b.claims(Keys, func(c *Claims) { c.ID, c.Retire, c.Add = add.ID, "", add.Add }))); got.Before == nil {
		t.Error("a key command is not remembered")
	}
	b.accept(b.by(second, b.claims(DrillEnd, nil)))
	b.refused(b.sign(b.retiring("key-1")), KeyChange) // itself, and so never the last
	b.accept(b.by(second, b.retiring("key-1")))
	b.refused(b.next(), UnknownKey)
	b.refused(b.by(second, b.retiring("key-2")), KeyChange)
	b.refused(b.by(second, b.retiring("key-3")), KeyChange)
	b.refused(b.by(second, b.adding(b.key.Public())), KeyChange) // retired for ever
	b.refused(b.by(second, b.adding(Key{ID: "key-1b", Public: b.key.Public().Public})), KeyChange)
	b.refused(b.by(second, b.adding(Key{ID: "key-2", Public: mustKey(t, "x").Public().Public})), KeyChange)

	for name, before := range map[string]func(){
		"restart":                           func() {},
		"the record of commands is damaged": func() { must(t, os.Truncate(b.o.Path, 10)) },
		"the copy is damaged":               func() { must(t, os.Truncate(b.o.Path+ringSuffix, 10)) },
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.pass(time.Minute)
			before()
			b.open()
			word := b.gate.Challenge()
			b.refused(b.fresh(word), UnknownKey) // although the configuration still names it
			b.accept(b.by(second, b.claims(DrillEnd, func(c *Claims) { c.Challenge = word })))
			third := mustKey(t, "").Public() // so that both files are whole again
			b.accept(b.by(second, b.adding(third)))
			b.accept(b.by(second, b.retiring(third.ID)))
		})
	}
	if b.gate.Trusts([]Key{b.key.Public()}) != true {
		t.Error("key-2 was added by command and counts")
	}
}

func TestAnAddedKeyCannotRetireItsTwin(t *testing.T) {
	b := newBench(t)
	b.accept(b.sign(b.adding(Key{ID: "twin", Public: b.key.Public().Public})))
	b.refused(b.sign(b.retiring("twin")), KeyChange)
	b.accept(b.next())
}

func TestTheKeyringIsBounded(t *testing.T) {
	b := newBench(t)
	for range maxAdded {
		b.pass(time.Second)
		b.accept(b.sign(b.adding(mustKey(t, "").Public())))
	}
	b.refused(b.sign(b.adding(mustKey(t, "").Public())), KeyChange)
}

func TestTrusts(t *testing.T) {
	b := newBench(t)
	if b.gate.Trusts(nil) || !b.gate.Trusts([]Key{mustKey(t, "").Public()}) {
		t.Error("a new key would be trusted, none would not")
	}
}
