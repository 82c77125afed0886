package pin

import (
	"errors"
	"strings"
	"testing"
)

func TestHashedPINMatchesAndOthersDoNot(t *testing.T) {
	text, err := Hash("493817")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash = %s", text)
	}
	v, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for pin, want := range map[string]bool{"493817": true, "493818": false, "": false, "49381": false, "4938171": false, strings.Repeat("4", 65): false} {
		if v.Verify(pin) != want {
			t.Errorf("Verify(%q) = %v", pin, !want)
		}
	}
	if again, err := Hash("493817"); err != nil || again == text {
		t.Errorf("two hashes of one PIN are the same: the salt is not random (%v)", err)
	}
}

func TestPINsThatAreRefused(t *testing.T) {
	for _, pin := range []string{"", "12345", strings.Repeat("1", 65), "123\n456", "123\x00456"} {
		if _, err := Hash(pin); !errors.Is(err, ErrPIN) {
			t.Errorf("Hash(%q) = %v", pin, err)
		}
	}
	if pin := New(); len(pin) != 6 || strings.Trim(pin, "0123456789") != "" {
		t.Errorf("New = %q", pin)
	}
}

// Parts of a hash that is well formed.
const salt, key = "c2FsdHNhbHRzYWx0c2FsdA", "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"

func TestHashesThatAreRefused(t *testing.T) {
	if _, err := Parse("$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for name, text := range map[string]string{
		"empty":             "",
		"a PIN":             "493817",
		"another algorithm": "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key,
		"another version":   "$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key,
		"too cheap":         "$argon2id$v=19$m=8191,t=2,p=1$" + salt + "$" + key,
		"too dear":          "$argon2id$v=19$m=65537,t=2,p=1$" + salt + "$" + key,
		"no rounds":         "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key,
		"too many rounds":   "$argon2id$v=19$m=19456,t=11,p=1$" + salt + "$" + key,
		"no threads":        "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + key,
		"too many threads":  "$argon2id$v=19$m=19456,t=2,p=5$" + salt + "$" + key,
		"something after":   "$argon2id$v=19$m=19456,t=2,p=1x$" + salt + "$" + key,
		"short salt":        "$argon2id$v=19$m=19456,t=2,p=1$AAAA$" + key,
		"short hash":        "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$AAAA",
		"not base64":        "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "!",
		"padded":            "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "=",
		"stray bits":        "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key[:len(key)-1] + "h",
		"one part too many": "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "$",
		"endless":           "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + strings.Repeat("A", 512),
	} {
		if _, err := Parse(text); !errors.Is(err, ErrHash) {
			t.Errorf("%s: Parse = %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key, "", "$argon2id$v=19$m=19456,t=2,p=1$$", "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=4294967295,t=4294967295,p=255$" + salt + "$" + key, "$argon2id$v=19$m=8192,t=0,p=0$" + salt + "$" + key,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		if err != nil {
			if !errors.Is(err, ErrHash) {
				t.Fatalf("error is not ErrHash: %v", err)
			}
			return
		}
		if v.memory < lowestMemory || v.memory > mostMemory || v.time < 1 || v.time > mostTime || v.threads < 1 || v.threads > mostThreads || len(v.key) < 16 || len(v.salt) < 8 {
			t.Fatalf("unusable hash was accepted: %+v", v)
		}
	})
}
