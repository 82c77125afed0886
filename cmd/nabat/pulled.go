package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"nabat/gateway/config"
	"nabat/sync/command"
)

// Files of configurations that dispatch has assigned, in the data directory.
const (
	pulledFile   = "pulled.toml"
	previousFile = "pulled.previous.toml"
	pulledNotes  = "pulled.json"
)

// conditionPulled holds while a configuration that dispatch has assigned is not
// in use.
const conditionPulled = "pulled-configuration-unused"

// maxTries is how many starts in a row may fail to get ready with a pulled
// configuration before it is given up. One would blame it for a power cut.
const maxTries = 3

// pulled decides which configuration a start uses, and remembers how that went.
// The digest of each file stands in the notes, so that a power cut between
// writing the one and the other leaves no file in use that was not assigned.
type pulled struct {
	dir string
	// base is the digest of the file that --config names. A pulled
	// configuration holds until an installer edits that file.
	base string
	// using is the digest of the pulled configuration in use, or "".
	using string
	// given tells what the start had to pass over; nil: nothing.
	given error
	lost  assigned // the newest assignment that was passed over

	mu    sync.Mutex // guards notes
	notes notesOfPulled
}

// notesOfPulled is the file pulled.json.
type notesOfPulled struct {
	Base     string     `json:"base"`
	Assigned []assigned `json:"assigned"` // the newest first, two at the most
}

// assigned is one configuration that dispatch has assigned.
type assigned struct {
	Digest string `json:"digest"`
	// Command, Counter and Who are of the command that brought it.
	Command string `json:"command"`
	Counter uint64 `json:"counter"`
	Who     string `json:"who"`
	// Tries counts starts that have not become ready; Good says that one has.
	Tries int  `json:"tries"`
	Good  bool `json:"good"`
	// Refused says that its refusal was recorded.
	Refused bool `json:"refused,omitempty"`
}

// errGivenUp says why a pulled configuration is passed over.
var errGivenUp = fmt.Errorf("%d starts with it did not get ready", maxTries)

// choose returns the configuration to start with: the newest one that dispatch
// has assigned and that works, else the file at path.
func choose(path string, log *slog.Logger) (*config.Config, *pulled, error) {
	own, err := config.Load(path)
	if err != nil {
		return nil, nil, fmt.Errorf("the configuration cannot be used (`nabat config check %s` explains):\n%w", path, err)
	}
	text, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	p := &pulled{dir: own.DataDir, base: digest(text)}
	b, err := readFile(p.path(pulledNotes))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return own, p, nil
	case err == nil:
		err = json.Unmarshal(b, &p.notes)
	}
	if err != nil {
		p.given = fmt.Errorf("the notes about pulled configurations cannot be read, so %s is in use: %w", path, err)
		log.Warn("pulled configuration not used", "error", p.given)
		return own, p, nil
	}
	if p.notes.Base != p.base {
		log.Info("the configuration file was edited after dispatch assigned another: the edited file is in use", "file", path)
		return own, p, nil
	}
	for i := range p.notes.Assigned {
		c, err := p.try(i, own)
		if err == nil {
			log.Info("the configuration that dispatch assigned is in use", "file", p.path(pulledFile), "digest", p.using, "instead_of", path)
			return c, p, nil
		}
		log.Warn("pulled configuration not used", "digest", p.notes.Assigned[i].Digest, "error", err)
		if p.given == nil {
			p.given = fmt.Errorf("the configuration that dispatch assigned last cannot be used, an older one is: %w", err)
			p.lost = p.notes.Assigned[i]
		}
	}
	return own, p, nil
}

// try reads one assigned configuration and notes that a start uses it.
func (p *pulled) try(i int, own *config.Config) (*config.Config, error) {
	a := &p.notes.Assigned[i]
	if a.Tries >= maxTries && !a.Good {
		return nil, errGivenUp
	}
	text, name, err := p.find(a.Digest)
	if err != nil {
		return nil, err
	}
	c, err := config.Parse(name, text)
	if err != nil {
		return nil, err
	}
	if c.Site.ID != own.Site.ID || c.Site.Gateway != own.Site.Gateway || c.DataDir != own.DataDir {
		return nil, errOtherGateway
	}
	if !a.Good {
		a.Tries++
		if err := p.save(); err != nil { // without the count it might be tried for ever
			return nil, fmt.Errorf("note the start: %w", err)
		}
	}
	p.using = a.Digest
	return c, nil
}

// find returns the file with the digest, whichever of the two it is.
func (p *pulled) find(want string) (text []byte, name string, err error) {
	for _, name := range []string{pulledFile, previousFile} {
		text, err := readFile(p.path(name))
		if err == nil && digest(text) == want {
			return text, p.path(name), nil
		}
	}
	return nil, "", fmt.Errorf("no file in %s has the digest %s", p.dir, want)
}

// assign keeps text durably for the next start; the one in use stays as the
// previous one.
func (p *pulled) assign(text []byte, cl command.Claims) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := notesOfPulled{Base: p.base, Assigned: []assigned{{Digest: cl.Digest, Command: cl.ID, Counter: cl.Counter, Who: cl.Who}}}
	for _, a := range p.notes.Assigned {
		if a.Digest != p.using || a.Digest == cl.Digest || !a.Good {
			continue
		}
		old, _, err := p.find(a.Digest)
		if err != nil {
			return err
		}
		if err := replaceFile(p.path(previousFile), old); err != nil {
			return err
		}
		next.Assigned = append(next.Assigned, a)
	}
	if err := replaceFile(p.path(pulledFile), text); err != nil {
		return err
	}
	was := p.notes
	p.notes = next
	if err := p.save(); err != nil {
		p.notes = was
		return err
	}
	return nil
}

// ready notes that the start has become ready. fresh is the assignment that is
// in use for the first time, refused the one that was passed over for the first
// time; each is nil otherwise.
func (p *pulled) ready() (fresh, refused *assigned, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.notes.Assigned {
		a := &p.notes.Assigned[i]
		switch {
		case p.using != "" && a.Digest == p.using && !a.Good:
			a.Good, a.Tries = true, 0
			done := *a
			fresh = &done
		case p.lost.Digest != "" && a.Digest == p.lost.Digest && !a.Refused:
			a.Refused = true
			done := *a
			refused = &done
		}
	}
	if fresh == nil && refused == nil {
		return nil, nil, nil
	}
	return fresh, refused, p.save()
}

func (p *pulled) path(name string) string { return filepath.Join(p.dir, name) }

// save writes the notes.
func (p *pulled) save() error {
	b, err := json.MarshalIndent(p.notes, "", " ")
	if err != nil {
		return fmt.Errorf("note pulled configurations: %w", err)
	}
	return replaceFile(p.path(pulledNotes), append(b, '\n'))
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func readFile(path string) ([]byte, error) {
	const most = 8 << 20 // configurations are smaller, and refused for their size
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}
