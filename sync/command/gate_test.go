package command

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"nabat/gateway/alert"
)

var everyVerb = []Verb{Acknowledge, Responding, Arrived, Clear, Announce, DrillStart, DrillEnd, ConfigPull}

func TestEveryVerbIsAcceptedOnce(t *testing.T) {
	b := newBench(t)
	for _, verb := range everyVerb {
		c := b.claims(verb, nil)
		compact := b.sign(c)
		got := b.accept(compact)
		if got.Before != nil || got.ID != c.ID || got.Verb != verb {
			t.Errorf("%s came back as %+v", verb, got)
		}
		if r := b.refused(compact, Replayed); r.Final() || r.Counter != c.Counter {
			t.Errorf("%s: the copy was answered: %+v", verb, r)
		}
	}
}

// raw makes a JWS by hand, as an attacker would.
func raw(header string, payload, signature []byte) []byte {
	e := base64.RawURLEncoding
	return []byte(e.EncodeToString([]byte(header)) + "." + e.EncodeToString(payload) + "." + e.EncodeToString(signature))
}

func payloadOf(t *testing.T, c Claims) []byte {
	t.Helper()
	p, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestForeignMessagesAreRefused(t *testing.T) {
	b := newBench(t)
	good := b.next()
	parts := strings.Split(string(good), ".")
	payload := payloadOf(t, b.claims(Acknowledge, nil))
	const header = `{"alg":"EdDSA","kid":"key-1","typ":"nabat-command+jwt"}`
	stranger, err := NewSigner(mustKey(t, "key-1"))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := stranger.Sign(b.claims(Acknowledge, nil))
	if err != nil {
		t.Fatal(err)
	}
	unknown := mustSigner(t, mustKey(t, "key-2"))
	other, err := unknown.Sign(b.claims(Acknowledge, nil))
	if err != nil {
		t.Fatal(err)
	}
	own := ed25519.Sign(b.key.key, []byte("another message"))
	for name, tt := range map[string]struct {
		compact []byte
		want    Reason
	}{
		"empty":                     {nil, Malformed},
		"words":                     {[]byte("open the door"), Malformed},
		"two parts":                 {[]byte(parts[0] + "." + parts[1]), Malformed},
		"four parts":                {append(bytes.Clone(good), ".x"...), Malformed},
		"a line break inside":       {[]byte(parts[0] + ".\n" + parts[1] + "." + parts[2]), Malformed},
		"no type":                   {raw(`{"alg":"EdDSA","kid":"key-1"}`, payload, own), Malformed},
		"another type":              {raw(`{"alg":"EdDSA","kid":"key-1","typ":"JWT"}`, payload, own), Malformed},
		"an extension":              {raw(`{"alg":"EdDSA","kid":"key-1","typ":"nabat-command+jwt","crit":["x"],"x":1}`, payload, own), Signature},
		"too large":                 {bytes.Repeat([]byte("a"), MaxBytes+1), TooLarge},
		"alg none":                  {raw(`{"alg":"none","kid":"key-1","typ":"nabat-command+jwt"}`, payload, nil), Unsigned},
		"alg None with a signature": {raw(`{"alg":"None","kid":"key-1","typ":"nabat-command+jwt"}`, payload, own), Unsigned},
		"EdDSA without a signature": {raw(header, payload, nil), Unsigned},
		"HMAC with the public key":  {hmacJWS(t, b, payload), Algorithm},
		"ECDSA":                     {ecdsaJWS(t, payload), Algorithm},
		"unknown key":               {[]byte(other), UnknownKey},
		"no key":                    {raw(`{"alg":"EdDSA","typ":"nabat-command+jwt"}`, payload, own), Malformed},
		"wrong key, right name":     {[]byte(forged), Signature},
		"the signature of another":  {raw(header, payload, own), Signature},
		"a changed payload":         {[]byte(parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]), Signature},
		"a key of its own":          {jwkJWS(t, payload), Signature},
	} {
		t.Run(name, func(t *testing.T) {
			b.pass(time.Second) // there is room for verifying
			b.t = t
			if r := b.refused(tt.compact, tt.want); r.Final() || r.Counter != 0 {
				t.Errorf("a message of a stranger was answered: %+v", r)
			}
		})
	}
	b.accept(good)
}

func hmacJWS(t *testing.T, b *bench, payload []byte) []byte {
	return compactJWS(t, jose.SigningKey{Algorithm: jose.HS256, Key: b.key.Public().Public}, payload, "key-1")
}

