package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"nabat/sync/command"
	"nabat/sync/dispatch/store"
)

type keysVerb struct {
	List   keysList   `cmd:"" help:"The keys, which of them signs, and how many gateways trust each."`
	New    keysNew    `cmd:"" help:"Make a key. It signs nothing yet."`
	Rotate keysRotate `cmd:"" help:"Tell every gateway of a new key, signed with the old one; when all have it, call again and it signs."`
	Retire keysRetire `cmd:"" help:"Tell every gateway to trust a key no longer, and put it away."`
}

// keyChange is for how long a gateway that is away may still learn of a change
// of keys when it comes back: the longest that a command may live. Whoever was
// away longer is told again by the next call.
const keyChange = command.MaxLife

// public returns the half of the active key that gateways need.
func (k keyring) public() (command.Key, error) {
	id, err := k.active()
	if err != nil {
		return command.Key{}, err
	}
	key, err := k.load(id)
	return key.Public(), err
}

// progress is what gateways have answered to a change of keys.
type progress struct {
	gateway store.Gateway
	state   store.CommandState // empty where nothing was sent
	reason  string
}

// keyProgress asks the store what became of the latest command about a key, for
// each gateway that is not shut out.
func keyProgress(ctx context.Context, db *store.Store, match func(command.Claims) bool) ([]progress, error) {
	list, err := db.Gateways(ctx)
	if err != nil {
		return nil, err
	}
	var out []progress
	for _, g := range list {
		if !g.Revoked.IsZero() {
			continue
		}
		p := progress{gateway: g.Gateway}
		sent, err := db.CommandsOf(ctx, g.Gateway, "", 500)
		if err != nil {
			return nil, err
		}
		for _, c := range sent {
			if c.Claims.Verb == command.Keys && match(c.Claims) {
				p.state, p.reason = c.State, c.Reason
				break // the newest comes first
			}
		}
		out = append(out, p)
	}
	return out, nil
}

func adds(id string) func(command.Claims) bool {
	return func(c command.Claims) bool { return c.Add != nil && c.Add.ID == id }
}

func retires(id string) func(command.Claims) bool {
	return func(c command.Claims) bool { return c.Retire == id }
}

// send issues a change of keys to those who have not got it yet, and returns
// whom it still waits for.
func sendKeys(ctx context.Context, db *store.Store, sign store.Signer, list []progress, claims command.Claims) (waiting []progress, err error) {
	claims.Verb, claims.Who, claims.Expires = command.Keys, by(), time.Now().Add(keyChange).Unix()
	for _, p := range list {
		switch p.state {
		case store.CommandAccepted:
			continue
		case store.CommandPending:
		case store.CommandRefused, store.CommandExpired, "":
			if _, err := db.Issue(ctx, p.gateway, claims, by(), sign); err != nil {
				return nil, fmt.Errorf("tell %s: %w", p.gateway, err)
			}
		}
		waiting = append(waiting, p)
	}
	return waiting, nil
}

type keysList struct{ configFlag }

// Run lists the keys.
func (v keysList) Run(ctx context.Context, stdout io.Writer) error {
	return v.with(ctx, func(s *settings, db *store.Store) error {
		ring := keyring{s.Keys}
		ids, err := ring.list()
		if err != nil {
			return err
		}
		active, err := ring.active()
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "KEY\tSTATE\tTOLD\tACCEPTED\tRETIRED AT")
		for _, id := range ids {
			added, err := keyProgress(ctx, db, adds(id))
			if err != nil {
				return err
			}
			retired, err := keyProgress(ctx, db, retires(id))
			if err != nil {
				return err
			}
			state := "waits"
			if id == active {
				state = "signs"
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d of %d\n", id, state, count(added, ""), count(added, store.CommandAccepted), count(retired, store.CommandAccepted), len(retired))
		}
		return w.Flush()
	})
}

// count returns how many are in a state; the empty state counts all that were
// told anything.
func count(list []progress, state store.CommandState) int {
	n := 0
	for _, p := range list {
		if (state == "" && p.state != "") || (state != "" && p.state == state) {
			n++
		}
	}
	return n
}

type keysNew struct {
	configFlag
	ID string `help:"Name of the key; without it the key is named after itself."`
}

