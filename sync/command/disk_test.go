package command

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fill makes the gate's disk full: its next file is /dev/full, where the kernel
// itself answers every write with "no space left on device".
func (b *bench) fill() {
	b.t.Helper()
	for _, path := range []string{b.o.Path, b.o.Path + ringSuffix} {
		_ = os.Remove(path + ".tmp")
		if err := os.Symlink("/dev/full", path+".tmp"); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) makeRoom() {
	b.t.Helper()
	for _, path := range []string{b.o.Path, b.o.Path + ringSuffix} {
		if err := os.Remove(path + ".tmp"); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestOnAFullDiskNothingIsAccepted(t *testing.T) {
	b := newBench(t)
	b.fill()
	compact := b.next()
	b.refused(compact, NotStored)
	if !b.holds(conditionStored) {
		t.Error("nobody is told")
	}
	b.refused(b.sign(b.claims(Keys, func(c *Claims) { c.Retire, c.Add = "", &Key{ID: "key-2", Public: make([]byte, 32)} })), NotStored)
	if len(b.gate.state.Ring.Added) != 0 {
		t.Error("the keyring changed without being stored")
	}
	b.makeRoom()
	b.accept(compact)
	if b.holds(conditionStored) {
		t.Error("the condition stays")
	}
}

func TestAnOutcomeIsRememberedOnAFullDisk(t *testing.T) {
	b := newBench(t)
	c := b.claims(Acknowledge, nil)
	b.accept(b.sign(c))
	b.fill()
	if err := b.gate.Done(c.ID, Outcome{}); err == nil {
		t.Error("a full disk was not noticed")
	}
	b.makeRoom()
	if got := b.accept(b.sign(b.claims(Acknowledge, func(n *Claims) { n.ID = c.ID }))); got.Before == nil {
		t.Error("it would be done twice")
	}
	b.pass(time.Minute)
	b.open() // and the next record held it
	if b.gate.state.before(c.ID) == nil {
		t.Error("it is forgotten")
	}
}

// A replay within its time is the danger: the counter that refused it is gone.
func TestALostCounterNeedsAFreshWord(t *testing.T) {
	for name, ruin := range map[string]func(t *testing.T, path string){
		"empty":     func(t *testing.T, path string) { must(t, os.WriteFile(path, nil, 0o600)) },
		"zeros":     func(t *testing.T, path string) { must(t, os.WriteFile(path, make([]byte, 400), 0o600)) },
		"cut":       func(t *testing.T, path string) { must(t, os.Truncate(path, 90)) },
		"a folder":  func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, os.Mkdir(path, 0o700)) },
		"too large": func(t *testing.T, path string) { must(t, os.Truncate(path, maxState+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			old := b.next()
			b.accept(old)
			ahead := b.sign(b.claims(Acknowledge, func(c *Claims) { c.Issued += int64(skew/time.Second) - 1; c.Expires += 600 }))
			b.accept(ahead) // dispatch's clock is as wrong as it may be
			ruin(t, b.o.Path)
			b.pass(time.Second)
			b.open()
			b.refused(ahead, ChallengeMissing)
			if !b.holds(conditionDoubt) {
				t.Error("nobody is told")
			}
			b.refused(old, ChallengeMissing)
			b.refused(b.next(), ChallengeMissing) // dispatch's own one as well: nobody can tell
			b.refused(b.fresh("WORD"), ChallengeWrong)
			b.pass(time.Second)
			b.open() // the doubt outlives a restart
			b.refused(old, ChallengeMissing)
			b.accept(b.fresh(b.gate.Challenge()))
			if b.holds(conditionDoubt) {
				t.Error("the condition stays")
			}
			b.refused(old, Replayed)
			b.accept(b.next())
			if aside, err := filepath.Glob(b.o.Path + ".damaged-*"); err != nil || len(aside) != 1 {
				t.Errorf("set aside: %v, %v", aside, err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryBitOfTheRecordIsGuarded(t *testing.T) {
	b := newBench(t)
	good, err := os.ReadFile(b.o.Path)
	must(t, err)
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if s, err := decodeState(bad); err == nil && s.Counter < b.gate.Counter() {
				t.Fatalf("bit %d of byte %d lowers the counter to %d", bit, i, s.Counter)
			} else if err == nil && i < len(good)-1 {
				t.Fatalf("bit %d of byte %d passes", bit, i)
			}
		}
	}
}

// The disk of yesterday knows the counter of yesterday.
func TestARestoredBackupReplaysNothing(t *testing.T) {
	b := newBench(t)
	backup, err := os.ReadFile(b.o.Path)
	must(t, err)
	b.pass(time.Second)
	old := b.next()
	b.accept(old)
	must(t, os.WriteFile(b.o.Path, backup, 0o600))
	b.pass(30 * time.Second) // old has not expired yet
	b.open()
	b.refused(old, BeforeStart)
	b.refused(b.sign(b.claims(Acknowledge, func(c *Claims) { c.Issued -= 29; c.Challenge = "WORD" })), BeforeStart)
	b.accept(b.fresh(b.gate.Challenge()))
	b.accept(b.next())
}

// A gateway that started without a clock knows when it started once it has one.
func TestTheStartIsKnownAfterwards(t *testing.T) {
	b := newBench(t)
	old := b.next()
	b.pass(time.Minute)
	right := b.clock().Wall
	b.step(time.Unix(0, 0), false)
	b.open()
	b.pass(10 * time.Second)
	b.refused(old, ChallengeMissing)
	b.step(right.Add(10*time.Second), true)
	b.refused(old, BeforeStart)
	b.accept(b.next())
}

// Where dispatch sends no challenge to a gateway that knows the time, the clock
// ends the doubt.
func TestTheClockEndsTheDoubt(t *testing.T) {
	b := newBench(t)
	old := b.next()
	b.accept(old)
	must(t, os.Truncate(b.o.Path, 9))
	b.open()
	b.pass(skew - time.Second)
	b.refused(b.next(), ChallengeMissing)
	b.pass(2 * time.Second)
	b.refused(old, ChallengeMissing)
	b.accept(b.next())
	b.refused(old, Replayed)
	if b.holds(conditionDoubt) {
		t.Error("the condition stays")
	}
}

func TestANewGatewayTakesWhatIsIssuedFromNowOn(t *testing.T) {
	b := newBench(t)
	old := b.next()
	must(t, os.Remove(b.o.Path))
	b.pass(3 * time.Second)
	b.open()
	b.refused(old, BeforeStart)
	b.accept(b.next())
}

// The copy of the keyring shows that this is no new gateway.
func TestALostFileIsNoNewGateway(t *testing.T) {
	b := newBench(t)
	b.accept(b.sign(b.adding(mustKey(t, "key-2").Public())))
	b.pass(time.Second)
	old := b.next()
	b.accept(old)
	must(t, os.Remove(b.o.Path))
	b.pass(time.Second)
	b.open()
	b.refused(old, ChallengeMissing)
	if len(b.gate.state.Ring.Added) != 1 {
		t.Error("an added key is forgotten")
	}
}
