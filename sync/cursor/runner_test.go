package cursor_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/cursor/cursortest"
)

// rig is a runner between two lanes in memory and a far end. It belongs to the
// goroutine of its test, which is in a synctest bubble.
type rig struct {
	alarm, routine *cursortest.Memory
	far            *farEnd
	sent           []alert.Ref
	stop           context.CancelFunc
	done           chan error
}

func newRig(seed uint64, trouble float64, change func(*cursor.Options)) *rig {
	r := &rig{
		alarm: cursortest.NewMemory(journal.Alarm), routine: cursortest.NewMemory(journal.Routine),
		far: newFarEnd(seed, trouble), done: make(chan error, 1),
	}
	o := cursor.Options{
		Alarm: r.alarm.Lane(), Routine: r.routine.Lane(), Link: r.far,
		Sent:   func(ref alert.Ref) { r.sent = append(r.sent, ref) },
		Random: func() float64 { return 0.999 },
	}
	if change != nil {
		change(&o)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	runner := cursor.NewRunner(o)
	go func() { r.done <- runner.Run(ctx) }()
	return r
}

func (r *rig) end() error {
	r.stop()
	return <-r.done
}

// outOfOrder checks one lane of what arrived: without repetitions it counts up
// to n, except for rows that skip names.
func outOfOrder(got []journal.Row, lane journal.Lane, n int, skip func(alert.Ref) bool) error {
	seen := make(map[int64]bool)
	next := int64(1)
	step := func() {
		for skip(alert.Ref{Epoch: "e", Seq: base(lane) + uint64(next)}) {
			next++
		}
	}
	step()
	for _, r := range got {
		if r.Lane != lane || seen[r.Pos] {
			continue
		}
		if r.Pos != next {
			return fmt.Errorf("%s lane: row %d arrived where %d was due", lane, r.Pos, next)
		}
		seen[r.Pos] = true
		next++
		step()
	}
	if next <= int64(n) {
		return fmt.Errorf("%s lane: rows from %d on never arrived (of %d)", lane, next, n)
	}
	return nil
}

func base(l journal.Lane) uint64 {
	if l == journal.Routine {
		return 1 << 20
	}
	return 0
}

// course is what a property test does to a runner.
type course struct {
	seed    uint64
	trouble float64
	window  int
	every   uint64 // every so many rows, one is refused for good
	bursts  []burst
}

type burst struct {
	alarms, routines int
	pause            time.Duration
}

func drawCourse(t *rapid.T) course {
	return course{
		seed:    rapid.Uint64().Draw(t, "seed"),
		trouble: rapid.SampledFrom([]float64{0, 0.01, 0.03, 0.1}).Draw(t, "trouble"),
		window:  rapid.IntRange(1, 20).Draw(t, "window"),
		every:   rapid.Uint64Range(3, 50).Draw(t, "poison every"),
		bursts: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) burst {
			return burst{
				alarms: rapid.IntRange(0, 20).Draw(t, "alarms"), routines: rapid.IntRange(0, 60).Draw(t, "routines"),
				pause: rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Minute}).Draw(t, "pause"),
			}
		}), 1, 6).Draw(t, "bursts"),
	}
}

