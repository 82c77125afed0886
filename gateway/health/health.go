// Package health holds the named conditions that a person should know about,
// and the pulses by which essential jobs prove that they make progress.
package health

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Condition is something that a person should know about. Its name is a
// lower-case word, with the object after a colon where there is one
// ("point-lost:room-204"). Detail says in English what is wrong and what to do.
type Condition struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
	// Since is when it began, as the wall clock has it now: a clock that is set
	// by years does not change how long ago that was.
	Since time.Time `json:"since"`
}

// Registry is the one place where conditions are set and cleared. The zero
// Registry is ready; a nil one ignores every call. All methods may be called
// from any goroutine.
type Registry struct {
	mu         sync.Mutex // guards all fields below
	conditions map[string]Condition
	changed    chan struct{}
	pulses     map[string]*Pulse
}

// Set makes a condition hold. Setting it again changes the detail and keeps Since.
func (r *Registry) Set(name, detail string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.conditions[name]
	if ok && old.Detail == detail {
		return
	}
	if r.conditions == nil {
		r.conditions = make(map[string]Condition)
	}
	c := Condition{Name: name, Detail: detail, Since: time.Now().UTC()}
	if ok {
		c.Since = old.Since
	}
	r.conditions[name] = c
	r.wakeLocked()
}

// Clear ends a condition. Clearing one that does not hold does nothing.
func (r *Registry) Clear(name string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.conditions[name]; !ok {
		return
	}
	delete(r.conditions, name)
	r.wakeLocked()
}

// List returns the conditions that hold now, sorted by name.
func (r *Registry) List() []Condition {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Condition, 0, len(r.conditions))
	now := time.Now()
	for name, c := range r.conditions {
		c.Since = restated(c.Since, now, now.Sub(c.Since))
		r.conditions[name] = c
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Condition) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// restated returns a moment that was age ago by the monotonic clock as the wall
// clock now has it. It stays as it is while that is the same to a second, so
// that a list does not differ from the one before for nothing.
func restated(since, now time.Time, age time.Duration) time.Time {
	if wall := now.Round(0).Sub(since.Round(0)); (wall - age).Abs() <= time.Second {
		return since
	}
	return now.Add(-age).UTC()
}

// Changed returns a channel that is closed at the next change of any
// condition. Take the channel first, then List, and no change is missed.
func (r *Registry) Changed() <-chan struct{} {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

func (r *Registry) wakeLocked() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}
