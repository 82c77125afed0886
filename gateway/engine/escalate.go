package engine

import (
	"time"

	"nabat/gateway/alert"
)

// escalate does every escalation step that is due and returns how long it is
// until the next one.
func (e *Engine) escalate() time.Duration {
	next := time.Hour
	now := e.clock.Now()
	for _, a := range e.state.Open() {
		for {
			level := a.Level()
			steps := e.site.Plan(a.Kind, level).Escalation
			i, in, ok := a.Due(steps, now)
			if !ok {
				break
			}
			if in > 0 {
				next = min(next, in)
				break
			}
			ev := e.decision(alert.Escalated, a, alert.Decision{Number: a.Last.Number, Origin: "gateway"})
			ev.Step, ev.Plan, ev.To = i+1, level, steps[i].To
			ev.Level = max(level, steps[i].Level)
			e.act(ev)
			a, _ = e.state.Alert(a.Key)
		}
	}
	return next
}
