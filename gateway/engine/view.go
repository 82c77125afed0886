package engine

import "nabat/gateway/alert"

// publish shows a new view if anything has changed since the last one.
func (e *Engine) publish() {
	old := e.view.Load()
	if old != nil && !e.dirty {
		return
	}
	e.dirty = false
	v := &alert.View{Version: 1, At: e.clock.Now(), State: e.state, Truths: make(map[alert.Key]alert.Truth), Points: make(map[string]alert.PointStatus, len(e.points))}
	if old != nil {
		v.Version = old.Version + 1
	}
	for _, a := range e.state.Open() {
		v.Truths[a.Key] = e.truth(a)
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
