package command

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sys/unix"
)

// ErrOpenToOthers is wrapped by the refusal of a private key that others than
// its owner may read.
var ErrOpenToOthers = errors.New("others may read the private key")

const maxKeyFile = 16 << 10

// Generate makes a new key. Without an id it is named after the key itself.
func Generate(id string) (PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("make a key: %w", err)
	}
	return newPrivateKey(id, key)
}

func newPrivateKey(id string, key ed25519.PrivateKey) (PrivateKey, error) {
	k := PrivateKey{ID: id, key: key}
	if id == "" {
		k.ID = k.Public().fingerprint()
	}
	return k, k.Public().Check()
}

// fingerprint is an id that anybody can make of the key again.
func (k Key) fingerprint() string {
	sum := sha256.Sum256(k.Public)
	return "key-" + hex.EncodeToString(sum[:8])
}

// Format shows the id only, whatever the verb is.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "private key "+k.ID) }

// LogValue shows the id only.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue("private key " + k.ID) }

// Save writes the key to a new file that only its owner may read, as a JWK, and
// returns when it is on the disk. A file that exists is never overwritten.
func (k PrivateKey) Save(path string) error {
	b, err := jose.JSONWebKey{Key: k.key, KeyID: k.ID, Algorithm: string(jose.EdDSA), Use: "sig"}.MarshalJSON()
	if err != nil {
		return fmt.Errorf("save private key %s: %w", k.ID, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("save private key %s: %w", k.ID, err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("save private key %s: %w", k.ID, errors.Join(err, os.Remove(path)))
	}
	return nil
}

// LoadPrivateKey reads a key that Save wrote, or one in PEM (PKCS #8) as other
// tools make them; that one is named after itself. A file that its group or
// everybody may read is refused with ErrOpenToOthers.
func LoadPrivateKey(path string) (PrivateKey, error) {
	// Without waiting for a writer, where path is a pipe.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("open private key: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("look at private key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return PrivateKey{}, fmt.Errorf("private key %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return PrivateKey{}, fmt.Errorf("%w: %s has mode %04o, say chmod 600 %s; if others really had access, make a new key", ErrOpenToOthers, path, mode, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return PrivateKey{}, fmt.Errorf("read private key %s: %w", path, err)
	}
	if len(b) > maxKeyFile {
		return PrivateKey{}, fmt.Errorf("private key %s is larger than %d bytes: is it the right file?", path, maxKeyFile)
	}
	k, err := parsePrivateKey(b)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("private key %s: %w", path, err)
	}
	return k, nil
}

func parsePrivateKey(b []byte) (PrivateKey, error) {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("-----BEGIN")) {
		block, _ := pem.Decode(b)
		if block == nil || block.Type != "PRIVATE KEY" {
			return PrivateKey{}, errors.New("want one PEM block of type PRIVATE KEY (PKCS #8)")
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return PrivateKey{}, errors.New("the PEM block is not a PKCS #8 key")
		}
		key, ok := parsed.(ed25519.PrivateKey)
		if !ok {
			return PrivateKey{}, errors.New("want an Ed25519 key (openssl genpkey -algorithm ed25519)")
		}
		return newPrivateKey("", key)
	}
	var j jose.JSONWebKey
	// The library's errors may repeat what they could not read.
	if err := j.UnmarshalJSON(b); err != nil {
		return PrivateKey{}, errors.New("neither a JWK nor PEM")
	}
	key, ok := j.Key.(ed25519.PrivateKey)
	if !ok {
		return PrivateKey{}, errors.New("want a private Ed25519 key")
	}
	if !bytes.Equal(ed25519.NewKeyFromSeed(key.Seed()), key) {
		return PrivateKey{}, errors.New("the two halves of the key do not belong together")
	}
	return newPrivateKey(j.KeyID, key)
}

// TOML returns the key as a gateway's configuration has it.
func (k Key) TOML() string {
	return fmt.Sprintf("[[command_key]]\nid = %q\npublic = %q\n", k.ID, base64.StdEncoding.EncodeToString(k.Public))
}
