package command

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

// Options says what a Gate works with. Path, Audience, Keys and Now are needed.
type Options struct {
	// Path is the gate's own file. Beside it the gate keeps a second copy of
	// the keyring, and sets damaged files aside.
	Path string
	// Audience is "site/gateway".
	Audience string
	// Keys are the configured ones: the root of trust.
	Keys []Key
	// Now stamps moments; its Mono counts from one boot on while the gate lives.
	Now func() alert.Stamp
	// Links is how many links bring commands. Each may bring its copy of a
	// command, once and soon, without that being taken for an attack. Zero
	// means one.
	Links int
	// Health takes conditions, Log warnings; both may be nil.
	Health *health.Registry
	Log    *slog.Logger
}

// Gate accepts commands at the gateway, each once. All methods may be called
// from any goroutine, and on a nil Gate, which refuses everything with NoKeys.
// Only Accept and Done wait for the disk.
type Gate struct {
	o       Options
	began   alert.Stamp
	counter atomic.Uint64
	words   challenges
	mu      sync.Mutex // guards the fields below
	state   state
	budget  bucket
	copies  []seen
	// unwritten says that the last try to write the file failed.
	unwritten bool
}

// Command is an accepted command.
type Command struct {
	Claims
	// Before is how the same command ended when it was carried out earlier
	// under another signature; it must not be carried out again. Nil: it is new.
	Before *Outcome
}

// Outcome is how a command that was accepted ended. The zero Outcome is success.
type Outcome struct {
	// Reason is empty for a command that was carried out.
	Reason Reason `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Challenge returns the gateway's present fresh word for its status document.
// It changes every five minutes and at every start, and holds for ten minutes.
// Dispatch puts it into every command, because only the gateway knows when it
// cannot tell by the clock how old a command is.
func (g *Gate) Challenge() string {
	if g == nil {
		return ""
	}
	return g.words.newest(g.o.Now().Mono)
}

// Counter returns the highest counter that was used up.
func (g *Gate) Counter() uint64 {
	if g == nil {
		return 0
	}
	return g.counter.Load()
}

// Trusts reports whether the gate would still trust a command if keys were the
// configured ones, that is, whether not all of them are retired.
func (g *Gate) Trusts(keys []Key) bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(keys) > 0 && len(g.state.Ring.trusted(keys)) > 0
}

const (
	challengeEvery = 5 * time.Minute
	challengeLife  = 10 * time.Minute
)
