package engine

import (
	"slices"

	"nabat/gateway/alert"
)

// publish shows a new view if anything has changed since the last one.
func (e *Engine) publish() {
	old := e.view.Load()
	if old != nil && !e.dirty {
		return
	}
	e.dirty = false
	v := &alert.View{
		Version: 1, At: e.clock.Now(), State: e.state, Open: e.state.Open(),
		Truths: make(map[alert.Key]alert.Truth), Proofs: make(map[alert.Key]alert.Truth),
		Points:  make(map[string]alert.PointStatus, len(e.points)),
		Notices: slices.Clone(e.notices), Ended: e.stillEnded(),
	}
	if old != nil {
		v.Version = old.Version + 1
	}
	for _, a := range v.Open {
		v.Proofs[a.Key] = e.proof(a)
		v.Truths[a.Key] = v.Proofs[a.Key]
		if a.Accepted() { // what a person has accepted needs no further proof
			v.Truths[a.Key] = alert.TruthAccepted
		}
	}
	for id, p := range e.points {
		v.Points[id] = p
	}
	e.view.Store(v)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}
