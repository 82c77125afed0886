package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"nabat/gateway/config"
	"nabat/sync/command"
)

// assignments is a data directory with an installer's configuration.
type assignments struct {
	t    *testing.T
	dir  string
	path string
	own  []byte
}

func newAssignments(t *testing.T) *assignments {
	t.Helper()
	dir := t.TempDir()
	path, _ := writeConfig(t, dir, []string{"a"}, "")
	own, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return &assignments{t: t, dir: dir, path: path, own: own}
}

// named is a configuration that differs from the installer's in its name.
func (a *assignments) named(name string) []byte {
	return bytes.Replace(a.own, []byte(`en = "School"`), []byte(`en = "`+name+`"`), 1)
}

// start chooses, as a start does; ready says whether it gets ready.
func (a *assignments) start(ready bool) (*config.Config, *pulled) {
	a.t.Helper()
	c, p, err := choose(a.path, newLog(10))
	if err != nil {
		a.t.Fatal(err)
	}
	if ready {
		if _, _, err := p.ready(); err != nil {
			a.t.Fatal(err)
		}
	}
	return c, p
}

// assign does what a command does to a running gateway.
func (a *assignments) assign(p *pulled, text []byte) {
	a.t.Helper()
	if err := p.assign(text, command.Claims{ID: uuid.NewString(), Counter: 1, Who: "operator-7", Digest: digest(text)}); err != nil {
		a.t.Fatal(err)
	}
}

func (a *assignments) uses(c *config.Config, want string) {
	a.t.Helper()
	if got := c.Site.Name.EN; got != want {
		a.t.Fatalf("in use is %s, want %s", got, want)
	}
}

func TestThePulledConfigurationIsUsed(t *testing.T) {
	a := newAssignments(t)
	c, p := a.start(true)
	a.uses(c, "School")
	a.assign(p, a.named("First"))
	c, p = a.start(false)
	a.uses(c, "First")
	if p.given != nil {
		t.Errorf("passed over: %v", p.given)
	}
	fresh, refused, err := p.ready()
	if err != nil || fresh == nil || fresh.Digest != digest(a.named("First")) || refused != nil {
		t.Errorf("first time: %+v, %+v, %v", fresh, refused, err)
	}
	if fresh, _, _ = p.ready(); fresh != nil {
		t.Error("applied twice")
	}
	c, p = a.start(true)
	a.uses(c, "First")
	a.assign(p, a.named("Second"))
	c, _ = a.start(true)
	a.uses(c, "Second")
	if b, err := os.ReadFile(filepath.Join(a.dir, previousFile)); err != nil || !bytes.Equal(b, a.named("First")) {
		t.Errorf("the previous one is not kept: %v", err)
	}
}

func TestAConfigurationThatDoesNotGetReadyIsGivenUp(t *testing.T) {
	a := newAssignments(t)
	_, p := a.start(true)
	a.assign(p, a.named("First"))
	_, p = a.start(true)
	a.assign(p, a.named("Second"))
	for range maxTries {
		c, _ := a.start(false) // killed before it was ready
		a.uses(c, "Second")
	}
	c, p := a.start(false)
	a.uses(c, "First") // the last that worked
	if p.given == nil {
		t.Error("nobody is told")
	}
	_, refused, err := p.ready()
	if err != nil || refused == nil || refused.Digest != digest(a.named("Second")) {
		t.Errorf("refused %+v, %v", refused, err)
	}
	c, p = a.start(false)
	a.uses(c, "First")
	if _, refused, _ = p.ready(); refused != nil || p.given == nil {
		t.Errorf("told again %+v, condition %v", refused, p.given)
	}
	a.assign(p, a.named("Third")) // the way out
	c, p = a.start(true)
	a.uses(c, "Third")
	if p.given != nil {
		t.Errorf("the condition stays: %v", p.given)
	}
}

