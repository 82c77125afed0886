package command

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Conditions that the gate sets.
const (
	conditionDoubt  = "command-counter-lost"
	conditionStored = "command-not-stored"
)

// ringSuffix names the second copy, written whenever the keyring changes: a key
// that was retired must stay so when the first file is damaged.
const ringSuffix = ".keys"

// damagedInfix stands in the names of files that were set aside.
const damagedInfix = ".damaged-"

// Open reads the gate's file. A damaged one is no reason not to start: it is set
// aside, and until a command has raised the counter again, only those are
// accepted that answer a fresh challenge or, by a synchronised clock, were
// issued so long after the start that no earlier run can have accepted them.
//
// Without any file the gateway is taken for a new one. Then, as after every
// start, commands that were issued before it are refused unless they answer a
// fresh challenge.
func Open(o Options) (*Gate, error) {
	if o.Path == "" || o.Audience == "" || len(o.Keys) == 0 || o.Now == nil {
		return nil, errors.New("command gate: path, audience, keys and clock are needed")
	}
	for _, k := range o.Keys {
		if err := k.Check(); err != nil {
			return nil, fmt.Errorf("command gate: %w", err)
		}
	}
	o.Links = max(o.Links, 1)
	g := &Gate{o: o, began: o.Now()}
	g.words.newest(g.began.Mono)
	g.state = g.load()
	g.counter.Store(g.state.Counter)
	return g, nil
}

func (g *Gate) load() state {
	s, err := readState(g.o.Path)
	if err == nil {
		g.tellDoubt(s, "an earlier run of the gateway found no record of earlier commands")
		return s
	}
	missing := errors.Is(err, fs.ErrNotExist)
	// One that was set aside by an earlier start means that this is no new gateway.
	s = state{Doubt: !missing || hasDamaged(g.o.Path)}
	why := "the record of earlier commands is gone"
	if !missing {
		why = "the record of earlier commands cannot be used: " + err.Error()
		aside := g.o.Path + damagedInfix + rand.Text()[:8]
		if err := os.Rename(g.o.Path, aside); err == nil {
			why += "; it is set aside as " + aside
		}
		g.warn("the record of commands cannot be used", "error", err, "path", g.o.Path)
	}
	copied, err := readState(g.o.Path + ringSuffix)
	switch {
	case err == nil:
		s.Counter, s.Ring, s.Doubt = copied.Counter, copied.Ring, true
	case !errors.Is(err, fs.ErrNotExist):
		s.Doubt = true
		why += "; nor can the copy of the keyring be read, so check that every key that was retired is out of the configuration"
		g.warn("the copy of the keyring cannot be used", "error", err, "path", g.o.Path+ringSuffix)
	}
	g.tellDoubt(s, why)
	return s
}

// hasDamaged reports whether a file was ever set aside from path. A folder that
// cannot be read gives no file to begin with either.
func hasDamaged(path string) bool {
	entries, err := os.ReadDir(filepath.Dir(path))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return strings.HasPrefix(e.Name(), filepath.Base(path)+damagedInfix)
	})
}

func (g *Gate) tellDoubt(s state, why string) {
	if !s.Doubt {
		g.o.Health.Clear(conditionDoubt)
		return
	}
	g.o.Health.Set(conditionDoubt, why+". Until a command from dispatch is surely a new one, none is accepted; that takes a few minutes at the most, and nothing has to be done here")
}

func readState(path string) (state, error) {
	f, err := os.Open(path)
	if err != nil {
		return state{}, fmt.Errorf("open: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err != nil {
		return state{}, fmt.Errorf("read: %w", err)
	}
	if len(b) > maxState {
		return state{}, fmt.Errorf("larger than %d bytes: %w", maxState, errDamaged)
	}
	return decodeState(b)
}

// store makes next the state once it is on the disk. g.mu is held.
func (g *Gate) store(next state) error {
	err := g.write(next)
	if err != nil {
		g.o.Health.Set(conditionStored, "the record of commands cannot be written, so commands from dispatch are refused; look at the disk of the data directory: "+err.Error())
		if !g.unwritten { // a copy of the command may come many times a second
			g.warn("the record of commands cannot be written", "error", err)
		}
		g.unwritten = true
		return err
	}
	g.unwritten = false
	g.o.Health.Clear(conditionStored)
	if g.state.Doubt != next.Doubt {
		g.tellDoubt(next, "")
	}
	g.state = next
	g.counter.Store(next.Counter)
	return nil
}

func (g *Gate) write(next state) error {
	b, err := next.encode()
	if err != nil {
		return err
	}
	// The copy first: an error between the two leaves the keyring changed on no
	// file that is read first, and the command refused.
	if !next.Ring.equal(g.state.Ring) {
		if err := replaceFile(g.o.Path+ringSuffix, b); err != nil {
			return err
		}
	}
	return replaceFile(g.o.Path, b)
}

func (g *Gate) warn(msg string, args ...any) {
	if g.o.Log != nil {
		g.o.Log.Warn(msg, args...)
	}
}

// replaceFile writes b durably: after it has returned nil, a power cut leaves
// the new content, and at any moment before it the old or the new one.
func replaceFile(path string, b []byte) error {
	temp := path + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open %s: %w", temp, err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", temp, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