func (c course) run() error {
	poison := func(r alert.Ref) bool { return r.Seq%c.every == 0 }
	r := newRig(c.seed, c.trouble, func(o *cursor.Options) {
		o.Window = c.window
		o.Backoff = cursor.Backoff{Base: time.Millisecond, Cap: 10 * time.Millisecond, Urgent: 2 * time.Millisecond}
	})
	r.far.mu.Lock()
	r.far.poison = poison
	r.far.mu.Unlock()
	ahead := 0
	check := func(row journal.Row) {
		if !r.far.hasRow(row.Ref) {
			ahead++
		}
	}
	r.alarm.OnPass(check)
	r.routine.OnPass(check)
	alarms, routines := 0, 0
	for _, b := range c.bursts {
		r.routine.Append(rows(base(journal.Routine)+uint64(routines)+1, b.routines)...)
		r.alarm.Append(rows(uint64(alarms)+1, b.alarms)...)
		alarms, routines = alarms+b.alarms, routines+b.routines
		pause(b.pause)
	}
	for i := 0; i < 3000 && (r.alarm.Passed() < alarms || r.routine.Passed() < routines); i++ {
		pause(time.Minute)
	}
	errs := []error{r.end()}
	if r.alarm.Passed() < alarms || r.routine.Passed() < routines {
		errs = append(errs, fmt.Errorf("stuck at %d of %d and %d of %d", r.alarm.Passed(), alarms, r.routine.Passed(), routines))
	}
	if ahead > 0 {
		errs = append(errs, fmt.Errorf("the cursor passed %d rows that had not arrived", ahead))
	}
	for _, w := range append(r.alarm.Wrong(), r.routine.Wrong()...) {
		errs = append(errs, fmt.Errorf("against the lane's contract: %s", w))
	}
	errs = append(errs,
		outOfOrder(r.far.rows(), journal.Alarm, alarms, poison),
		outOfOrder(r.far.rows(), journal.Routine, routines, poison))
	for ref := range r.alarm.Parked() {
		if !poison(ref) {
			errs = append(errs, fmt.Errorf("%v was parked for nothing", ref))
		}
	}
	last := uint64(0)
	for _, ref := range r.sent {
		if ref.Seq <= last || poison(ref) {
			errs = append(errs, fmt.Errorf("Sent was told %d after %d", ref.Seq, last))
		}
		last = ref.Seq
	}
	if want := alarms - len(r.alarm.Parked()); len(r.sent) != want {
		errs = append(errs, fmt.Errorf("Sent was told %d alarms, want %d", len(r.sent), want))
	}
	return errors.Join(errs...)
}

func TestWhateverTheFarEndDoesEveryRowArrivesInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := drawCourse(rt)
		var err error
		synctest.Test(t, func(*testing.T) { err = c.run() })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// pause lets virtual time pass.
