package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"nabat/sync/command"
)

// keyring is the directory of private keys: one file each, and a file that
// names the one that signs.
type keyring struct{ dir string }

const (
	keySuffix  = ".jwk"
	activeFile = "active"
)

func (k keyring) path(id string) string { return filepath.Join(k.dir, id+keySuffix) }

// active returns the id of the key that signs.
func (k keyring) active() (string, error) {
	b, err := os.ReadFile(filepath.Join(k.dir, activeFile))
	if err != nil {
		return "", fmt.Errorf("which key signs commands (`nabat-dispatch keys new`): %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// activate makes a key the one that signs.
func (k keyring) activate(id string) error {
	return writeFile(filepath.Join(k.dir, activeFile), []byte(id+"\n"), 0o600, true)
}

// list returns the ids of all keys, ascending.
func (k keyring) list() ([]string, error) {
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return nil, fmt.Errorf("read the directory of keys: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), keySuffix); ok && !e.IsDir() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// load returns a private key by its id.
func (k keyring) load(id string) (command.PrivateKey, error) {
	if id != filepath.Base(id) || id == "" {
		return command.PrivateKey{}, fmt.Errorf("%q is not the id of a key", id)
	}
	key, err := command.LoadPrivateKey(k.path(id))
	if err != nil {
		return key, err
	}
	if key.ID != id {
		return key, fmt.Errorf("%s holds the key %s: a key's file bears its id", k.path(id), key.ID)
	}
	return key, nil
}

// signer returns a signer with the active key.
func (k keyring) signer() (*command.Signer, error) {
	id, err := k.active()
	if err != nil {
		return nil, err
	}
	key, err := k.load(id)
	if err != nil {
		return nil, err
	}
	return command.NewSigner(key)
}

// signer signs with the key that is active at the moment.
type signer struct {
	ring    keyring
	current atomic.Pointer[command.Signer]
	log     *slog.Logger
}

func newSigner(ring keyring, log *slog.Logger) (*signer, error) {
	first, err := ring.signer()
	if err != nil {
		return nil, err
	}
	s := &signer{ring: ring, log: log}
	s.current.Store(first)
	return s, nil
}

// Sign implements store.Signer.
func (s *signer) Sign(c command.Claims) (string, error) { return s.current.Load().Sign(c) }

// Run takes over a key that was made active, until ctx ends. A key that cannot
// be used is no reason to stop signing with the one before.
func (s *signer) Run(ctx context.Context) error {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		id, err := s.ring.active()
		if err == nil && id == s.current.Load().Public().ID {
			continue
		}
		next, err2 := s.ring.signer()
		if err = errors.Join(err, err2); err != nil {
			if told != err.Error() {
				told = err.Error()
				s.log.Error("the active key cannot be used; the one before goes on signing", "error", err)
			}
			continue
		}
		s.current.Store(next)
		s.log.Info("another key signs commands", "key", id)
	}
}