func ecdsaJWS(t *testing.T, payload []byte) []byte {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return compactJWS(t, jose.SigningKey{Algorithm: jose.ES256, Key: k}, payload, "key-1")
}

// jwkJWS brings the key that verifies it along.
func jwkJWS(t *testing.T, payload []byte) []byte {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := (&jose.SignerOptions{EmbedJWK: true}).WithType(typ).WithHeader("kid", "key-1")
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: k}, o)
	if err != nil {
		t.Fatal(err)
	}
	return serialize(t, s, payload)
}

func compactJWS(t *testing.T, key jose.SigningKey, payload []byte, kid string) []byte {
	t.Helper()
	s, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType(typ).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	return serialize(t, s, payload)
}

func serialize(t *testing.T, s jose.Signer, payload []byte) []byte {
	t.Helper()
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return []byte(compact)
}

func TestRetainedIsRefusedWhoeverSignedIt(t *testing.T) {
	b := newBench(t)
	compact := b.next()
	b.refusedAs(compact, true, Retained)
	b.accept(compact) // dispatch's own copy still counts
}

func TestFramesAndTimes(t *testing.T) {
	b := newBench(t)
	now := b.clock().Wall
	for name, tt := range map[string]struct {
		change func(*Claims)
		want   Reason // "": accepted
	}{
		"foreign site":         {func(c *Claims) { c.Audience = "school-13/main" }, Audience},
		"foreign gateway":      {func(c *Claims) { c.Audience = "school-12/annex" }, Audience},
		"expired":              {func(c *Claims) { c.Expires = now.Unix() }, Expired},
		"not expired":          {func(c *Claims) { c.Expires = now.Unix() + 1 }, ""},
		"from the future":      {func(c *Claims) { c.Issued = now.Add(skew + time.Second).Unix(); c.Expires = c.Issued + 60 }, Future},
		"dispatch's clock":     {func(c *Claims) { c.Issued = now.Add(skew - time.Second).Unix(); c.Expires = c.Issued + 60 }, ""},
		"a stale word besides": {func(c *Claims) { c.Challenge = "WORD" }, ""},
		"a low counter":        {func(c *Claims) { c.Counter = 1 }, Replayed},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			c := b.claims(Acknowledge, func(c *Claims) {
				c.Issued = now.Add(-time.Second).Unix()
				tt.change(c)
			})
			compact := b.sign(c)
			if tt.want == "" {
				b.accept(compact)
				return
			}
			r := b.refused(compact, tt.want)
			if final := tt.want == Expired || tt.want == Future; r.Final() != final || final && r.ID != c.ID {
				t.Errorf("answer %+v", r)
			}
			if r.Final() { // and no copy can act later, whatever the clock says then
				b.refused(compact, Replayed)
			}
		})
	}
}

// unchecked signs claims that the Signer refuses to sign.
func (b *bench) unchecked(payload []byte) []byte {
	return compactJWS(b.t, jose.SigningKey{Algorithm: jose.EdDSA, Key: b.key.key}, payload, "key-1")
}

