package staff

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"time"
)

// Limits of sessions.
const (
	// Lifetime is how long a session lasts at most: one shift.
	Lifetime = 12 * time.Hour
	// Idle is how long a session lasts without any page open.
	Idle = 30 * time.Minute
	// maxSessions bounds memory; the one unused for longest makes room.
	maxSessions = 64

	tokenBytes = 32
)

// Session is one person's proof of having known the PIN.
type Session struct {
	// Role is what the person said they are; decisions carry it.
	Role string
	// Left is how much of Lifetime is left.
	Left time.Duration
}

// Sessions holds the sessions in memory: a restart ends them all, a few dozen
// exist at most, and a store with serialisation, a cleaner goroutine and a
// wrapped ResponseWriter would only stand in the way of the event stream. The
// zero Sessions is ready. All methods may be called from any goroutine.
type Sessions struct {
	mu   sync.Mutex // guards open
	open map[[sha256.Size]byte]*entry
}

type entry struct {
	role         string
	begun, touch time.Time
}

// Start begins a session and returns its token, which only the browser knows:
// the store keeps a hash of it.
func (s *Sessions) Start(role string) (token string, err error) {
	raw := make([]byte, tokenBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("read random token: %w", err)
	}
	token = base64.RawURLEncoding.EncodeToString(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[[sha256.Size]byte]*entry)
	}
	now := time.Now()
	for key, e := range s.open {
		if e.over(now) {
			delete(s.open, key)
		}
	}
	if len(s.open) >= maxSessions {
		var oldest [sha256.Size]byte
		first := true
		for key, e := range s.open {
			if first || e.touch.Before(s.open[oldest].touch) {
				oldest, first = key, false
			}
		}
		delete(s.open, oldest)
	}
	s.open[sha256.Sum256([]byte(token))] = &entry{role: role, begun: now, touch: now}
	return token, nil
}

// Touch returns the session of a token and counts as its use; ok is false for
// a token that is unknown, ended or expired.
func (s *Sessions) Touch(token string) (session Session, ok bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return Session{}, false
	}
	key := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.open[key]
	if !ok {
		return Session{}, false
	}
	now := time.Now()
	if e.over(now) {
		delete(s.open, key)
		return Session{}, false
	}
	e.touch = now
	return Session{Role: e.role, Left: Lifetime - now.Sub(e.begun)}, true
}

// End ends the session of a token, if there is one.
func (s *Sessions) End(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(token)))
}

func (e *entry) over(now time.Time) bool {
	return now.Sub(e.begun) >= Lifetime || now.Sub(e.touch) >= Idle
}
