// Package staff keeps the staff PIN: its hash, the tries at it, and the
// sessions of those who knew it. Nothing of it outlives the process, and no
// address is kept in clear or on disk.
package staff

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// ErrBadHash is wrapped by every error about a PIN hash that cannot be used.
var ErrBadHash = errors.New("not an argon2id hash of a PIN")

// ErrBadPIN is wrapped by HashPIN's refusals.
var ErrBadPIN = errors.New("unsuitable PIN")

const (
	minPIN, maxPIN = 4, 64

	hashTime   = 2
	hashMemory = 19 * 1024 // KiB
	saltBytes  = 16
	keyBytes   = 32
)

// Hash is a PIN hash that was read and found usable.
type Hash struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// HashPIN returns the argon2id hash of a PIN in the PHC string form, as the
// configuration keeps it (t=2, 19 MiB, one lane).
func HashPIN(pin string) (string, error) {
	if len(pin) < minPIN || len(pin) > maxPIN {
		return "", fmt.Errorf("PIN of %d characters: want %d to %d: %w", len(pin), minPIN, maxPIN, ErrBadPIN)
	}
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("read random salt: %w", err)
	}
	key := argon2.IDKey([]byte(pin), salt, hashTime, hashMemory, 1, keyBytes)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, 1,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// ParseHash reads a hash in the PHC string form. Costs are bounded, so that a
// mistyped configuration cannot make one login take all the memory.
func ParseHash(s string) (Hash, error) {
	var h Hash
	parts := strings.Split(s, "$")
	if len(s) > 512 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return h, fmt.Errorf("want $argon2id$v=19$m=…,t=…,p=…$salt$hash: %w", ErrBadHash)
	}
	if parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, fmt.Errorf("version %q: want v=%d: %w", parts[2], argon2.Version, ErrBadHash)
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.threads); err != nil {
		return h, fmt.Errorf("costs %q: want m=…,t=…,p=…: %w", parts[3], ErrBadHash)
	}
	if h.memory < 8 || h.memory > 64*1024 || h.time < 1 || h.time > 10 || h.threads < 1 || h.threads > 4 {
		return h, fmt.Errorf("costs %q: want m 8 to 65536, t 1 to 10, p 1 to 4: %w", parts[3], ErrBadHash)
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return h, fmt.Errorf("salt: want 8 to 64 bytes in base64: %w", ErrBadHash)
	}
	if h.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return h, fmt.Errorf("hash: want 16 to 64 bytes in base64: %w", ErrBadHash)
	}
	return h, nil
}

// Matches reports whether pin is the one that was hashed. It takes tens of
// milliseconds and the hash's memory; Gate bounds how many run at once.
func (h Hash) Matches(pin string) bool {
	if len(pin) > maxPIN {
		return false
	}
	got := argon2.IDKey([]byte(pin), h.salt, h.time, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(got, h.key) == 1
}
