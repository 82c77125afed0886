package mqtt

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/sync/event"
)

// maxTries is how often an event is sent again because receipts lack it before
// a person is told.
const maxTries = 3

// witness holds both lanes against what dispatch says to have. A nil one is of
// a link where the broker's word is enough.
type witness struct {
	said           coverage
	alarm, routine *receipted
	silence        time.Duration
	health         *health.Registry
	log            *slog.Logger

	mu    sync.Mutex // guards the fields below, and keeps reviews apart
	named alert.Ref  // the event that the log was last told about
	limit *rate.Limiter
}

func newWitness(o Options, t Timing, log *slog.Logger) *witness {
	w := &witness{
		silence: t.Silence, health: o.Health, log: log,
		limit: rate.NewLimiter(rate.Every(5*time.Minute), 10),
	}
	w.alarm, w.routine = newReceipted(o.Alarm, &w.said, t), newReceipted(o.Routine, &w.said, t)
	return w
}

// covers reports whether dispatch is known to have the event.
func (w *witness) covers(ref alert.Ref) bool { return w != nil && w.said.covers(ref) }

// hear takes a receipt that is trusted. One of any epoch shows that dispatch
// speaks.
func (w *witness) hear(r event.Receipt) {
	if w == nil {
		return
	}
	w.said.add(r)
	w.alarm.heard()
	w.routine.heard()
	w.review()
}

// review sets and clears the conditions.
func (w *witness) review() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var silent, lacks string
	for _, l := range []struct {
		name string
		plight
	}{{"alarm", w.alarm.plight()}, {"routine", w.routine.plight()}} {
		rest := "further events still go out"
		if l.full {
			rest = fmt.Sprintf("%d wait, so that further ones stay in the journal", maxUnreceipted)
		}
		switch {
		case l.tries >= maxTries && lacks == "":
			lacks = fmt.Sprintf(
				"dispatch gives receipts, but none for event %s-%d, which goes out again and again; in the %s lane %s; look in dispatch's log for this event",
				l.lacks.Epoch, l.lacks.Seq, l.name, rest)
			w.tell(l.lacks)
		case l.quiet >= w.silence && silent == "":
			silent = fmt.Sprintf(
				"the broker takes events, but dispatch does not confirm that it has them; in the %s lane %s; nothing is lost. Check that dispatch runs, that it reads from this broker, and that the broker lets it write receipts. If what reads the events gives no receipts, set receipts = false in [mqtt]",
				l.name, rest)
		}
	}
	w.set(conditionSilent, silent)
	w.set(conditionLacks, lacks)
}

func (w *witness) set(condition, detail string) {
	if detail == "" {
		w.health.Clear(condition)
		return
	}
	w.health.Set(condition, detail)
}

// tell logs once for each event. w.mu is held.
func (w *witness) tell(ref alert.Ref) {
	if w.named == ref || !w.limit.Allow() {
		return
	}
	w.named = ref
	w.log.Warn("dispatch does not confirm an event", "id", fmt.Sprintf("%s-%d", ref.Epoch, ref.Seq), "tries", maxTries)
}
