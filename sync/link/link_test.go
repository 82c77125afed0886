package link

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/alert"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

type memoryRecorder struct {
	mu     sync.Mutex
	events []alert.Event
}

func (m *memoryRecorder) Append(e alert.Event, _ func(alert.Ref, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
}

func (m *memoryRecorder) list() []alert.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

func pass(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

func TestAFlappingLinkDoesNotFillTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := new(memoryRecorder)
		l := NewLedger("central", rec, func() alert.Stamp { return alert.Stamp{Wall: time.Now()} }, 10*time.Second)
		if up, since := l.State(); up || !since.IsZero() {
			t.Error("a state before the first attempt")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); l.Run(ctx) }()
		l.Set(true, "")
		pass(time.Minute)
		l.Set(false, "cannot reach it")
		pass(time.Minute)
		got := rec.list()
		if len(got) != 2 || got[0].Type != alert.LinkUp || got[1].Type != alert.LinkDown || got[1].Subject != "central" || got[1].Detail != "cannot reach it" {
			t.Fatalf("got %+v", got)
		}
		for range 4320 { // six hours, faster than it settles
			l.Set(true, "")
			pass(2 * time.Second)
			l.Set(false, "x")
			pass(3 * time.Second)
		}
		pass(time.Minute)
		if n := len(rec.list()); n != 2 {
			t.Errorf("%d events for what never lasted", n-2)
		}
		for range 1440 { // a day, each state lasting long enough
			l.Set(true, "")
			pass(30 * time.Second)
			l.Set(false, "x")
			pass(30 * time.Second)
		}
		if n := len(rec.list()); n > 2+6+145 {
			t.Errorf("%d events for a day of flapping", n)
		}
		l.Set(true, "")
		pass(time.Hour)
		if last := rec.list()[len(rec.list())-1]; last.Type != alert.LinkUp || last.Count < 2 {
			t.Errorf("the last event is %+v, want up with the number of changes", last)
		}
		cancel()
		<-done
	})
}

func TestReceiptsWaitJoinedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewReceipts()
		for seq := range uint64(1000) {
			r.Add(event.Receipt{Epoch: "e", Through: seq})
			r.Add(event.Receipt{Epoch: strings.Repeat("x", int(seq%60)+1), Through: 1})
		}
		told := make(map[string]uint64)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx, func(one event.Receipt) { told[one.Epoch] = max(told[one.Epoch], one.Through) })
		}()
		synctest.Wait()
		cancel()
		<-done
		if told["e"] != 999 || len(told) > maxWaiting {
			t.Errorf("told %v", told)
		}
	})
}

// TestReceiptsThatWaitLoseNothing: two receipts that name more than one may are
// not made one.
func TestReceiptsThatWaitLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewReceipts()
		// Sequence 1 never comes, so that every other stays above the mark.
		for i := range uint64(10) {
			one := event.Receipt{Epoch: "e"}
			for n := range uint64(400) {
				one.Above = append(one.Above, 2+400*i+n)
			}
			r.Add(one)
		}
		told := make(map[uint64]bool)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx, func(one event.Receipt) {
				for _, n := range one.Above {
					told[n] = true
				}
			})
		}()
		synctest.Wait()
		cancel()
		<-done
		if len(told) != 4000 {
			t.Errorf("%d of 4000 numbers are told", len(told))
		}
	})
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for text, want := range map[string]string{"a b\r\nc": "a b", "a": "a", "": "", "\na": ""} {
		if got, err := FirstLine(write("secret", text)); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if got, err := FirstLine(""); err != nil || got != "" {
		t.Errorf("no path: %q, %v", got, err)
	}
	for name, path := range map[string]string{
		"missing": filepath.Join(dir, "none"), "a folder": dir, "endless": "/dev/zero",
		"too large": write("large", strings.Repeat("x", maxFile+1)),
	} {
		if _, err := FirstLine(path); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ca := brokertest.NewAuthority(t)
	cert, key := ca.Issue(t, "gateway", brokertest.Day())
	c, ours, err := Certificates{CA: ca.File, Cert: cert, Key: key, Name: "n"}.Config()
	if err != nil || ours != nil || c.MinVersion != tls.VersionTLS12 || len(c.Certificates) != 1 || c.RootCAs == nil {
		t.Errorf("%v, %v", ours, err)
	}
	old, oldKey := ca.Issue(t, "gateway", [2]time.Time{time.Now().Add(-2 * time.Hour), time.Now().Add(-time.Hour)})
	if _, ours, err := (Certificates{Cert: old, Key: oldKey}).Config(); err != nil || !errors.Is(ours, ErrDates) {
		t.Errorf("an old certificate: %v, %v", ours, err)
	}
	for name, f := range map[string]Certificates{
		"no CA in the CA file": {CA: key},
		"a foreign key":        {Cert: cert, Key: oldKey},
		"a missing key":        {Cert: cert, Key: filepath.Join(dir, "none")},
	} {
		if _, _, err := f.Config(); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheDialerSetsTheTimeoutOfUnacknowledgedBytes(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := Dialer(time.Minute, 7*time.Second)
	conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ms int
	if e := raw.Control(func(fd uintptr) { ms, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	if ms != 7000 {
		t.Errorf("TCP_USER_TIMEOUT %d ms", ms)
	}
}
