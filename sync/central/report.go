package central

import (
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/sync/link"
)

// Conditions of the link.
const (
	conditionDown        = "link-down:" + Name
	conditionRefused     = "link-refused:" + Name
	conditionCertificate = "link-certificate:" + Name
	conditionPortal      = "link-portal:" + Name
	conditionCommands    = "link-commands:" + Name
)

// reporter is the one place where the link's conditions are set and cleared,
// and where its state is logged: at a change, and never in a flood.
type reporter struct {
	health *health.Registry
	log    *slog.Logger
	ledger *link.Ledger

	mu         sync.Mutex // guards the fields below
	last       trouble
	known      bool
	limit      *rate.Limiter
	suppressed int
}

func newReporter(h *health.Registry, log *slog.Logger, l *link.Ledger) *reporter {
	return &reporter{health: h, log: log, ledger: l, limit: rate.NewLimiter(rate.Every(5*time.Minute), 10)}
}

// up says that the service has answered.
func (r *reporter) up() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range []string{conditionDown, conditionRefused, conditionCertificate, conditionPortal} {
		r.health.Clear(c)
	}
	r.ledger.Set(true, "")
	r.note(troubleNone, "")
}

// down says that there is no session and why; it returns the diagnosis.
func (r *reporter) down(err error, now func() alert.Stamp) trouble {
	t, detail := diagnose(err, now)
	r.mu.Lock()
	defer r.mu.Unlock()
	special := ""
	switch t {
	case troubleNone:
		return t
	case troubleDown:
	case troubleRefused:
		special = conditionRefused
	case troubleDates, troubleTrust:
		special = conditionCertificate
	case troubleForeign:
		special = conditionPortal
	}
	for _, c := range []string{conditionRefused, conditionCertificate, conditionPortal} {
		if c != special {
			r.health.Clear(c)
		}
	}
	if special != "" {
		r.health.Set(special, detail)
	}
	r.health.Set(conditionDown, detail)
	r.health.Clear(conditionCommands)
	r.ledger.Set(false, detail)
	r.note(t, detail)
	return t
}

// commands says whether the service can be asked for commands.
func (r *reporter) commands(err error) {
	if err == nil {
		r.health.Clear(conditionCommands)
		return
	}
	_, detail := classify(err)
	r.health.Set(conditionCommands, "events are delivered, but dispatch's commands do not arrive by this link: "+detail)
}

// end clears everything: a link that is not run has no condition.
func (r *reporter) end() {
	for _, c := range []string{conditionDown, conditionRefused, conditionCertificate, conditionPortal, conditionCommands} {
		r.health.Clear(c)
	}
}

// note logs a change of state. r.mu is held.
func (r *reporter) note(t trouble, detail string) {
	if r.known && r.last == t {
		return
	}
	r.known, r.last = true, t
	if !r.limit.Allow() {
		r.suppressed++
		return
	}
	args := []any{}
	if r.suppressed > 0 {
		args = append(args, "changes_not_logged", r.suppressed)
		r.suppressed = 0
	}
	if t == troubleNone {
		r.log.Info("central link is up", args...)
		return
	}
	r.log.Warn("central link is down", append(args, "why", detail)...)
}
