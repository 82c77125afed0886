package mqtt

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"nabat/gateway/health"
	"nabat/sync/link"
)

// Conditions of the link.
const (
	conditionDown        = "link-down:mqtt"
	conditionRefused     = "link-refused:mqtt"
	conditionCertificate = "link-certificate:mqtt"
	conditionDuplicate   = "link-duplicate:mqtt"
	conditionReceipts    = "link-receipts:mqtt"
	conditionCommands    = "link-commands:mqtt"
	conditionSilent      = "dispatch-silent:mqtt"
	conditionLacks       = "dispatch-lacks:mqtt"
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

// up says that a session has begun. Whether our client id is ours alone shows
// only when it lasts.
func (r *reporter) up() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.health.Clear(conditionDown)
	r.health.Clear(conditionRefused)
	r.health.Clear(conditionCertificate)
	r.ledger.Set(true, "")
	r.note(troubleNone, "")
}

// steady says that the session has lasted.
func (r *reporter) steady() { r.health.Clear(conditionDuplicate) }

// down says that there is no session and why; it returns the diagnosis.
func (r *reporter) down(err error) trouble {
	t, detail := diagnose(err, time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	switch t {
	case troubleNone:
		return t
	case troubleDown:
	case troubleRefused:
		r.health.Set(conditionRefused, detail)
	case troubleDates, troubleTrust:
		r.health.Set(conditionCertificate, detail)
	case troubleStolen:
		r.health.Set(conditionDuplicate, detail)
	}
	r.health.Set(conditionDown, detail)
	r.health.Clear(conditionReceipts)
	r.health.Clear(conditionCommands)
	r.ledger.Set(false, detail)
	r.note(t, detail)
	return t
}

// subscribed says whether the broker gives receipts.
func (r *reporter) subscribed(err error) {
	if err == nil {
		r.health.Clear(conditionReceipts)
		return
	}
	r.health.Set(conditionReceipts, fmt.Sprintf(
		"the broker does not let the gateway read its receipts (%v), so no alert will show as received; check the broker's access list", err))
}

// commanded says whether the broker gives commands.
func (r *reporter) commanded(err error) {
	if err == nil {
		r.health.Clear(conditionCommands)
		return
	}
	r.health.Set(conditionCommands, fmt.Sprintf(
		"the broker does not let the gateway read its commands (%v), so dispatch cannot answer over this link; check the broker's access list", err))
}

// end clears everything: a link that is not run has no condition.
func (r *reporter) end() {
	for _, c := range []string{
		conditionDown, conditionRefused, conditionCertificate, conditionDuplicate,
		conditionReceipts, conditionCommands, conditionSilent, conditionLacks,
	} {
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
		r.log.Info("MQTT link is up", args...)
		return
	}
	r.log.Warn("MQTT link is down", append(args, "why", detail)...)
}