func TestFieldsAreChecked(t *testing.T) {
	b := newBench(t)
	for name, tt := range map[string]struct {
		verb   Verb
		change func(*Claims)
		want   Reason
	}{
		"unknown verb":           {"open-doors", nil, UnknownVerb},
		"no alert":               {Acknowledge, func(c *Claims) { c.Alert = "" }, Fields},
		"no number":              {Acknowledge, func(c *Claims) { c.Number = 0 }, Fields},
		"no operator":            {Acknowledge, func(c *Claims) { c.Who = " " }, Fields},
		"control letters":        {Acknowledge, func(c *Claims) { c.Who = "a\x1b[2J" }, Fields},
		"a long reason":          {Clear, func(c *Claims) { c.Why = strings.Repeat("ы", maxWhy+1) }, Fields},
		"no outcome":             {Clear, func(c *Claims) { c.Outcome = "" }, Fields},
		"a strange outcome":      {Clear, func(c *Claims) { c.Outcome = "forgotten" }, Fields},
		"an outcome elsewhere":   {Acknowledge, func(c *Claims) { c.Outcome = alert.Resolved }, Fields},
		"a time elsewhere":       {Arrived, func(c *Claims) { c.ETA = time.Now() }, Fields},
		"no text":                {Announce, func(c *Claims) { c.Text = nil }, Fields},
		"an empty text":          {Announce, func(c *Claims) { c.Text = &alert.Text{RU: "  "} }, Fields},
		"a long text":            {Announce, func(c *Claims) { c.Text.KK = strings.Repeat("ә", maxText+1) }, Fields},
		"for ever":               {Announce, func(c *Claims) { c.Seconds = maxSeconds + 1 }, Fields},
		"for no time":            {Announce, func(c *Claims) { c.Seconds = 0 }, Fields},
		"a nameless screen":      {Announce, func(c *Claims) { c.Screens = []string{""} }, Fields},
		"a nameless zone":        {Announce, func(c *Claims) { c.Zones = []string{" "} }, Fields},
		"many zones":             {Announce, func(c *Claims) { c.Zones = make([]string, maxScreens+1) }, Fields},
		"silent in a zone":       {Announce, func(c *Claims) { c.Silent, c.Zones = true, []string{"hall"} }, Fields},
		"a drill in zones":       {DrillEnd, func(c *Claims) { c.Zones = []string{"hall"} }, Fields},
		"a silent drill":         {DrillEnd, func(c *Claims) { c.Silent = true }, Fields},
		"many screens":           {Announce, func(c *Claims) { c.Screens = make([]string, maxScreens+1) }, Fields},
		"no kind":                {DrillStart, func(c *Claims) { c.Kind = "" }, Fields},
		"no level":               {DrillStart, func(c *Claims) { c.Level = 0 }, Fields},
		"no place":               {DrillStart, func(c *Claims) { c.Place = "" }, Fields},
		"a place for the end":    {DrillEnd, func(c *Claims) { c.Place = "room-204" }, Fields},
		"no digest":              {ConfigPull, func(c *Claims) { c.Digest = "" }, Fields},
		"a digest in capitals":   {ConfigPull, func(c *Claims) { c.Digest = strings.ToUpper(c.Digest) }, Fields},
		"neither add nor retire": {Keys, func(c *Claims) { c.Retire = "" }, Fields},
		"both":                   {Keys, func(c *Claims) { c.Add = &Key{ID: "k", Public: make([]byte, 32)} }, Fields},
		"a short key":            {Keys, func(c *Claims) { c.Retire, c.Add = "", &Key{ID: "k", Public: make([]byte, 31)} }, Fields},
		"a key without a name":   {Keys, func(c *Claims) { c.Retire, c.Add = "", &Key{Public: make([]byte, 32)} }, Fields},
		"an endless life":        {Acknowledge, func(c *Claims) { c.Expires = c.Issued + int64(MaxLife/time.Second) + 1 }, Malformed},
		"backwards":              {Acknowledge, func(c *Claims) { c.Expires = c.Issued }, Malformed},
		"no id":                  {Acknowledge, func(c *Claims) { c.ID = "" }, Malformed},
		"an id of another kind":  {Acknowledge, func(c *Claims) { c.ID = "42" }, Malformed},
		"no counter":             {Acknowledge, func(c *Claims) { c.Counter = 0 }, Malformed},
		"the last counter":       {Acknowledge, func(c *Claims) { c.Counter = MaxCounter + 1 }, Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			b.pass(time.Second)
			b.t = t
			c := b.claims(tt.verb, tt.change)
			if _, err := b.signer.Sign(c); err == nil {
				t.Error("the signer signs it")
			}
			b.refused(b.unchecked(payloadOf(t, c)), tt.want)
		})
	}
	b.t = t
	b.pass(time.Minute)
	p := payloadOf(t, b.claims(DrillEnd, nil))
	b.refused(b.unchecked(append(p[:len(p)-1], `,"zone":"east"}`...)), Fields)
	b.refused(b.unchecked([]byte(`["aud"]`)), Malformed)
	b.refused(b.unchecked([]byte(`{"aud":"school-12/main"} {}`)), Malformed)
	b.accept(b.next())
}

func TestWithoutKeysEverythingIsRefused(t *testing.T) {
	var g *Gate
	if _, err := g.Accept([]byte("x"), false); ReasonOf(err) != NoKeys {
		t.Errorf("got %v", err)
	}
	if g.Challenge() != "" || g.Counter() != 0 || g.Trusts([]Key{{}}) || g.Done("x", Outcome{}) != nil {
		t.Error("a gate that is not there knows something")
	}
}

