package staff

import (
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/argon2"

	"nabat/gateway/pin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap is the hash of a PIN at the least cost that is accepted.
func cheap(t *testing.T, text string) pin.Verifier {
	t.Helper()
	b64, salt := base64.RawStdEncoding, []byte("saltsalt")
	v, err := pin.Parse("$argon2id$v=19$m=8192,t=1,p=1$" + b64.EncodeToString(salt) + "$" + b64.EncodeToString(argon2.IDKey([]byte(text), salt, 1, 8192, 1, 16)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWrongPINsWaitLongerAndLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t)
		a := netip.MustParseAddr("192.168.1.20")
		for range freeTries {
			wrong(t, g, a)
		}
		var last time.Duration
		for range 7 {
			var locked *LockedError
			if err := g.Try(t.Context(), a, "480262"); !errors.As(err, &locked) {
				t.Fatalf("got %v, want a lock even for the right PIN", err)
			}
			if locked.Wait < last || locked.Wait > longestLock || locked.Everyone {
				t.Fatalf("wait %s after %s", locked.Wait, last)
			}
			last = locked.Wait
			wait(t, locked.Wait)
			wrong(t, g, a)
		}
		if last != longestLock {
			t.Errorf("the longest wait was %s, want %s", last, longestLock)
		}
		wait(t, longestLock)
		if err := g.Try(t.Context(), a, "480262"); err != nil {
			t.Fatalf("the right PIN after the lock: %v", err)
		}
		for range freeTries - 1 { // and all is forgotten
			wrong(t, g, a)
		}
		if err := g.Try(t.Context(), a, "480262"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestGuessingFromManyAddressesIsBoundedAndDoesNotLockTheStaffOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t)
		desk := netip.MustParseAddr("192.168.1.20")
		if err := g.Try(t.Context(), desk, "480262"); err != nil {
			t.Fatal(err)
		}
		tried := 0
		begun := time.Now()
		for i := 0; time.Since(begun) < time.Hour; i++ {
			addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			var locked *LockedError
			switch err := g.Try(t.Context(), addr, "000000"); {
			case errors.Is(err, ErrWrongPIN):
				tried++
			case errors.As(err, &locked) && locked.Everyone:
				wait(t, locked.Wait)
			default:
				t.Fatal(err)
			}
		}
		if limit := strangersBurst + int(time.Hour/strangersEvery) + 1; tried > limit {
			t.Errorf("%d guesses in an hour, want at most %d", tried, limit)
		}
		if !g.Sweep() {
			t.Error("nobody noticed the guessing")
		}
		var locked *LockedError
		for i := byte(0); !errors.As(g.Try(t.Context(), netip.AddrFrom4([4]byte{172, 16, 0, i}), "000000"), &locked); i++ {
			locked = nil
		}
		if err := g.Try(t.Context(), desk, "480262"); err != nil {
			t.Errorf("a device that has logged in before is locked out: %v", err)
		}
		wait(t, 2*time.Hour)
		if g.Sweep() {
			t.Error("the guessing has ended and is still reported")
		}
		if len(g.tries) != 1 {
			t.Errorf("%d addresses remembered, want only the known one", len(g.tries))
		}
	})
}

func TestParallelTriesCannotOutrunTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t)
		a := netip.MustParseAddr("192.168.1.20")
		for range freeTries - 1 {
			wrong(t, g, a)
		}
		g.turn <- struct{}{} // somebody's PIN is being checked meanwhile
		var group sync.WaitGroup
		var mu sync.Mutex
		checked, busy := 0, 0
		for range 100 {
			group.Go(func() {
				err := g.Try(context.Background(), a, "000000")
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, ErrWrongPIN) {
					checked++
				}
				if errors.Is(err, ErrBusy) {
					busy++
				}
			})
		}
		synctest.Wait()
		<-g.turn
		group.Wait()
		if checked != 1 || busy != 100-maxWaiting {
			t.Errorf("%d PINs were checked and %d refused at once, want 1 and %d", checked, busy, 100-maxWaiting)
		}
	})
}

func TestOneIPv6NetworkIsOneAddress(t *testing.T) {
	g := newGate(t)
	for i := range freeTries {
		wrong(t, g, netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)}))
	}
	var locked *LockedError
	if err := g.Try(t.Context(), netip.MustParseAddr("2001:db8::ffff"), "480262"); !errors.As(err, &locked) {
		t.Errorf("got %v, want a lock", err)
	}
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Sessions
		idle, err := s.Start("duty")
		if err != nil {
			t.Fatal(err)
		}
		used, err := s.Start("head")
		if err != nil {
			t.Fatal(err)
		}
		if session, ok := s.Touch(used); !ok || session.Role != "head" || session.Left != Lifetime {
			t.Errorf("session %+v %v", session, ok)
		}
		begun := time.Now()
		for ok := true; ok; _, ok = s.Touch(used) {
			wait(t, Idle/2)
		}
		if lived := time.Since(begun); lived != Lifetime {
			t.Errorf("a session in use lived for %s, want %s", lived, Lifetime)
		}
		if _, ok := s.Touch(idle); ok {
			t.Error("an idle session lives")
		}
		out, err := s.Start("duty")
		if err != nil {
			t.Fatal(err)
		}
		s.End(out)
		for _, token := range []string{out, "", "x", used + "x"} {
			if _, ok := s.Touch(token); ok {
				t.Errorf("token %q opens a session", token)
			}
		}
		for range 3 * maxSessions {
			if _, err := s.Start("duty"); err != nil {
				t.Fatal(err)
			}
		}
		if len(s.open) > maxSessions {
			t.Errorf("%d sessions, want at most %d", len(s.open), maxSessions)
		}
	})
}

func newGate(t *testing.T) *Gate {
	t.Helper()
	g, err := NewGate(cheap(t, "480262"))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func wrong(t *testing.T, g *Gate, a netip.Addr) {
	t.Helper()
	if err := g.Try(t.Context(), a, "000000"); !errors.Is(err, ErrWrongPIN) {
		t.Fatalf("got %v, want ErrWrongPIN", err)
	}
}

// wait lets the bubble's clock run.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
}