// Run makes a key and prints its lines for configurations.
func (v keysNew) Run(_ context.Context, stdout io.Writer, aside notes) error {
	s, err := loadConfig(v.Config)
	if err != nil {
		return err
	}
	ring := keyring{s.Keys}
	key, err := command.Generate(v.ID)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Keys, 0o700); err != nil {
		return fmt.Errorf("make the directory of keys: %w", err)
	}
	if err := key.Save(ring.path(key.ID)); err != nil {
		return err
	}
	if _, err := ring.active(); errors.Is(err, os.ErrNotExist) {
		if err := ring.activate(key.ID); err != nil {
			return err
		}
		fmt.Fprintf(aside, "%s signs from now on, because there was no other.\n", key.ID)
	} else {
		fmt.Fprintf(aside, "%s signs nothing yet: `nabat-dispatch keys rotate %s` tells the gateways of it.\n", key.ID, key.ID)
	}
	_, err = io.WriteString(stdout, key.Public().TOML())
	return err
}

type keysRotate struct {
	configFlag
	ID     string `arg:"" help:"The key that shall sign; \"keys new\" makes one."`
	Anyway bool   `help:"Sign with it although some gateways do not know it. They refuse every command until somebody visits them."`
}

// Run tells the gateways of a key; when all have answered, the key signs.
func (v keysRotate) Run(ctx context.Context, stdout io.Writer) error {
	return v.with(ctx, func(s *settings, db *store.Store) error {
		ring := keyring{s.Keys}
		key, err := ring.load(v.ID)
		if err != nil {
			return err
		}
		active, err := ring.active()
		if err != nil {
			return err
		}
		if active == v.ID {
			return fmt.Errorf("%s signs already", v.ID)
		}
		sign, err := ring.signer()
		if err != nil {
			return err
		}
		list, err := keyProgress(ctx, db, adds(v.ID))
		if err != nil {
			return err
		}
		public := key.Public()
		waiting, err := sendKeys(ctx, db, sign, list, command.Claims{Add: &public})
		if err != nil {
			return err
		}
		if len(waiting) > 0 && !v.Anyway {
			return v.report(stdout, len(list), waiting)
		}
		if err := errors.Join(ring.activate(v.ID), db.Audit(ctx, by(), "key.activated", v.ID, "instead of "+active)); err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "%s signs from now on. When nothing signed with %s is on its way any more: nabat-dispatch keys retire %s\n", v.ID, active, active)
		return err
	})
}

func (v keysRotate) report(stdout io.Writer, all int, waiting []progress) error {
	fmt.Fprintf(stdout, "%d of %d gateways know %s. It does not sign yet; call again when these have answered:\n", all-len(waiting), all, v.ID)
	for _, p := range waiting {
		why := "told just now"
		switch p.state {
		case store.CommandPending:
			why = "told before, no answer yet"
		case store.CommandRefused:
			why = "refused (" + p.reason + "), told again"
		case store.CommandExpired:
			why = "was away too long, told again"
		case store.CommandAccepted:
		}
		fmt.Fprintf(stdout, "  %s: %s\n", p.gateway, why)
	}
	return nil
}

type keysRetire struct {
	configFlag
	ID string `arg:"" help:"The key that nobody shall trust any more."`
}

// retiredSuffix marks the file of a key that was put away.
const retiredSuffix = ".retired"

// Run tells the gateways to forget a key; when all have, its file is put away.
func (v keysRetire) Run(ctx context.Context, stdout io.Writer) error {
	return v.with(ctx, func(s *settings, db *store.Store) error {
		ring := keyring{s.Keys}
		active, err := ring.active()
		if err != nil {
			return err
		}
		if active == v.ID {
			return fmt.Errorf("%s signs: another key has to sign before it can go: `nabat-dispatch keys rotate OTHER`", v.ID)
		}
		if _, err := ring.load(v.ID); err != nil {
			return err
		}
		sign, err := ring.signer()
		if err != nil {
			return err
		}
		list, err := keyProgress(ctx, db, retires(v.ID))
		if err != nil {
			return err
		}
		waiting, err := sendKeys(ctx, db, sign, list, command.Claims{Retire: v.ID})
		if err != nil {
			return err
		}
		if len(waiting) > 0 {
			return keysRotate{ID: "the end of " + v.ID}.report(stdout, len(list), waiting)
		}
		if err := errors.Join(os.Rename(ring.path(v.ID), ring.path(v.ID)+retiredSuffix), db.Audit(ctx, by(), "key.retired", v.ID, "")); err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "No gateway trusts %s any more. Its file is now %s; destroy it.\n", v.ID, ring.path(v.ID)+retiredSuffix)
		return err
	})
}