func TestARepetitionIsAnsweredAndNotDoneTwice(t *testing.T) {
	b := newBench(t)
	first := b.claims(Announce, nil)
	b.accept(b.sign(first))
	failed := Outcome{Reason: NoAlert, Detail: "no such open alert"}
	if err := b.gate.Done(first.ID, failed); err != nil {
		t.Fatal(err)
	}
	for _, restart := range []bool{false, true} {
		if restart {
			b.pass(time.Minute)
			b.open()
		}
		again := b.claims(Announce, func(c *Claims) { c.ID = first.ID })
		if got := b.accept(b.sign(again)); got.Before == nil || *got.Before != failed {
			t.Errorf("after a restart %v: %+v", restart, got.Before)
		}
	}
}

// TestWhatWasDoneIsAnsweredAlsoWhenItHasExpired: dispatch wants to know how it
// ended, not whether it could be done now.
func TestWhatWasDoneIsAnsweredAlsoWhenItHasExpired(t *testing.T) {
	b := newBench(t)
	first := b.claims(Announce, nil)
	b.accept(b.sign(first))
	if err := b.gate.Done(first.ID, Outcome{}); err != nil {
		t.Fatal(err)
	}
	late := b.sign(b.claims(Announce, func(c *Claims) { c.ID, c.Expires = first.ID, c.Issued+1 }))
	b.pass(time.Minute)
	if got := b.accept(late); got.Before == nil || got.Before.Reason != "" {
		t.Errorf("answered %+v", got.Before)
	}
}

func TestManyCommandsAreRemembered(t *testing.T) {
	b := newBench(t)
	s := b.gate.state
	for range 3 * maxDone {
		s = s.withDone(b.claims(Announce, nil).ID, Outcome{Reason: NotDone, Detail: strings.Repeat("ж", maxDetail)})
	}
	last := b.claims(Announce, nil).ID
	s = s.withDone(last, Outcome{})
	if len(s.Done) != maxDone || s.before(last) == nil {
		t.Errorf("%d are remembered", len(s.Done))
	}
	b.gate.mu.Lock()
	defer b.gate.mu.Unlock()
	if err := b.gate.store(s); err != nil {
		t.Fatal(err)
	}
	if got, err := readState(b.o.Path); err != nil || got.before(last) == nil {
		t.Errorf("the fullest state cannot be read back: %v", err)
	}
}

func TestAnotherLinksCopyIsNoReplay(t *testing.T) {
	b := newBench(t)
	b.o.Links = 2
	b.open()
	compact := b.next()
	b.accept(compact)
	b.refused(compact, Duplicate)
	b.refused(compact, Replayed) // there is no third link
	late := b.next()
	b.accept(late)
	b.pass(copyWindow + time.Second)
	b.refused(late, Replayed)
}

func TestManyAtOnceActOnce(t *testing.T) {
	b := newBench(t)
	compact := b.next()
	var accepted atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, err := b.gate.Accept(compact, false)
			if err == nil {
				accepted.Add(1)
			}
			b.gate.Challenge()
			b.gate.Counter()
		})
	}
	wg.Wait()
	if n := accepted.Load(); n != 1 {
		t.Errorf("accepted %d times", n)
	}
}

func TestAFloodDoesNotTakeTheProcessor(t *testing.T) {
	b := newBench(t)
	b.pass(time.Minute)
	forged, err := mustSigner(t, mustKey(t, "key-1")).Sign(b.claims(Acknowledge, nil))
	if err != nil {
		t.Fatal(err)
	}
	busy := 0
	for range 10 * verifyBurst {
		if _, err := b.gate.Accept([]byte(forged), false); ReasonOf(err) == Busy {
			busy++
		}
	}
	if busy != 9*verifyBurst {
		t.Errorf("%d of %d were refused unverified", busy, 10*verifyBurst)
	}
	b.refused(b.next(), Busy)
	b.pass(time.Second)
	b.accept(b.next())
}

// The file has the counter when Accept returns, not some time later.
func TestTheCounterIsStoredFirst(t *testing.T) {
	b := newBench(t)
	c := b.accept(b.next())
	s, err := readState(b.o.Path)
	if err != nil || s.Counter != c.Counter {
		t.Fatalf("the file has the counter %d (%v), accepted was %d", s.Counter, err, c.Counter)
	}
	if info, err := os.Stat(b.o.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
