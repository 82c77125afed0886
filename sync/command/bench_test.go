package command

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

const audience = "school-12/main"

// bench is a dispatch with one key, a gateway, and a clock that the test moves.
type bench struct {
	t      *testing.T
	key    PrivateKey
	signer *Signer
	health *health.Registry
	o      Options

	mu  sync.Mutex // guards now
	now alert.Stamp

	gate    *Gate
	counter uint64
}

func mustKey(t testing.TB, id string) PrivateKey {
	t.Helper()
	k, err := Generate(id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustSigner(t testing.TB, k PrivateKey) *Signer {
	t.Helper()
	s, err := NewSigner(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newBench has a synchronised clock, and a record of earlier commands.
func newBench(t *testing.T) *bench {
	b := &bench{t: t, key: mustKey(t, "key-1"), health: new(health.Registry)}
	b.signer = mustSigner(t, b.key)
	b.now = alert.Stamp{Wall: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), Boot: "boot-1", Mono: time.Hour, Synced: true}
	b.o = Options{Path: filepath.Join(t.TempDir(), "commands.state"), Audience: audience, Keys: []Key{b.key.Public()}, Now: b.clock, Health: b.health}
	b.open()
	b.accept(b.sign(b.claims(Acknowledge, func(c *Claims) { c.Challenge = b.gate.Challenge() })))
	return b
}

func (b *bench) clock() alert.Stamp {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.Wall, b.now.Mono = b.now.Wall.Add(d), b.now.Mono+d
}

// step moves the wall clock only, and says whether it is synchronised.
func (b *bench) step(wall time.Time, synced bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.Wall, b.now.Synced = wall, synced
}

// open starts the gateway anew.
func (b *bench) open() {
	b.t.Helper()
	var err error
	if b.gate, err = Open(b.o); err != nil {
		b.t.Fatal(err)
	}
}

// claims are what dispatch signs now, with the next counter.
func (b *bench) claims(verb Verb, change func(*Claims)) Claims {
	b.counter++
	now := b.clock().Wall
	c := Claims{
		Audience: audience, ID: uuid.Must(uuid.NewV7()).String(), Counter: b.counter,
		Issued: now.Unix(), Expires: now.Add(2 * time.Minute).Unix(), Verb: verb, Who: "operator-7",
	}
	switch verb {
	case Acknowledge, Responding, Arrived, Clear:
		c.Alert, c.Number = "0199e6a4-5c1b-7c3e-9a57-3b1f0c9d2e11", 3
		if verb == Clear {
			c.Outcome = alert.Resolved
		}
	case Announce:
		c.Text, c.Seconds = &alert.Text{RU: "Сбор во дворе", KK: "Аулада жиналу", EN: "Gather in the yard"}, 60
	case DrillStart:
		c.Kind, c.Level, c.Place = alert.Fire, alert.LevelEmergency, "room-204"
	case ConfigPull:
		c.Digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	case Keys:
		c.Retire = "nobody"
	case DrillEnd:
	}
	if change != nil {
		change(&c)
	}
	return c
}

func (b *bench) sign(c Claims) []byte {
	b.t.Helper()
	compact, err := b.signer.Sign(c)
	if err != nil {
		b.t.Fatal(err)
	}
	return []byte(compact)
}

// next is an ordinary command that dispatch signs now.
func (b *bench) next() []byte { return b.sign(b.claims(Acknowledge, nil)) }

// fresh is one that answers the gateway's word.
func (b *bench) fresh(word string) []byte {
	return b.sign(b.claims(Acknowledge, func(c *Claims) { c.Challenge = word }))
}

func (b *bench) accept(compact []byte) Command {
	b.t.Helper()
	c, err := b.gate.Accept(compact, false)
	if err != nil {
		b.t.Fatalf("refused: %v", err)
	}
	if b.gate.Counter() != c.Counter {
		b.t.Fatalf("accepted counter %d, the gate says %d", c.Counter, b.gate.Counter())
	}
	return c
}

// refused checks the reason of a refusal, and that the counter is used up if
// and only if the refusal is final.
func (b *bench) refused(compact []byte, want Reason) *Refusal {
	b.t.Helper()
	return b.refusedAs(compact, false, want)
}

func (b *bench) refusedAs(compact []byte, retained bool, want Reason) *Refusal {
	b.t.Helper()
	before := b.gate.Counter()
	_, err := b.gate.Accept(compact, retained)
	r, ok := err.(*Refusal) //nolint:errorlint // the type itself is promised
	if !ok || r.Reason != want {
		b.t.Fatalf("got %v, want the reason %s", err, want)
	}
	if used := b.gate.Counter() > before; used != r.Final() {
		b.t.Fatalf("%v: counter used up %v, final %v", r, used, r.Final())
	}
	return r
}

func (b *bench) holds(condition string) bool {
	for _, c := range b.health.List() {
		if c.Name == condition {
			return true
		}
	}
	return false
}
