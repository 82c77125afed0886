// Package staff keeps the tries at the staff PIN and the sessions of those who
// knew it. Nothing of it outlives the process, and no address is kept in clear
// or on disk.
package staff

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"nabat/gateway/pin"
)

// Errors of Gate.Try, beside *LockedError.
var (
	ErrWrongPIN = errors.New("wrong PIN")
	ErrBusy     = errors.New("too many PINs are being checked at once")
)

// LockedError says that no PIN is checked now, and when one will be.
type LockedError struct {
	// Wait is how long until the next try, rounded up to a second.
	Wait time.Duration
	// Everyone says that the lock is on all unknown addresses, because
	// somebody is guessing from many of them.
	Everyone bool
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("too many wrong PINs; try again in %s", e.Wait)
}

const (
	freeTries    = 3                // wrong PINs of one address before it has to wait
	firstLock    = 30 * time.Second // doubles with each further wrong PIN
	longestLock  = 15 * time.Minute
	forgetAfter  = time.Hour // an address without tries
	knownFor     = 24 * time.Hour
	maxAddresses = 4096
	maxWaiting   = 4 // PINs waiting for the one that is being checked
	waitForTurn  = 5 * time.Second

	// Wrong PINs from all unknown addresses together: a guesser with a
	// thousand addresses gets 2,880 tries a day, not 86 million.
	strangersBurst = 20
	strangersEvery = 30 * time.Second
)

// Gate decides whether somebody knows the PIN. It hashes one PIN at a time,
// which bounds memory, and makes each address wait longer after each wrong
// one. All methods may be called from any goroutine.
type Gate struct {
	hash   pin.Verifier
	secret [32]byte      // keys the map below, so that no address is kept
	turn   chan struct{} // holds one token; whoever has it may hash
	queue  chan struct{}

	mu        sync.Mutex // guards the fields below
	tries     map[[sha256.Size]byte]*tries
	strangers *rate.Limiter
}

type tries struct {
	wrong    int
	until    time.Time // no try before
	last     time.Time
	provenAt time.Time // of the last right PIN
}

// NewGate returns a gate for the PIN with the given hash.
func NewGate(h pin.Verifier) (*Gate, error) {
	g := &Gate{
		hash:      h,
		turn:      make(chan struct{}, 1),
		queue:     make(chan struct{}, maxWaiting),
		tries:     make(map[[sha256.Size]byte]*tries),
		strangers: rate.NewLimiter(rate.Every(strangersEvery), strangersBurst),
	}
	if _, err := rand.Read(g.secret[:]); err != nil {
		return nil, fmt.Errorf("read random key: %w", err)
	}
	return g, nil
}

// Try checks a PIN that came from addr. It returns nil for the right one, else
// ErrWrongPIN, ErrBusy, a *LockedError, or ctx's error. Whether addr may try
// is decided while it has its turn, so parallel tries cannot outrun the lock.
func (g *Gate) Try(ctx context.Context, addr netip.Addr, tried string) error {
	key := g.key(addr)
	if err := g.locked(key); err != nil { // a locked one need not take a turn
		return err
	}
	select {
	case g.queue <- struct{}{}:
		defer func() { <-g.queue }()
	default:
		return ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, waitForTurn)
	defer cancel()
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait to check a PIN: %w", ctx.Err())
	}
	if err := g.locked(key); err != nil {
		return err
	}
	return g.record(key, g.hash.Verify(tried))
}

// locked returns a *LockedError when key may not try now.
func (g *Gate) locked(key [sha256.Size]byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	t := g.tries[key]
	if t != nil && now.Before(t.until) {
		return &LockedError{Wait: roundUp(t.until.Sub(now))}
	}
	if t != nil && now.Sub(t.provenAt) < knownFor {
		return nil // a guesser elsewhere must not lock the staff out
	}
	if tokens := g.strangers.TokensAt(now); tokens < 1 {
		return &LockedError{Wait: roundUp(time.Duration((1 - tokens) * float64(strangersEvery))), Everyone: true}
	}
	if t == nil && len(g.tries) >= maxAddresses {
		return &LockedError{Wait: firstLock, Everyone: true}
	}
	return nil
}

func (g *Gate) record(key [sha256.Size]byte, right bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	t := g.tries[key]
	if t == nil {
		t = &tries{}
		g.tries[key] = t
	}
	t.last = now
	if right {
		t.wrong, t.until, t.provenAt = 0, time.Time{}, now
		return nil
	}
	t.wrong++
	if over := t.wrong - freeTries; over >= 0 {
		t.until = now.Add(min(firstLock<<min(over, 10), longestLock))
	}
	if now.Sub(t.provenAt) >= knownFor {
		g.strangers.AllowN(now, 1)
	}
	return ErrWrongPIN
}

// Sweep forgets addresses that have not tried for long, and reports whether
// somebody is guessing from many addresses. Call it now and then.
func (g *Gate) Sweep() (guessing bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for key, t := range g.tries {
		if now.After(t.until) && now.Sub(t.last) > forgetAfter && now.Sub(t.provenAt) > knownFor {
			delete(g.tries, key)
		}
	}
	return g.strangers.TokensAt(now) < strangersBurst/2
}

// key turns an address into what the gate remembers. One IPv6 network is one
// address, because every device can take any address in it.
func (g *Gate) key(addr netip.Addr) (key [sha256.Size]byte) {
	mac := hmac.New(sha256.New, g.secret[:])
	mac.Write(Peer(addr).AsSlice())
	copy(key[:], mac.Sum(nil))
	return key
}

// Peer returns what stands for one host wherever hosts are counted: an IPv4
// address, or the /64 of an IPv6 one, all of which a single host can use.
func Peer(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

func roundUp(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), time.Second)
}
