package command

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// typ is the type in the header of every command.
const typ = "nabat-command+jwt"

// Signer signs commands with one key. It may be used from any goroutine.
type Signer struct {
	public Key
	jws    jose.Signer
}

// NewSigner returns a Signer that signs with key.
func NewSigner(key PrivateKey) (*Signer, error) {
	public := key.Public()
	if err := public.Check(); err != nil {
		return nil, err
	}
	o := (&jose.SignerOptions{}).WithType(typ)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key.key, KeyID: key.ID}}, o)
	if err != nil {
		return nil, fmt.Errorf("make a signer of key %s: %w", key.ID, err)
	}
	return &Signer{public: public, jws: s}, nil
}

// Public returns the key that verifies what the Signer signs.
func (s *Signer) Public() Key { return s.public }

// Sign returns the command as a compact JWS. Claims that a gateway would refuse
// whatever its clock and counter are, are not signed.
func (s *Signer) Sign(c Claims) (string, error) {
	if err := c.Check(); err != nil {
		return "", fmt.Errorf("sign command %s: %w", c.ID, err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("sign command %s: %w", c.ID, err)
	}
	signed, err := s.jws.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign command %s: %w", c.ID, err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("sign command %s: %w", c.ID, err)
	}
	if len(compact) > MaxBytes {
		return "", fmt.Errorf("sign command %s: %d bytes, at most %d: shorten its texts", c.ID, len(compact), MaxBytes)
	}
	return compact, nil
}

// PrivateKey is an Ed25519 key that signs commands. Printing it shows its id
// only.
type PrivateKey struct {
	ID  string
	key ed25519.PrivateKey
}

// Public returns the half that gateways are configured with.
func (k PrivateKey) Public() Key {
	if len(k.key) != ed25519.PrivateKeySize {
		return Key{ID: k.ID}
	}
	return Key{ID: k.ID, Public: []byte(k.key.Public().(ed25519.PublicKey))}
}
