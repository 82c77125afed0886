package config

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Costs of a new hash: a third of a second on a Pi, and 19 MiB for its time.
const (
	pinTime    = 2
	pinMemory  = 19456 // KiB
	pinThreads = 1
	pinSalt    = 16
	pinKey     = 32
)

// Bounds of a PIN and of the costs of a hash that is accepted: a cheap hash can
// be guessed, a dear one would stop the gateway at each try.
const (
	shortestPIN  = 6
	longestPIN   = 64
	lowestMemory = 8 << 10
	mostMemory   = 64 << 10
	mostTime     = 10
	mostThreads  = 4
)

// ErrPIN is wrapped by errors about a PIN or its hash. They never contain it.
var ErrPIN = errors.New("PIN")

// HashPIN returns the argon2id hash of a staff PIN in PHC format:
// $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH, base64 without padding.
func HashPIN(pin string) (string, error) {
	if len(pin) < shortestPIN || len(pin) > longestPIN || strings.ContainsAny(pin, "\x00\r\n") {
		return "", fmt.Errorf("%w must have %d to %d characters on one line", ErrPIN, shortestPIN, longestPIN)
	}
	salt := make([]byte, pinSalt)
	_, _ = rand.Read(salt) // never fails: it ends the process instead
	key := argon2.IDKey([]byte(pin), salt, pinTime, pinMemory, pinThreads, pinKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, pinMemory, pinTime, pinThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// VerifyPIN reports whether hash is the hash of pin, in constant time. It takes
// the time and memory that the hash asks for, so bound the number of calls.
func VerifyPIN(hash Secret, pin string) (bool, error) {
	h, err := parseHash(hash.Reveal())
	if err != nil {
		return false, err
	}
	if len(pin) > longestPIN {
		return false, nil
	}
	key := argon2.IDKey([]byte(pin), h.salt, h.time, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(key, h.key) == 1, nil
}

// NewPIN returns a random PIN of six digits for a new gateway.
func NewPIN() string {
	n, _ := rand.Int(rand.Reader, big.NewInt(1_000_000)) // never fails: it ends the process instead
	return fmt.Sprintf("%06d", n)
}

// ReadPassword reads the password file. A line break at its end does not
// belong to the password.
func (m MQTT) ReadPassword() (Secret, error) {
	if m.PasswordFile == "" {
		return Secret{}, nil
	}
	b, err := os.ReadFile(m.PasswordFile)
	if err != nil {
		return Secret{}, fmt.Errorf("read the broker's password: %w", err)
	}
	return NewSecret(strings.TrimRight(string(b), "\r\n")), nil
}

type hash struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// parseHash reads the PHC format. Its errors do not repeat the text.
func parseHash(text string) (hash, error) {
	var h hash
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return h, fmt.Errorf("%w hash: want $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH", ErrPIN)
	}
	if parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, fmt.Errorf("%w hash: want version v=%d", ErrPIN, argon2.Version)
	}
	// Written again and compared, because Sscanf forgives what follows.
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.threads); err != nil ||
		parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", h.memory, h.time, h.threads) {
		return h, fmt.Errorf("%w hash: want costs as in m=19456,t=2,p=1", ErrPIN)
	}
	if h.memory < lowestMemory || h.memory > mostMemory || h.time < 1 || h.time > mostTime || h.threads < 1 || h.threads > mostThreads {
		return h, fmt.Errorf("%w hash: costs out of bounds: want m %d to %d, t 1 to %d, p 1 to %d", ErrPIN, lowestMemory, mostMemory, mostTime, mostThreads)
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return h, fmt.Errorf("%w hash: the salt is damaged", ErrPIN)
	}
	if h.key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return h, fmt.Errorf("%w hash: the hash is damaged", ErrPIN)
	}
	return h, nil
}
