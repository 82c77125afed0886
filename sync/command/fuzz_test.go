package command

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"nabat/gateway/alert"
)

// FuzzAccept: whatever arrives, only what the key has signed is accepted.
func FuzzAccept(f *testing.F) {
	key := mustKey(f, "key-1")
	signer := mustSigner(f, key)
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	g, err := Open(Options{
		Path: filepath.Join(f.TempDir(), "state"), Audience: audience, Keys: []Key{key.Public()},
		Now: func() alert.Stamp { return alert.Stamp{Wall: now, Synced: true} },
	})
	if err != nil {
		f.Fatal(err)
	}
	good, err := signer.Sign(Claims{
		Audience: audience, ID: "0199e6a4-5c1b-7c3e-9a57-3b1f0c9d2e11", Counter: 1,
		Issued: now.Unix() - 300, Expires: now.Unix() - 200, Verb: DrillEnd, Who: "o", Challenge: g.Challenge(),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(good), false)
	f.Add([]byte(good[:len(good)-3]), true)
	f.Add(raw(`{"alg":"none","kid":"key-1","typ":"nabat-command+jwt"}`, []byte(`{}`), nil), false)
	f.Add([]byte(".."), false)
	f.Add([]byte(nil), true)
	f.Fuzz(func(t *testing.T, compact []byte, retained bool) {
		c, err := g.Accept(compact, retained)
		if err == nil {
			t.Fatalf("accepted %+v", c)
		}
		if ReasonOf(err) == "" {
			t.Fatalf("no reason: %v", err)
		}
		if ReasonOf(err) == NotStored || g.Counter() > 1 {
			t.Fatalf("counter %d, %v", g.Counter(), err)
		}
	})
}

// FuzzState: what is read back is what was written, and nothing else is read.
func FuzzState(f *testing.F) {
	for _, s := range []state{{}, {Counter: 7, Doubt: true}, {Counter: 9, Ring: ring{Retired: []Key{{ID: "a", Public: make([]byte, 32)}}}, Done: []done{{ID: "x"}}}} {
		b, err := s.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err != nil {
			return
		}
		again, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeState(again)
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("%+v became %+v, %v", s, back, err)
		}
	})
}

func FuzzPrivateKey(f *testing.F) {
	f.Add([]byte(`{"use":"sig","kty":"OKP","kid":"k","crv":"Ed25519","alg":"EdDSA","x":"AA","d":"AA"}`))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parsePrivateKey(b)
		if err == nil && k.Public().Check() != nil {
			t.Fatalf("a key that cannot be used: %v", k)
		}
	})
}
