package health

import (
	"slices"
	"sync/atomic"
	"time"
)

// Pulse is the proof of life of one essential job. The job calls Beat whenever
// it has really done a round of its work; the watchdog is petted only while
// every pulse is fresh. A nil Pulse ignores Beat.
type Pulse struct {
	name   string
	maxAge time.Duration
	last   atomic.Pointer[time.Time] // of the last beat; time.Time keeps the monotonic clock
}

// Beat says that the job has just made progress. It costs a few nanoseconds.
func (p *Pulse) Beat() {
	if p != nil {
		now := time.Now()
		p.last.Store(&now)
	}
}

// Pulse registers an essential job that promises to beat at least every
// maxAge. Registering counts as the first beat.
func (r *Registry) Pulse(name string, maxAge time.Duration) *Pulse {
	if r == nil {
		return nil
	}
	p := &Pulse{name: name, maxAge: maxAge}
	p.Beat()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pulses == nil {
		r.pulses = make(map[string]*Pulse)
	}
	r.pulses[name] = p
	return p
}

// Stalled returns the names of the jobs whose last beat is too old, sorted.
// The watchdog is petted only while the list is empty.
func (r *Registry) Stalled() []string {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name, p := range r.pulses {
		if time.Since(*p.last.Load()) > p.maxAge {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
