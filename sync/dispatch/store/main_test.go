package store

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/dispatch/store/storetest"
	"nabat/sync/event"
)

// server is the one PostgreSQL of this package's tests, started when the first
// of them asks for it.
var server struct {
	once sync.Once
	pg   *storetest.Server
	err  error
}

// guarded ends the server before goroutines are counted.
type guarded struct{ m *testing.M }

func (g guarded) Run() int {
	code := g.m.Run()
	if server.pg != nil {
		if err := server.pg.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(guarded{m}) }

func postgresURL(tb testing.TB) string {
	tb.Helper()
	server.once.Do(func() { server.pg, server.err = storetest.Start(context.Background()) })
	if server.err != nil {
		tb.Fatal(server.err)
	}
	url, err := server.pg.Create(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return url
}

// onBoth runs a test on both engines, each with a database of its own.
func onBoth(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, "sqlite:"+filepath.Join(t.TempDir(), "dispatch.db")) })
	t.Run("postgres", func(t *testing.T) { f(t, postgresURL(t)) })
}

// watch is a clock that tests set.
type watch struct {
	mu sync.Mutex
	t  time.Time
}

func newWatch() *watch { return &watch{t: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)} }

func (w *watch) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.t
}

func (w *watch) add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = w.t.Add(d)
}

func open(tb testing.TB, opt Options) *Store {
	tb.Helper()
	s, err := Open(context.Background(), opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

var school = Gateway{"school-12", "main"}

// ready opens a store that knows the school.
func ready(tb testing.TB, opt Options) *Store {
	tb.Helper()
	s := open(tb, opt)
	if _, err := s.AddGateway(context.Background(), school, "School 12", "test"); err != nil {
		tb.Fatal(err)
	}
	return s
}

// said makes an arrival of an event as a gateway would send it.
func said(g Gateway, epoch string, seq uint64, e alert.Event, link string, at time.Time) Arrival {
	data, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return saidRaw(g, journal.Row{Ref: alert.Ref{Epoch: epoch, Seq: seq}, Type: e.Type, Subject: e.Subject, At: e.At, Data: data}, link, at)
}

func saidRaw(g Gateway, row journal.Row, link string, at time.Time) Arrival {
	raw := event.Append(nil, event.Source(g.Site, g.ID), row)
	e, err := event.Decode(raw)
	if err != nil {
		panic(err)
	}
	return Arrival{Gateway: g, Event: e, Raw: raw, Link: link, At: at}
}

func stamp(at time.Time, boot string, mono time.Duration, synced bool) alert.Stamp {
	return alert.Stamp{Wall: at, Boot: boot, Mono: mono, Synced: synced}
}

// about is an event about an alert of room 204.
func about(typ alert.Type, id string, number uint64, at alert.Stamp) alert.Event {
	e := alert.Event{Type: typ, Subject: id, At: at, Numbering: "n1", Number: number, Kind: alert.Intruder, Place: &alert.Location{ID: "room-204", Path: []string{"Main", "204"}}}
	if typ == alert.Raised {
		e.Level, e.Status, e.Gesture, e.Point = alert.LevelEmergency, alert.Actual, alert.Tap, "button-204"
		e.PressedAt = at.Wall
	}
	if typ == alert.Cleared {
		e.Outcome = alert.Resolved
	}
	return e
}

func ingest(tb testing.TB, s *Store, list ...Arrival) Result {
	tb.Helper()
	r, err := s.Ingest(context.Background(), list)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}
