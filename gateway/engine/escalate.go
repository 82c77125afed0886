package engine

import (
	"time"

	"nabat/gateway/alert"
)

// patience is how long a step that did not take waits for its next try. It
// cannot happen; if it does, the engine must go on hearing presses.
const patience = time.Minute

// due does all that time asks for and returns how long it is until the next of
// it.
func (e *Engine) due() time.Duration { return min(e.escalate(), e.expire(), e.fade()) }

// escalate does every escalation step that is due and returns how long it is
// until the next one.
func (e *Engine) escalate() time.Duration {
	next := time.Hour
	now := e.clock.Now()
	for _, a := range e.state.Open() {
		next = min(next, e.escalateOne(a, now))
	}
	return next
}

// escalateOne does the steps of one alert that are due.
func (e *Engine) escalateOne(a alert.Alert, now alert.Stamp) time.Duration {
	for {
		steps := e.site.Plan(a.Kind, a.Level()).Escalation
		i, in, ok := a.Due(steps, now)
		if !ok {
			return time.Hour
		}
		if in > 0 {
			return in
		}
		ev := a.Escalation(i, steps[i])
		ev.At = now
		e.act(ev)
		before := a
		a, _ = e.state.Alert(a.Key)
		if a.HelpSteps == before.HelpSteps && a.EmergencySteps == before.EmergencySteps {
			e.log.Error("an escalation step did not take", "alert", a.ID, "step", i+1)
			return patience
		}
	}
}
