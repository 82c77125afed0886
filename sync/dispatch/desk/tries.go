package desk

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	freeTries   = 5 // wrong passwords before one has to wait
	firstLock   = 15 * time.Second
	longestLock = 15 * time.Minute
	forgetAfter = time.Hour
	provenFor   = 7 * 24 * time.Hour
	maxTries    = 8192
)

// tries counts wrong passwords by address and by name, and makes each wait
// longer after each wrong one. An address from which a name has logged in
// before is counted apart from strangers, so that a guesser elsewhere cannot
// lock the operator out. It is this process's own: with n processes a guesser
// has n times as many tries.
type tries struct {
	now func() time.Time

	mu     sync.Mutex // guards the maps
	wrong  map[string]*wrongTries
	proven map[string]time.Time // name and address that belong together
}

type wrongTries struct {
	count       int
	until, last time.Time
}

func newTries(now func() time.Time) *tries {
	return &tries{now: now, wrong: make(map[string]*wrongTries), proven: make(map[string]time.Time)}
}

// peer returns what stands for one host: an IPv4 address, or the /64 of an
// IPv6 one, all of which a single host can use.
func peer(addr netip.Addr) string {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// keys returns what a try is counted under.
func (t *tries) keys(addr netip.Addr, name string) []string {
	host, name := peer(addr), strings.ToLower(name)
	if at, ok := t.proven[name+"@"+host]; ok && t.now().Sub(at) < provenFor {
		return []string{"both " + name + "@" + host}
	}
	return []string{"host " + host, "name " + name}
}

// wait returns how long this one has to wait before the next try; zero when
// it may try now.
func (t *tries) wait(addr netip.Addr, name string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var longest time.Duration
	for _, key := range t.keys(addr, name) {
		if w := t.wrong[key]; w != nil {
			longest = max(longest, w.until.Sub(t.now()))
		} else if len(t.wrong) >= maxTries {
			t.forget()
			if len(t.wrong) >= maxTries {
				longest = max(longest, firstLock)
			}
		}
	}
	if longest <= 0 {
		return 0
	}
	return max((longest + time.Second - 1).Truncate(time.Second), time.Second)
}

// begin counts a try as wrong before it is checked, so that parallel tries
// cannot outrun the lock; right takes it back.
func (t *tries) begin(addr netip.Addr, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, key := range t.keys(addr, name) {
		w := t.wrong[key]
		if w == nil || now.Sub(w.last) > forgetAfter {
			w = &wrongTries{}
			t.wrong[key] = w
		}
		w.count, w.last = w.count+1, now
		if over := w.count - freeTries; over >= 0 {
			w.until = now.Add(min(firstLock<<min(over, 10), longestLock))
		}
	}
}

// right notes that the password was right.
func (t *tries) right(addr netip.Addr, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range t.keys(addr, name) {
		delete(t.wrong, key)
	}
	if len(t.proven) >= maxTries {
		clear(t.proven)
	}
	t.proven[strings.ToLower(name)+"@"+peer(addr)] = t.now()
}

func (t *tries) forget() {
	for key, w := range t.wrong {
		if t.now().Sub(w.last) > forgetAfter {
			delete(t.wrong, key)
		}
	}
}
