//go:build browser

package desk

import (
	"net/http"
	"sync"
)

// frozen lets a server fall silent without closing anything, as a dead link
// does.
type frozen struct {
	next http.Handler
	end  chan struct{} // closed at the end of the test

	mu   sync.Mutex
	thaw chan struct{} // guarded by mu; nil while all is well, else closed at the thaw
}

func (f *frozen) freeze(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case on && f.thaw == nil:
		f.thaw = make(chan struct{})
	case !on && f.thaw != nil:
		close(f.thaw)
		f.thaw = nil
	}
}

// wait blocks while the link is dead.
func (f *frozen) wait() {
	f.mu.Lock()
	thaw := f.thaw
	f.mu.Unlock()
	if thaw == nil {
		return
	}
	select {
	case <-thaw:
	case <-f.end:
	}
}

// ServeHTTP serves, or waits.
func (f *frozen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.wait()
	f.next.ServeHTTP(&icy{ResponseWriter: w, f: f}, r)
}

// icy is an answer whose bytes do not arrive while the link is dead.
type icy struct {
	http.ResponseWriter
	f *frozen
}

// Write waits for the link.
func (w *icy) Write(b []byte) (int, error) {
	w.f.wait()
	return w.ResponseWriter.Write(b)
}

// Unwrap gives the controller what it needs.
func (w *icy) Unwrap() http.ResponseWriter { return w.ResponseWriter }
