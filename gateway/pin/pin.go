// Package pin makes staff PINs and their argon2id hashes, and checks one
// against the other. Its errors never hold a PIN or a hash.
package pin

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Costs of a new hash: a third of a second on a Pi, and 19 MiB for its time.
const (
	newTime    = 2
	newMemory  = 19456 // KiB
	newThreads = 1
	newSalt    = 16
	newKey     = 32
)

// Bounds of a PIN and of the costs of a hash that is accepted: a cheap hash can
// be guessed, a dear one would stop the gateway at each try.
const (
	shortest     = 6
	longest      = 64
	longestHash  = 512
	lowestMemory = 8 << 10
	mostMemory   = 64 << 10
	mostTime     = 10
	mostThreads  = 4
)

// Errors that callers tell apart.
var (
	// ErrPIN is wrapped by Hash's refusals.
	ErrPIN = errors.New("PIN")
	// ErrHash is wrapped by Parse's refusals.
	ErrHash = errors.New("PIN hash")
)

// New returns a random PIN of six digits for a new gateway.
func New() string {
	n, _ := rand.Int(rand.Reader, big.NewInt(1_000_000)) // never fails: it ends the process instead
	return fmt.Sprintf("%06d", n)
}

// Hash returns the argon2id hash of a PIN in PHC format:
// $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH, base64 without padding.
func Hash(pin string) (string, error) {
	if len(pin) < shortest || len(pin) > longest || strings.ContainsAny(pin, "\x00\r\n") {
		return "", fmt.Errorf("%w must have %d to %d characters on one line", ErrPIN, shortest, longest)
	}
	salt := make([]byte, newSalt)
	_, _ = rand.Read(salt) // never fails: it ends the process instead
	key := argon2.IDKey([]byte(pin), salt, newTime, newMemory, newThreads, newKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, newMemory, newTime, newThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// Verifier is a hash that was read and found usable. It never changes.
type Verifier struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// Parse reads a hash in PHC format.
func Parse(text string) (Verifier, error) {
	var v Verifier
	parts := strings.Split(text, "$")
	if len(text) > longestHash || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return v, fmt.Errorf("%w: want $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH", ErrHash)
	}
	if parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return v, fmt.Errorf("%w: want version v=%d", ErrHash, argon2.Version)
	}
	// Written again and compared, because Sscanf forgives what follows.
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &v.memory, &v.time, &v.threads); err != nil ||
		parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", v.memory, v.time, v.threads) {
		return v, fmt.Errorf("%w: want costs as in m=19456,t=2,p=1", ErrHash)
	}
	if v.memory < lowestMemory || v.memory > mostMemory || v.time < 1 || v.time > mostTime || v.threads < 1 || v.threads > mostThreads {
		return v, fmt.Errorf("%w: costs out of bounds: want m %d to %d, t 1 to %d, p 1 to %d", ErrHash, lowestMemory, mostMemory, mostTime, mostThreads)
	}
	var err error
	if v.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(v.salt) < 8 || len(v.salt) > 64 {
		return v, fmt.Errorf("%w: the salt is damaged", ErrHash)
	}
	if v.key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(v.key) < 16 || len(v.key) > 64 {
		return v, fmt.Errorf("%w: the hash is damaged", ErrHash)
	}
	return v, nil
}

// Verify reports whether pin is the one that was hashed, in constant time. It
// takes the time and memory that the hash asks for, so bound how many run at
// once.
func (v Verifier) Verify(pin string) bool {
	if len(pin) > longest {
		return false
	}
	key := argon2.IDKey([]byte(pin), v.salt, v.time, v.memory, v.threads, uint32(len(v.key)))
	return subtle.ConstantTimeCompare(key, v.key) == 1
}
