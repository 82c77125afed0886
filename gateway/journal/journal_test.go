package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for a state that must come.
const patience = time.Minute

// running is a journal with its writer, for tests.
type running struct {
	*Journal
	t      *testing.T
	health *health.Registry
	stop   func()
}

// start opens a journal and runs it until the test ends or stop is called.
func start(t *testing.T, o Options) *running {
	t.Helper()
	if o.Health == nil {
		o.Health = &health.Registry{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if o.Ballast == 0 {
		o.Ballast = -1
	}
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, j)
}

// run runs an open journal until the test ends or stop is called.
func run(t *testing.T, j *Journal) *running {
	t.Helper()
	r := &running{Journal: j, t: t, health: j.opt.Health}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// eventually waits for a state, looking again every few milliseconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never came: %s", what)
		}
	}
}

// put appends and waits for the answer.
func (r *running) put(e alert.Event) (alert.Ref, error) {
	r.t.Helper()
	type answer struct {
		ref alert.Ref
		err error
	}
	c := make(chan answer, 1)
	r.Append(e, func(ref alert.Ref, err error) { c <- answer{ref, err} })
	select {
	case a := <-c:
		return a.ref, a.err
	case <-time.After(patience):
		r.t.Fatal("no answer to Append")
		return alert.Ref{}, nil
	}
}

// mustPut is put for an event that has to be durable.
func (r *running) mustPut(e alert.Event) alert.Ref {
	r.t.Helper()
	ref, err := r.put(e)
	if err != nil {
		r.t.Fatal(err)
	}
	return ref
}

// drain reads everything that a cursor has left.
func drain(t *testing.T, c *Cursor) []Row {
	t.Helper()
	var all []Row
	for {
		rows, err := c.Read(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			return all
		}
		all = append(all, rows...)
	}
}

// raise makes press number n; routine makes an event of the other lane.
func raise(n uint64) alert.Event {
	return alert.Event{
		Type: alert.Raised, Subject: fmt.Sprintf("alert-%d", n), Numbering: "n", Number: n, Kind: alert.Intruder,
		Level: alert.LevelEmergency, Status: alert.Actual, Place: &alert.Location{ID: fmt.Sprintf("room-%d", n%7), Path: []string{"Main building"}},
		Point: "button", Gesture: alert.Tap,
		At: alert.Stamp{Wall: time.Unix(1_800_000_000, int64(n)).UTC(), Boot: "b", Mono: time.Duration(n) * time.Millisecond, Synced: true},
	}
}

func routine(n int) alert.Event {
	return alert.Event{
		Type: alert.LinkUp, Subject: "mqtt", Detail: fmt.Sprintf("link %d", n),
		At: alert.Stamp{Wall: time.Unix(1_800_000_000, int64(n)).UTC(), Boot: "b", Mono: time.Duration(n) * time.Millisecond},
	}
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "data", "journal.db") }

func TestAppendedEventsComeBackAsTheyWere(t *testing.T) {
	r := start(t, Options{Path: file(t), Consumers: []string{"mqtt"}})
	c := r.Cursor("mqtt", Alarm)
	woken := r.Appended(Alarm)
	first := r.mustPut(raise(1))
	<-woken
	second := r.mustPut(routine(2))
	if first.Epoch != r.Epoch() || first.Seq != 1 || second.Seq != 2 {
		t.Errorf("refs %v, %v: want 1 and 2 of epoch %s", first, second, r.Epoch())
	}
	rows := drain(t, c)
	if len(rows) != 1 || rows[0].Ref != first {
		t.Fatalf("alarm lane: %+v, want one row %v", rows, first)
	}
	got, err := rows[0].Event()
	want := raise(1)
	if err != nil || got.At != want.At || got.Subject != want.Subject || got.Number != 1 || got.Place.ID != want.Place.ID {
		t.Errorf("event came back as %+v, %v", got, err)
	}
	if d := r.Stats().Cursors[0].Depth; d != 1 {
		t.Errorf("depth before Advance is %d, want 1", d)
	}
	c.Advance(rows[0])
	if d := r.Stats().Cursors[0].Depth; d != 0 {
		t.Errorf("depth after Advance is %d, want 0", d)
	}
}

func TestReopenKeepsEpochCursorsAndAlerts(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	var refs []alert.Ref
	for n := uint64(1); n <= 10; n++ {
		refs = append(refs, r.mustPut(raise(n)))
	}
	rows, err := r.Cursor("mqtt", Alarm).Read(t.Context(), 4)
	if err != nil || len(rows) != 4 {
		t.Fatalf("read %d rows, %v", len(rows), err)
	}
	r.Cursor("mqtt", Alarm).Advance(rows[2])
	epoch := r.Epoch()
	r.stop()

	r = start(t, o)
	if r.Epoch() != epoch {
		t.Errorf("epoch changed from %s to %s", epoch, r.Epoch())
	}
	if rest := drain(t, r.Cursor("mqtt", Alarm)); len(rest) != 7 || rest[0].Ref != refs[3] {
		t.Errorf("after reopening %d rows come, want 7 from %v", len(rest), refs[3])
	}
	state, saved := r.Recorded()
	if open := state.Open(); len(open) != 7 {
		t.Errorf("%d alerts are open, want 7", len(open))
	}
	if key, _ := raise(10).Key(); saved[key] != refs[9] {
		t.Errorf("highest raise is saved as %v, want %v", saved[key], refs[9])
	}
	if ref := r.mustPut(raise(11)); ref.Seq != 11 {
		t.Errorf("next number is %d, want 11", ref.Seq)
	}
}

func TestParkedRowDoesNotComeAgain(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	for n := uint64(1); n <= 3; n++ {
		r.mustPut(raise(n))
	}
	c := r.Cursor("mqtt", Alarm)
	rows := drain(t, c)
	if err := c.Park(t.Context(), rows[1], "refused"); err != nil {
		t.Fatal(err)
	}
	c.Rewind()
	if again := drain(t, c); len(again) != 2 || again[0].Ref.Seq != 1 || again[1].Ref.Seq != 3 {
		t.Errorf("after Park: %v", again)
	}
	r.stop()
	r = start(t, o)
	c = r.Cursor("mqtt", Alarm)
	again := drain(t, c)
	if len(again) != 2 {
		t.Fatalf("after Park and reopening: %v", again)
	}
	c.Advance(again[0])
	if s := r.Stats().Cursors[0]; s.Depth != 1 || s.Parked != 1 {
		t.Errorf("stats %+v, want depth 1 and one parked", s)
	}
	told := drain(t, r.Cursor("mqtt", Routine))
	if len(told) != 1 || told[0].Type != alert.JournalParked {
		t.Errorf("routine lane: %v, want one parked event", told)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	o := Options{Path: file(t)}
	start(t, o)
	if _, err := Open(o); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open: %v, want ErrInUse", err)
	}
}

func TestAppendAfterRunIsRefused(t *testing.T) {
	r := start(t, Options{Path: file(t)})
	r.stop()
	if _, err := r.put(raise(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Run: %v, want ErrClosed", err)
	}
}