func TestOneLostStartIsNoVerdict(t *testing.T) {
	a := newAssignments(t)
	_, p := a.start(true)
	a.assign(p, a.named("First"))
	a.start(false)
	c, _ := a.start(true)
	a.uses(c, "First")
	for range 2 * maxTries { // it has worked: later trouble is not its own
		c, _ = a.start(false)
		a.uses(c, "First")
	}
}

func TestWhatTheInstallerEditsHolds(t *testing.T) {
	a := newAssignments(t)
	_, p := a.start(true)
	a.assign(p, a.named("First"))
	if err := os.WriteFile(a.path, a.named("Edited"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, p := a.start(true)
	a.uses(c, "Edited")
	a.assign(p, a.named("Second"))
	c, _ = a.start(true)
	a.uses(c, "Second")
}

// Between any two writes of an assignment power may fail.
func TestPowerFailsWhileAssigning(t *testing.T) {
	for _, name := range []string{previousFile, pulledFile, pulledNotes} {
		t.Run("before "+name, func(t *testing.T) {
			a := newAssignments(t)
			_, p := a.start(true)
			a.assign(p, a.named("First"))
			_, p = a.start(true)
			if err := os.Symlink("/dev/full", p.path(name)+".tmp"); err != nil {
				t.Fatal(err)
			}
			text := a.named("Second")
			if err := p.assign(text, command.Claims{Digest: digest(text)}); err == nil {
				t.Fatal("a full disk was not noticed")
			}
			for range 2 {
				c, _ := a.start(false)
				a.uses(c, "First")
			}
			if err := os.Remove(p.path(name) + ".tmp"); err != nil {
				t.Fatal(err)
			}
			_, p = a.start(true)
			a.assign(p, text)
			c, _ := a.start(true)
			a.uses(c, "Second")
		})
	}
}

func TestSpoiledFilesFallBack(t *testing.T) {
	for name, spoil := range map[string]func(a *assignments) error{
		"the notes are no JSON":         func(a *assignments) error { return os.WriteFile(filepath.Join(a.dir, pulledNotes), []byte("{"), 0o600) },
		"the notes are empty":           func(a *assignments) error { return os.Truncate(filepath.Join(a.dir, pulledNotes), 0) },
		"the file is cut":               func(a *assignments) error { return os.Truncate(filepath.Join(a.dir, pulledFile), 100) },
		"the file is gone":              func(a *assignments) error { return os.Remove(filepath.Join(a.dir, pulledFile)) },
		"it is for another gateway":     func(a *assignments) error { return a.swap(`gateway = "main"`, `gateway = "annex"`) },
		"this version cannot read it":   func(a *assignments) error { return a.swap("[web]", "[web]\nvoice = true") },
		"it has another data directory": func(a *assignments) error { return a.swap(`data_dir = "`, `data_dir = "/other`) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newAssignments(t)
			_, p := a.start(true)
			a.assign(p, a.named("First"))
			if err := spoil(a); err != nil {
				t.Fatal(err)
			}
			c, p := a.start(true)
			a.uses(c, "School")
			if p.given == nil {
				t.Error("nobody is told")
			}
			a.assign(p, a.named("Second"))
			c, p = a.start(true)
			a.uses(c, "Second")
			if p.given != nil {
				t.Errorf("the condition stays: %v", p.given)
			}
		})
	}
}

// swap assigns the file with another text in it, as if it had been accepted.
func (a *assignments) swap(old, text string) error {
	b, err := os.ReadFile(filepath.Join(a.dir, pulledFile))
	if err != nil {
		return err
	}
	b = []byte(strings.Replace(string(b), old, text, 1))
	notes, err := os.ReadFile(filepath.Join(a.dir, pulledNotes))
	if err != nil {
		return err
	}
	var n notesOfPulled
	if err := json.Unmarshal(notes, &n); err != nil {
		return err
	}
	n.Assigned[0].Digest = digest(b)
	if notes, err = json.Marshal(n); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(a.dir, pulledNotes), notes, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(a.dir, pulledFile), b, 0o600)
}