func pause(d time.Duration) {
	if d == 0 {
		synctest.Wait()
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

func TestNewAlarmOvertakesTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(1, 0, nil)
		r.routine.Append(rows(base(journal.Routine)+1, 20000)...)
		for r.routine.Passed() < 5000 {
			pause(100 * time.Microsecond)
		}
		before := len(r.far.rows())
		r.alarm.Append(rows(1, 1)...)
		for r.alarm.Passed() < 1 {
			pause(100 * time.Microsecond)
		}
		for i, row := range r.far.rows()[before:] {
			if row.Lane == journal.Alarm {
				if i > 16 {
					t.Errorf("the alarm came after %d rows of the backlog, want at most a window of 16", i)
				}
				break
			}
		}
		if p := r.routine.Passed(); p > 5200 {
			t.Errorf("%d rows of the backlog were passed when the alarm was", p)
		}
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBackOffIsCutShort(t *testing.T) {
	down := make(chan struct{})
	for name, c := range map[string]struct {
		change func(*cursor.Options)
		cause  error
		act    func(*rig)
		within time.Duration
	}{
		"by a new alarm":                   {cause: errCut, act: func(r *rig) { r.alarm.Append(rows(1, 1)...) }, within: time.Second},
		"by a new alarm after a refusal":   {cause: cursor.ErrRefused, act: func(r *rig) { r.alarm.Append(rows(1, 1)...) }, within: 6 * time.Second},
		"by a network that comes up":       {cause: errCut, change: func(o *cursor.Options) { o.NetworkUp = func() <-chan struct{} { return down } }, act: func(*rig) { close(down) }, within: time.Second},
		"not by a new row of routine lane": {cause: errCut, act: func(r *rig) { r.routine.Append(rows(1, 1)...) }, within: 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.change != nil {
					down = make(chan struct{})
				}
				r := newRig(1, 0, c.change)
				r.far.setRefuse(c.cause)
				// Until the waits are a minute long.
				for len(r.far.opened()) < 10 {
					pause(time.Second)
				}
				r.far.setRefuse(nil)
				pause(5 * time.Second)
				n, begun := len(r.far.opened()), time.Now()
				c.act(r)
				for len(r.far.opened()) == n {
					pause(10 * time.Millisecond)
				}
				took := time.Since(begun)
				if took > c.within || (c.within > time.Minute && took < 20*time.Second) {
					t.Errorf("the next attempt came after %v, want within %v", took, c.within)
				}
				if err := r.end(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestWaitsWhileNothingWorks(t *testing.T) {
	for name, c := range map[string]struct {
		cause     error
		alarms    int
		low, high int // attempts in an hour
	}{
		"nothing urgent":          {cause: errCut, low: 60, high: 70},
		"an alarm waits":          {cause: errCut, alarms: 1, low: 1700, high: 2000},
		"refused":                 {cause: cursor.ErrRefused, low: 60, high: 62},
		"refused, an alarm waits": {cause: cursor.ErrRefused, alarms: 1, low: 60, high: 62},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(1, 0, nil)
				r.far.setRefuse(c.cause)
				r.alarm.Append(rows(1, c.alarms)...)
				pause(time.Hour)
				if n := len(r.far.opened()); n < c.low || n > c.high {
					t.Errorf("%d attempts in an hour, want %d to %d", n, c.low, c.high)
				}
				if err := r.end(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestAFarEndThatStopsAnsweringIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(1, 0, func(o *cursor.Options) { o.Patience = 8 * time.Second })
		r.far.mu.Lock()
		r.far.trouble = 1 // Open fails at once; then every row fails
		r.far.mu.Unlock()
		r.alarm.Append(rows(1, 3)...)
		pause(time.Minute)
		r.far.mu.Lock()
		r.far.trouble, r.far.latency = 0, time.Hour
		r.far.mu.Unlock()
		pause(20 * time.Second)
		if n := r.alarm.Passed(); n != 0 {
			t.Fatalf("%d rows were passed without an answer", n)
		}
		r.far.mu.Lock()
		r.far.latency = time.Millisecond
		r.far.mu.Unlock()
		pause(3 * time.Hour) // the fake's slow answers end, then the runner tries again
		if n := r.alarm.Passed(); n != 3 {
			t.Errorf("%d rows were passed, want 3", n)
		}
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRunSaysWhenTheJournalCannotBeReadAndCanRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("disk on fire")
		alarm, routine := cursortest.NewMemory(journal.Alarm), cursortest.NewMemory(journal.Routine)
		far := newFarEnd(1, 0)
		runner := cursor.NewRunner(cursor.Options{Alarm: alarm.Lane(), Routine: routine.Lane(), Link: far})
		routine.Append(rows(1, 5)...)
		routine.Fail(broken, nil)
		if err := runner.Run(t.Context()); !errors.Is(err, broken) {
			t.Fatalf("got %v, want the journal's error", err)
		}
		routine.Fail(nil, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- runner.Run(ctx) }()
		pause(time.Second)
		cancel()
		if err := <-done; err != nil || routine.Passed() != 5 {
			t.Errorf("got %v with %d of 5 passed", err, routine.Passed())
		}
	})
}

func TestARowThatCannotBeParkedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(1, 0, nil)
		r.far.mu.Lock()
		r.far.poison = func(ref alert.Ref) bool { return ref.Seq == 2 }
		r.far.mu.Unlock()
		full := errors.New("disk full")
		r.alarm.Fail(nil, full)
		r.alarm.Append(rows(1, 3)...)
		pause(time.Minute)
		if n := r.alarm.Passed(); n != 1 {
			t.Fatalf("%d rows were passed, want the one before the refused one", n)
		}
		r.far.mu.Lock()
		causes := r.far.causes
		r.far.mu.Unlock()
		for _, c := range causes {
			if !errors.Is(c, cursor.ErrJournal) || !errors.Is(c, full) {
				t.Errorf("the link was told %v, which it could take for its own fault", c)
			}
		}
		if len(causes) < 2 {
			t.Errorf("the link was told of %d failures to park, want more", len(causes))
		}
		r.alarm.Fail(nil, nil)
		pause(time.Minute)
		if n, parked := r.alarm.Passed(), r.alarm.Parked(); n != 3 || parked[alert.Ref{Epoch: "e", Seq: 2}] != errPoison.Error() {
			t.Errorf("%d rows were passed, parked %v", n, parked)
		}
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheEndWaitsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(1, 0, nil)
		r.far.mu.Lock()
		r.far.latency = time.Second
		r.far.mu.Unlock()
		r.alarm.Append(rows(1, 16)...)
		synctest.Wait()
		if n := r.alarm.Passed(); n != 0 {
			t.Fatalf("%d rows were passed already", n)
		}
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		if n := r.alarm.Passed(); n != 16 {
			t.Errorf("%d rows were passed, want all that were in flight", n)
		}
	})
}
