package central

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/event"
)

// quick are times with which a test needs no patience.
func quick() Timing {
	return Timing{
		Dial: 5 * time.Second, Request: 5 * time.Second, Unacked: time.Second, Heartbeat: 200 * time.Millisecond,
		Poll: time.Second, Settle: 20 * time.Millisecond, Linger: 2 * time.Millisecond,
		Busy: 50 * time.Millisecond, BusyUrgent: 20 * time.Millisecond,
		Backoff: cursor.Backoff{
			Base: 20 * time.Millisecond, Cap: 100 * time.Millisecond, Urgent: 50 * time.Millisecond,
			Refused: 100 * time.Millisecond, Gap: 5 * time.Millisecond, RefusedGap: 10 * time.Millisecond,
		},
	}
}

// gateway is a real journal with a client. Its methods are for the test's
// goroutine.
type gateway struct {
	t       testing.TB
	j       *journal.Journal
	health  *health.Registry
	log     *lockedBuffer
	options Options
	stop    func() // of the client; waits

	mu       sync.Mutex
	receipts []event.Receipt
	sent     map[alert.Ref]bool
	commands []string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newGateway makes a gateway that reaches s at address.
func newGateway(t testing.TB, s *service, address string, change func(*Options)) *gateway {
	t.Helper()
	g := &gateway{t: t, health: new(health.Registry), log: new(lockedBuffer), sent: make(map[alert.Ref]bool)}
	j, err := journal.Open(journal.Options{
		Path: filepath.Join(t.TempDir(), "journal.db"), Consumers: []string{Name}, Ballast: -1,
		PendingRoutine: 1 << 20, PendingAlarms: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.j = j
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("journal: %v", err)
		}
	})
	lane := func(l journal.Lane) cursor.Lane {
		return cursor.Lane{Source: j.Cursor(Name, l), Appended: func() <-chan struct{} { return j.Appended(l) }}
	}
	g.options = Options{
		Site: "school-12", Gateway: "main", URL: address, TokenFile: tokenFile(t, testToken), CAFile: s.ca.File,
		Alarm: lane(journal.Alarm), Routine: lane(journal.Routine),
		Health: g.health, Recorder: j, Log: logTo(g.log), Timing: quick(),
		Status: func() event.Status {
			s := j.Stats()
			return event.Status{Epoch: s.Epoch, LastSeq: s.LastSeq}
		},
		Now: func() alert.Stamp { return alert.Stamp{Wall: time.Now(), Synced: true} },
		Sent: func(r alert.Ref) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.sent[r] = true
		},
		Received: func(epoch string, through uint64, above []uint64) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.receipts = append(g.receipts, event.Receipt{Epoch: epoch, Through: through, Above: above})
		},
		Command: func(compact []byte, _ bool) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.commands = append(g.commands, string(compact))
		},
		After: func() uint64 { return 0 },
	}
	if change != nil {
		change(&g.options)
	}
	return g
}

func tokenFile(t testing.TB, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs a client until stop or the end of the test.
func (g *gateway) start() *Client {
	g.t.Helper()
	c, err := New(g.options)
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	var once sync.Once
	g.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				g.t.Errorf("Run: %v", err)
			}
		})
	}
	g.t.Cleanup(g.stop)
	return c
}

// feed appends n events of a type and waits until they are committed.
func (g *gateway) feed(typ alert.Type, n int) {
	g.t.Helper()
	var wg sync.WaitGroup
	wg.Add(n)
	for i := range n {
		g.j.Append(alert.Event{
			Type: typ, Subject: fmt.Sprint(i), Number: uint64(i), Numbering: "n",
			Detail: "this is about as long as what a technician wants to know about a point of the wall that went away",
		}, func(_ alert.Ref, err error) {
			if err != nil {
				g.t.Errorf("append: %v", err)
			}
			wg.Done()
		})
	}
	wg.Wait()
}

// holds returns the detail of a condition, and whether it holds.
func (g *gateway) holds(condition string) (string, bool) {
	for _, c := range g.health.List() {
		if c.Name == condition {
			return c.Detail, true
		}
	}
	return "", false
}

// complains waits for a condition whose detail has words.
func (g *gateway) complains(condition string, words ...string) {
	g.t.Helper()
	until(g.t, fmt.Sprintf("%s with %q", condition, words), func() bool {
		detail, ok := g.holds(condition)
		return ok && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(detail, w) })
	})
}

func (g *gateway) quiet() {
	g.t.Helper()
	until(g.t, "no condition holds", func() bool { return len(g.health.List()) == 0 })
}

func (g *gateway) parked() int {
	n := 0
	for _, c := range g.j.Stats().Cursors {
		n += c.Parked
	}
	return n
}

// until waits for a state that must come.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never so: %s", what)
		}
	}
}

func logTo(w *lockedBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// pass lets minutes go by in a bubble; at least one second.
func pass(minutes int) {
	timer := time.NewTimer(time.Second + time.Duration(minutes)*time.Minute)
	defer timer.Stop()
	<-timer.C
}

func start() time.Time { return time.Unix(0, 0) }
