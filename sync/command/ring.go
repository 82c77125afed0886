package command

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// Bounds of the keyring. Retired keys are never forgotten, so they are few.
const (
	maxAdded   = 16
	maxRetired = 64
)

// ring is what commands have changed about the configured keys.
type ring struct {
	Added   []Key `json:"added,omitempty"`
	Retired []Key `json:"retired,omitempty"`
}

// trusted returns the keys that may sign: the configured and the added ones
// without the retired. A retired key stays so under any id.
func (r ring) trusted(configured []Key) []Key {
	var list []Key
	for _, k := range slices.Concat(configured, r.Added) {
		if !holdsPublic(r.Retired, k) && !slices.ContainsFunc(list, func(o Key) bool { return o.ID == k.ID }) {
			list = append(list, k)
		}
	}
	return list
}

func (r ring) find(configured []Key, id string) (Key, bool) {
	for _, k := range r.trusted(configured) {
		if k.ID == id {
			return k, true
		}
	}
	return Key{}, false
}

// change returns the ring after a command of the verb Keys that signer has
// signed.
func (r ring) change(configured []Key, c Claims, signer string) (ring, error) {
	if c.Add != nil {
		return r.add(configured, *c.Add)
	}
	return r.retire(configured, c.Retire, signer)
}

func (r ring) add(configured []Key, k Key) (ring, error) {
	if holdsPublic(r.Retired, k) {
		return r, fmt.Errorf("key %s was retired: make a new one", k.ID)
	}
	if old, ok := r.find(configured, k.ID); ok {
		if !bytes.Equal(old.Public, k.Public) {
			return r, fmt.Errorf("another key has the id %s: choose another id", k.ID)
		}
		return r, nil
	}
	// An entry that lost its id to a configured key is of no use any more.
	added := slices.DeleteFunc(slices.Clone(r.Added), func(o Key) bool { return o.ID == k.ID })
	if len(added) >= maxAdded {
		return r, fmt.Errorf("%d keys were added already: retire one first", maxAdded)
	}
	return ring{Added: append(added, k), Retired: r.Retired}, nil
}

func (r ring) retire(configured []Key, id, signer string) (ring, error) {
	k, ok := r.find(configured, id)
	switch {
	case !ok:
		return r, fmt.Errorf("no key %s is trusted", id)
	case len(r.Retired) >= maxRetired:
		return r, fmt.Errorf("%d keys are retired already: take them out of the gateway's configuration", maxRetired)
	}
	next := ring{
		Added:   slices.DeleteFunc(slices.Clone(r.Added), func(o Key) bool { return bytes.Equal(o.Public, k.Public) }),
		Retired: append(slices.Clone(r.Retired), k),
	}
	// So one key always stays. The same key under another id is the signer too.
	if _, ok := next.find(configured, signer); !ok {
		return r, fmt.Errorf("key %s has signed this itself: sign with the one that stays", id)
	}
	return next, nil
}

func holdsPublic(list []Key, k Key) bool {
	return slices.ContainsFunc(list, func(o Key) bool { return bytes.Equal(o.Public, k.Public) })
}

func (r ring) check() error {
	if len(r.Added) > maxAdded || len(r.Retired) > maxRetired {
		return errors.New("too many keys")
	}
	for _, k := range slices.Concat(r.Added, r.Retired) {
		if err := k.Check(); err != nil {
			return err
		}
	}
	return nil
}

func (r ring) equal(o ring) bool {
	same := func(a, b Key) bool { return a.ID == b.ID && bytes.Equal(a.Public, b.Public) }
	return slices.EqualFunc(r.Added, o.Added, same) && slices.EqualFunc(r.Retired, o.Retired, same)
}
